// The homeserver outlives the tabs and workers that it is in.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, killWorkers, until, withBrowser } from "./harness.mjs";
import { failToStart, folder, openBare } from "./runtime/pages.mjs";

/** Both ways in answer; their statuses. */
const ask = (page) =>
  page.evaluate(() =>
    Promise.all([fetch, neurite.fetch].map(async (fetch) => (await fetch("/_matrix/client/versions")).status)),
  );

const role = (page) => page.evaluate(() => neurite.role);

/** Begins `count` requests by each way in; `finish` resolves to how many had which status. */
async function beginRequests(page, count) {
  await page.evaluate((count) => {
    const ask = async (fetch) => (await fetch("/_matrix/client/versions")).status;
    const ways = { fetch, straight: neurite.fetch };
    const asked = Object.entries(ways).flatMap(([name, fetch]) =>
      Array.from({ length: count }, () => ask(fetch).catch(() => `${name} failed`)),
    );
    globalThis.answers = Promise.all(asked);
  }, count);
  return () =>
    page.evaluate(async () => {
      const statuses = {};
      for (const status of await globalThis.answers) statuses[status] = (statuses[status] ?? 0) + 1;
      return statuses;
    });
}

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder });

  for (const service_worker of ["on", "off"]) {
    test(`${name}: three tabs, the leading one is closed each time, service worker ${service_worker}`, () =>
      inBrowser(async (browser, origin) => {
        const pages = [];
        for (let tab = 0; tab < 3; tab++) pages.push(await openBare(browser, origin, { service_worker }));
        const names = await Promise.all(pages.map((page) => page.evaluate(() => neurite.serverName)));
        assert.deepEqual(new Set(names).size, 1, "one homeserver");
        const watch = () => {
          globalThis.changes = 0;
          neurite.addEventListener("rolechange", () => globalThis.changes++);
        };
        await Promise.all(pages.map((page) => page.evaluate(watch)));
        assert.deepEqual(await Promise.all(pages.map(role)), ["leader", "follower", "follower"]);
        // Without a service worker, fetch() asks the network.
        const expected = [service_worker === "on" ? 200 : 404, 200];
        while (pages.length > 1) {
          const leading = (await Promise.all(pages.map(role))).indexOf("leader");
          const [leader] = pages.splice(leading, 1);
          const asked = pages.map(ask);
          await leader.close();
          assert.deepEqual(await Promise.all(asked), pages.map(() => expected), "asked before");
          assert.deepEqual(await Promise.all(pages.map(ask)), pages.map(() => expected), "asked after");
          await until(async () => (await Promise.all(pages.map(role))).includes("leader"));
          const changes = await Promise.all(pages.map((page) => page.evaluate(() => globalThis.changes)));
          const roles = await Promise.all(pages.map(role));
          assert.deepEqual(changes, roles.map((role) => (role === "leader" ? 1 : 0)), "told once");
        }
        assert.deepEqual(browser.problems, []);
      }));
  }

  // Firefox has no address that crashes a tab.
  if (name === "chromium") {
    test(`${name}: the leading tab crashes mid-request, with two more`, () =>
      inBrowser(async (browser, origin) => {
        const leader = await openBare(browser, origin);
        const others = [await openBare(browser, origin), await openBare(browser, origin)];
        const finish = await Promise.all(others.map((page) => beginRequests(page, 20)));
        await leader.goto("chrome://crash").catch(() => {});
        for (const end of finish) {
          // The service worker may have been in the process that crashed: the browser fails what
          // was on its way through it, and nobody can answer that any more.
          const { 200: answered, "fetch failed": lost = 0, ...rest } = await end();
          assert.equal(answered + lost, 40);
          assert.deepEqual(rest, {});
        }
        // It goes on failing requests until it has seen that the process is gone; the tabs' own way in does not.
        const straight = (page) => page.evaluate(async () => (await neurite.fetch("/_matrix/client/versions")).status);
        for (const page of others) assert.equal(await straight(page), 200);
        for (const page of others) assert.deepEqual(await until(() => ask(page).catch(() => null)), [200, 200]);
        // The new leader's worker answers as soon as it runs, a moment before its tab knows of its role.
        await until(async () => (await Promise.all(others.map(role))).sort().join() === "follower,leader");
      }));
  }

  test(`${name}: a worker that is ended mid-request is replaced, and the requests are answered`, () =>
    inBrowser(async (browser, origin) => {
      const [leader, follower] = [await openBare(browser, origin), await openBare(browser, origin)];
      for (let round = 0; round < 3; round++) {
        assert.deepEqual(await ask(leader), [200, 200]);
        const finish = await Promise.all([leader, follower].map((page) => beginRequests(page, 20)));
        assert.equal(await killWorkers(leader), 1);
        for (const end of finish) assert.deepEqual(await end(), { 200: 40 });
        assert.equal(await role(leader), "leader");
      }
    }));

  test(`${name}: a worker that crashes by itself is replaced, and the requests are answered`, () =>
    inBrowser(async (browser, origin) => {
      const options = { worker_url: "/crashing-worker.js" };
      const [leader, follower] = [await openBare(browser, origin, options), await openBare(browser, origin, options)];
      const worker = () =>
        leader.evaluate(async () => {
          const { held } = await navigator.locks.query();
          return held.map(({ name }) => name).find((name) => name.startsWith("neurite:worker"));
        });
      const first = await worker();
      const finish = await Promise.all([leader, follower].map((page) => beginRequests(page, 20)));
      await leader.evaluate(() => new BroadcastChannel("crash").postMessage(undefined));
      for (const end of finish) assert.deepEqual(await end(), { 200: 40 });
      await until(async () => ![undefined, first].includes(await worker()));
      assert.deepEqual(await ask(leader), [200, 200]);
      assert.deepEqual(await ask(follower), [200, 200]);
    }));

  test(`${name}: a worker that always ends before it answers is given up`, () =>
    inBrowser(async (browser, origin) => {
      const error = await failToStart(browser, origin, { worker_url: "/stillborn-worker.js" });
      assert.equal(error?.name, "WorkerError");
      assert.match(error.message, /crashes again and again/);
    }));

  test(`${name}: one tab stops, the others go on; one destroys, all end`, () =>
    inBrowser(async (browser, origin) => {
      const pages = [];
      for (let tab = 0; tab < 3; tab++) pages.push(await openBare(browser, origin));
      const [first, ...others] = pages;
      await first.evaluate(() => neurite.stop());
      await until(async () => (await Promise.all(others.map(role))).includes("leader"));
      for (const page of others) assert.deepEqual(await ask(page), [200, 200]);
      const roles = await Promise.all(others.map(role));
      const follower = others[roles.indexOf("follower")];
      const leader = others[roles.indexOf("leader")];
      await leader.evaluate(() => {
        globalThis.ended = new Promise((resolve) =>
          neurite.addEventListener("close", ({ reason }) => resolve(reason.message)),
        );
      });
      await follower.evaluate(() => neurite.destroy());
      assert.equal(await leader.evaluate(() => globalThis.ended), "The homeserver was destroyed.");
      await until(() =>
        follower.evaluate(async () => {
          const { held, pending } = await navigator.locks.query();
          return ![...held, ...pending].some(({ name }) => /:(leader|database)$/.test(name));
        }),
      );
    }));
});
