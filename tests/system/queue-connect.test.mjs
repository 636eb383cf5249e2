// NATS clients connect, or learn that they can't, whatever becomes of the worker meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TestBrowser, inEachBrowser, killWorkers, until, waitFor } from "./harness.mjs";
import { servePage } from "./queue/suite.mjs";

const script = `
  import { connect } from "neurite/nats";
  import { start as startHomeserver } from "/index.js";
  import { start as startQueue } from "/queue.js";

  globalThis.open = { queue: startQueue, homeserver: () => startHomeserver({ serviceWorker: false }) };
  globalThis.join = (options) => connect(source, options);
  globalThis.loaded = true;
`;

/** Runs `work(open, browser)`: `open(what)` resolves to a page in which that is `source`. */
async function withPages(name, work) {
  const server = await servePage(script);
  const browser = await TestBrowser.launch(name);
  try {
    await work(async (what) => {
      const page = await browser.open(`${server.url}page.html`);
      await waitFor(page, () => globalThis.loaded);
      await page.evaluate(async (what) => void (globalThis.source = await open[what]()), what);
      return page;
    }, browser);
  } finally {
    await browser.destroy();
    await server.close();
  }
}

/**
 * Has `page` take the database's lock as soon as its worker ends, and say that it lives, so that the
 * next worker waits. Resolves once that is asked for; `letGo()` in the page ends it.
 */
const holdUp = (page) =>
  page.evaluate(async (storage) => {
    const bus = new BroadcastChannel(`neurite:${storage}`);
    bus.onmessage = ({ data }) => data.kind === "who" && bus.postMessage({ kind: "present" });
    const name = `neurite:${storage}:database`;
    void navigator.locks.request(name, () => new Promise((resolve) => (globalThis.letGo = resolve)));
    while (!(await navigator.locks.query()).pending.some((lock) => lock.name === name));
  }, "queue:neurite");

inEachBrowser((name) => {
  test(`${name}: the next worker comes later than a client waits for it`, () =>
    withPages(name, async (open) => {
      const [leader, follower] = [await open("queue"), await open("queue")];
      for (const page of [leader, follower]) {
        await page.evaluate(async () => {
          globalThis.nc = await join({ timeout: 200 });
          globalThis.lost = 0;
          void (async () => {
            for await (const { type } of nc.status()) if (type === "disconnect") lost++;
          })();
        });
      }
      await holdUp(leader);
      assert.equal(await killWorkers(leader), 1);
      for (const page of [leader, follower]) {
        // Once for the worker's end, again whenever the time was up.
        await until(() => page.evaluate(() => lost > 3));
        const late = () => join({ timeout: 200 }).then(() => "connected", (error) => error.name);
        assert.equal(await page.evaluate(late), "TimeoutError");
      }
      await leader.evaluate(() => letGo());
      for (const page of [leader, follower]) await page.evaluate(() => nc.flush());
    }));

  for (const what of ["queue", "homeserver"]) {
    test(`${name}: a ${what} that was stopped is connected to by nobody`, () =>
      withPages(name, async (open) => {
        const page = await open(what);
        const outcome = await page.evaluate(async () => {
          await source.stop();
          const late = new Promise((resolve) => setTimeout(resolve, 5000, "late"));
          return Promise.race([join().then(() => "connected", (error) => error.message), late]);
        });
        assert.equal(outcome, `The ${what} was stopped.`);
      }));
  }

  test(`${name}: what is stopped while a client waits for its worker`, () =>
    withPages(name, async (open) => {
      const page = await open("queue");
      await holdUp(page);
      assert.equal(await killWorkers(page), 1);
      const outcome = await page.evaluate(async () => {
        // As soon as it is known that the worker has gone.
        while (!globalThis.letGo) await new Promise((resolve) => setTimeout(resolve));
        const joining = join({ timeout: 60_000 }).then(() => "connected", (error) => error.message);
        await Promise.race([source.stop(), joining]);
        return joining;
      });
      assert.equal(outcome, "The queue was stopped.");
    }));

  test(`${name}: the worker ends while clients connect`, () =>
    withPages(name, async (open) => {
      const [leader, follower] = [await open("queue"), await open("queue")];
      for (let round = 0; round < 5; round++) {
        for (const page of [leader, follower]) {
          await page.evaluate(() => {
            globalThis.joining = [];
            globalThis.enough = false;
            // One after the other, so that the end meets each step of some.
            const next = async () => {
              joining.push(join());
              if (joining.length < 300 && !enough) setTimeout(next);
            };
            next();
          });
        }
        assert.equal(await killWorkers(leader), 1);
        for (const page of [leader, follower]) {
          await page.evaluate(async () => {
            enough = true;
            for (const nc of await Promise.all(joining)) {
              // What is asked of a worker as it ends is answered by nobody.
              while (!(await nc.flush().then(() => true, () => false)));
              await nc.close();
            }
          });
        }
      }
    }));
});
