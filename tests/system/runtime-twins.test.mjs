// A browser may end a service worker while a request is under way there. Chromium then gives the
// request to the next one. What changes something is done once, and answered.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { build } from "esbuild";

import { root } from "../../scripts/project.mjs";
import { browserNames, inEachBrowser, withBrowser } from "./harness.mjs";
import { folder, openBare } from "./runtime/pages.mjs";

/** Registers a user, and keeps in the page what asks the service worker as that user. */
const prepare = (page) =>
  page.evaluate(async () => {
    const auth = { type: "m.login.dummy" };
    const account = JSON.stringify({ username: "alice", password: "correct horse battery", auth });
    const registered = await fetch("/_matrix/client/v3/register", { method: "POST", body: account });
    const authorization = { authorization: `Bearer ${(await registered.json()).access_token}` };
    globalThis.ask = (method, path, body) => fetch(`/_matrix/${path}`, { method, headers: authorization, body });
    const auth_data = { public_key: "abcdefg" };
    const backup = JSON.stringify({ algorithm: "m.megolm_backup.v1.curve25519-aes-sha2", auth_data });
    /** Makes a version of the key backup, whose number is one more than the last one's. */
    globalThis.makeVersion = async () => {
      const response = await ask("POST", "client/v3/room_keys/version", backup);
      return Number((await response.json()).version);
    };
    const { room_id } = await (await ask("POST", "client/v3/createRoom", "{}")).json();
    /** Makes an alias and deletes it: neither can be done a second time. Resolves to the statuses. */
    globalThis.passAlias = async (name) => {
      const path = `client/v3/directory/room/${encodeURIComponent(`#${name}:${neurite.serverName}`)}`;
      const made = await ask("PUT", path, JSON.stringify({ room_id }));
      return [made.status, (await ask("DELETE", path)).status];
    };
    /** Has the service worker run and know its way to the homeserver. */
    globalThis.wake = async () => void (await ask("GET", "client/versions"));
  });

/** What ends the service workers of `page`, as Chromium may at any time. */
async function ending(page) {
  const session = await page.createCDPSession();
  await session.send("ServiceWorker.enable");
  return () => session.send("ServiceWorker.stopAllWorkers");
}

const pass = (time) => new Promise((resolve) => setTimeout(resolve, time));
const numbers = (from, count) => Array.from({ length: count }, (_, index) => from + index);

// Firefox ends no service worker that is asked something, and gives nothing to another one.
if (browserNames.includes("chromium")) {
  const inBrowser = (work) =>
    withBrowser(
      "chromium",
      async (browser, origin) => {
        const page = await openBare(browser, origin);
        await prepare(page);
        await work(page, await ending(page));
      },
      { folder },
    );

  test("chromium: what is asked of a service worker that ends is done once and answered", () =>
    inBrowser(async (page, end) => {
      const made = [];
      const passed = [];
      for (let round = 0; round < 100; round++) {
        await page.evaluate(() => wake());
        const making = page.evaluate(() => makeVersion().catch(String));
        const passing = page.evaluate((name) => passAlias(name).catch(String), `alias${round}`);
        // At different moments of the work on it.
        await pass(round % 25);
        await end();
        made.push(await making);
        passed.push(await passing);
      }
      assert.deepEqual(made, numbers(1, 100));
      assert.deepEqual(passed, Array(100).fill([200, 200]));
    }));

  test("chromium: what a page asks twice is done twice, though service workers end", () =>
    inBrowser(async (page, end) => {
      const made = [];
      for (let round = 0; round < 20; round++) {
        made.push(await page.evaluate(() => makeVersion()));
        await end();
        made.push(await page.evaluate(() => makeVersion()));
        const both = page.evaluate(() => Promise.all([makeVersion(), makeVersion()]));
        await pass(round);
        await end();
        made.push(...(await both).sort((a, b) => a - b));
      }
      assert.deepEqual(made, numbers(1, 80));
    }));
}

