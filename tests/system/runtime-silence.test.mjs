// The homeserver outlives tabs that are put aside, and workers that hang: what they hold is taken.

import assert from "node:assert/strict";
import { test } from "node:test";

import { inEachBrowser, killWorkers, until, withBrowser } from "./harness.mjs";
import { failToStart, folder, openBare } from "./runtime/pages.mjs";

/** A limit for what is to be there in a few seconds; they are more on a busy machine. */
const SOON = 20_000;

const role = (page) => page.evaluate(() => neurite.role);

/** Asks by homeserver.fetch or, when `worker`, by the service worker; the answer has to come soon. */
const ask = (page, worker) =>
  page.evaluate(
    async (worker, limit) => {
      const signal = AbortSignal.timeout(limit);
      return (await (worker ? fetch : neurite.fetch)("/_matrix/client/versions", { signal })).status;
    },
    worker,
    SOON,
  );

const becomes = (page, wanted) => until(async () => (await role(page)) === wanted);

/** Has `page`'s browser freeze it, or take it up again, as one in the background. */
async function setLifecycle(page, state) {
  const session = await page.createCDPSession();
  await session.send("Page.setWebLifecycleState", { state });
}

/** Runs in a page before its scripts: it does not learn that it is frozen. */
function unaware() {
  for (const type of ["freeze", "resume", "pagehide", "pageshow"]) {
    addEventListener(type, (event) => event.stopImmediatePropagation(), { capture: true });
  }
}

inEachBrowser((name) => {
  const inBrowser = (work) => withBrowser(name, work, { folder });

  for (const service_worker of ["on", "off"]) {
    const way = service_worker === "on";

    test(`${name}: the leading tab goes to another page and comes back, service worker ${service_worker}`, () =>
      inBrowser(async (browser, origin) => {
        /** Resolves to whether the browser has kept the page. */
        const goAndComeBack = async () => {
          const leader = await openBare(browser, origin, { service_worker });
          const follower = await openBare(browser, origin, { service_worker });
          await leader.evaluate(() => (globalThis.first = neurite));
          await leader.goto(`${origin}/blank.html`);
          assert.equal(await ask(follower, way), 200);
          assert.equal(await role(follower), "leader");
          const third = await openBare(browser, origin, { service_worker });
          await leader.goBack();
          await until(() => leader.evaluate(() => globalThis.neurite !== undefined));
          const kept = await leader.evaluate(() => neurite === globalThis.first);
          assert.equal(await ask(leader, way), 200);
          assert.equal(await role(leader), "follower");
          await Promise.all([leader, follower, third].map((page) => page.close()));
          return kept;
        };
        // Firefox keeps no page that holds locks. Chromium keeps one that lets go of them as it is
        // hidden, unless it learns of that too late, as on a busy machine.
        if (name === "chromium") await until(goAndComeBack);
        else await goAndComeBack();
      }));

    test(`${name}: a worker that hangs is replaced by another tab's, service worker ${service_worker}`, () =>
      inBrowser(async (browser, origin) => {
        const options = { service_worker, worker_url: "/hanging-worker.js" };
        const leader = await openBare(browser, origin, options);
        const follower = await openBare(browser, origin, options);
        assert.deepEqual([await role(leader), await role(follower)], ["leader", "follower"]);
        await leader.evaluate(() => new BroadcastChannel("hang").postMessage(undefined));
        const asked = ask(follower, way);
        await openBare(browser, origin, options);
        assert.equal(await asked, 200);
        await becomes(leader, "follower");
        assert.equal(await ask(leader, way), 200);
      }));
  }

  // Firefox has no command for it.
  if (name === "chromium") {
    for (const knows of [true, false]) {
      test(`${name}: the leading tab is frozen and ${knows ? "lets go" : "does not learn of it"}`, () =>
        inBrowser(async (browser, origin) => {
          const leader = await browser.open();
          if (!knows) await leader.evaluateOnNewDocument(unaware);
          await leader.goto(`${origin}/bare.html`);
          await leader.evaluate(async () => void (await globalThis.neuriteReady));
          const follower = await openBare(browser, origin);
          await setLifecycle(leader, "frozen");
          assert.deepEqual(await Promise.all([ask(follower, true), ask(follower, false)]), [200, 200]);
          assert.equal(await role(follower), "leader");
          const third = await openBare(browser, origin);
          await setLifecycle(leader, "active");
          assert.deepEqual(await Promise.all([ask(leader, true), ask(leader, false)]), [200, 200]);
          await becomes(leader, "follower");
          // Nor is the one that follows in the way.
          await setLifecycle(third, "frozen");
          await follower.close();
          await becomes(leader, "leader");
          assert.equal(await ask(leader, false), 200);
        }));
    }
  }

  test(`${name}: workers that end before their first word are replaced in a moment`, () =>
    inBrowser(async (browser, origin) => {
      const page = await browser.open();
      await page.evaluateOnNewDocument(() => {
        let ended = 0;
        globalThis.Worker = class extends globalThis.Worker {
          constructor(url, options) {
            super(url, options);
            if (ended++ < 2) this.terminate();
          }
        };
      });
      await page.goto(`${origin}/bare.html`);
      await page.evaluate(async (limit) => {
        const late = new Promise((_, reject) => setTimeout(reject, limit, new Error("late")));
        await Promise.race([globalThis.neuriteReady, late]);
      }, SOON);
      assert.equal(await killWorkers(page), 3, "made");
      assert.equal(await ask(page, false), 200);
    }));

  test(`${name}: a worker that can't be loaded or throws is told at once`, () =>
    inBrowser(async (browser, origin) => {
      for (const worker_url of ["/no-such-worker.js", "/throwing-worker.js"]) {
        const error = await Promise.race([
          failToStart(browser, origin, { worker_url }),
          new Promise((resolve) => setTimeout(resolve, SOON, { name: "late" })),
        ]);
        assert.equal(error.name, "WorkerError");
      }
    }));
});