/** Runs `work` in a page, with `Twins`, `bytes` and `ask`: locks and blobs are the browser's. */
const withTwins = (name, work) =>
  withBrowser(
    name,
    async (browser, origin) => {
      const entryPoints = [join(root, "worker/server/twins.ts")];
      const { outputFiles } = await build({ entryPoints, bundle: true, write: false, format: "esm" });
      const page = await browser.open(`${origin}/blank.html`);
      await page.evaluate(async (source) => {
        const { Twins } = await import(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        const bytes = (text) => new TextEncoder().encode(text);
        const request = {
          ...{ kind: "request", id: 1, client: "page", method: "POST", path: "/a", headers: ["authorization", "t"] },
          body: bytes("{}"),
        };
        let done = 0;
        const act = async () => ({ status: 200, headers: [], body: bytes(String(++done)) });
        /** How often something was done when the answer to this was. */
        const ask = async (twins, asker, differs) =>
          Number(new TextDecoder().decode((await twins.answer(asker, { ...request, ...differs }, act)).body));
        Object.assign(globalThis, { Twins, bytes, ask });
      }, outputFiles[0].text);
      return page.evaluate(work);
    },
    { folder },
  );

inEachBrowser((name) => {
  test(`${name}: only the same request takes the answer that was left, once`, async () => {
    const seen = await withTwins(name, async () => {
      const file = (end) => new Blob(["-".repeat(1_500_000), end], { type: "text/plain" });
      const others = [
        ...[{ client: "other" }, { method: "PATCH" }, { path: "/b" }, { headers: ["authorization", "u"] }],
        ...[{ headers: [] }, { body: undefined }, { body: bytes("[]") }, { body: bytes("{} ") }, { body: file("a") }],
      ];
      const twins = new Twins();
      const [first, second] = [{ lock: "first" }, { lock: "second" }];
      const left = await ask(twins, first);
      const leftFile = await ask(twins, first, { body: file("a") });
      twins.leave(first);
      const different = [];
      for (const differs of others.slice(0, -1)) different.push(await ask(twins, second, differs));
      different.push(await ask(twins, second, { body: file("b") }));
      const same = [
        ...(await Promise.all([ask(twins, second), ask(twins, second)])),
        ...(await Promise.all([ask(twins, second, { body: file("a") }), ask(twins, second, { body: file("a") })])),
      ];
      return { left: [left, leftFile], different, same: same.map((number) => number <= 2 && number) };
    });
    assert.deepEqual(seen, { left: [1, 2], different: [3, 4, 5, 6, 7, 8, 9, 10, 11], same: [1, false, 2, false] });
  });

  test(`${name}: an answer is left by who has ended, whether that is known already or not`, async () => {
    const seen = await withTwins(name, async () => {
      const living = { lock: "living" };
      await new Promise((held) => {
        void navigator.locks.request(living.lock, () => {
          held();
          return new Promise(() => {});
        });
      });
      const twins = new Twins();
      const next = { lock: "next" };
      const same = [await ask(twins, living), await ask(twins, living), await ask(twins, next)];
      const [ended, taken, forgotten] = [{ lock: "ended" }, { lock: "taken" }, { lock: "forgotten" }];
      const path = (path) => ({ path });
      return {
        same,
        ended: [await ask(twins, ended, path("/ended")), await ask(twins, next, path("/ended"))],
        taken: [
          await ask(twins, taken, path("/taken")),
          (twins.taken(taken, 1), await ask(twins, next, path("/taken"))),
        ],
        forgotten: [
          await ask(twins, forgotten, path("/forgotten")),
          (twins.forget(forgotten), await ask(twins, next, path("/forgotten"))),
        ],
      };
    });
    assert.deepEqual(seen, { same: [1, 2, 3], ended: [4, 4], taken: [5, 6], forgotten: [7, 8] });
  });

  test(`${name}: answers that were left are kept within bounds, for a time`, async () => {
    const seen = await withTwins(name, async () => {
      const later = [];
      globalThis.setTimeout = (run) => later.push(run);
      const next = { lock: "next" };
      /** Leaves so many; resolves to which of them are still there. */
      const kept = async (count, body, after = () => {}) => {
        const twins = new Twins();
        const asker = { lock: "ended" };
        const requests = Array.from({ length: count }, (_, index) => ({ path: `/${index}`, body }));
        const first = [];
        for (const request of requests) first.push(await ask(twins, asker, request));
        twins.leave(asker);
        after();
        const kept = [];
        for (const [index, request] of requests.entries()) {
          if ((await ask(twins, next, request)) === first[index]) kept.push(index);
        }
        return kept;
      };
      return {
        many: await kept(103, bytes("{}")),
        large: await kept(6, bytes("-".repeat(4_000_000))),
        late: await kept(3, bytes("{}"), () => later.pop()()),
      };
    });
    assert.deepEqual(seen, { many: numbers(3, 100), large: [2, 3, 4, 5], late: [] });
  });
});
