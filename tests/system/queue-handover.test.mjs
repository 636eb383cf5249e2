// NATS clients outlive the tabs and workers that the queue is in; the queue of a homeserver has the
// same door.

import assert from "node:assert/strict";
import { test } from "node:test";

import { TestBrowser, inEachBrowser, killWorkers, until, waitFor } from "./harness.mjs";
import { servePage } from "./queue/suite.mjs";

const script = `
  import { jetstreamManager } from "@nats-io/jetstream";
  import { Kvm } from "@nats-io/kv";
  import { connect } from "neurite/nats";
  import { start as startHomeserver } from "/index.js";
  import { start as startQueue } from "/queue.js";

  const open = {
    queue: () => startQueue(),
    homeserver: (options) => startHomeserver({ rateLimits: "off", ...options }),
  };

  /** Starts or joins it, with a client that notes what comes to "heard" and what it becomes. */
  globalThis.begin = async (what, options) => {
    globalThis.source = await open[what](options);
    globalThis.nc = await connect(source);
    globalThis.heard = [];
    globalThis.statuses = [];
    nc.subscribe("heard", { callback: (_, message) => heard.push(message.string()) });
    void (async () => {
      for await (const { type } of nc.status()) statuses.push(type);
    })();
    await nc.flush();
  };

  globalThis.streams = async () => {
    const names = [];
    for await (const name of (await jetstreamManager(nc)).streams.names()) names.push(name);
    return names.sort();
  };

  globalThis.bucket = () => new Kvm(nc).create("settings");
  globalThis.loaded = true;
`;

/** Runs `work(open)`: \`open(what, options)\` resolves to a page in which that has begun. */
async function withPages(name, work) {
  const server = await servePage(script);
  const browser = await TestBrowser.launch(name);
  try {
    await work(async (what, options) => {
      const page = await browser.open(`${server.url}page.html`);
      await waitFor(page, () => globalThis.loaded);
      await page.evaluate((what, options) => begin(what, options), what, options);
      return page;
    });
  } finally {
    await browser.destroy();
    await server.close();
  }
}

const role = (page) => page.evaluate(() => source.role);

/** Publishes in `from`, until all of `pages` have heard it. */
async function published(from, pages, text) {
  await until(async () => {
    // What is published while a client connects again may be lost, as in core NATS.
    await from.evaluate((text) => nc.publish("heard", text), text);
    const heard = await Promise.all(pages.map((page) => page.evaluate(() => heard)));
    return heard.every((heard) => heard.includes(text));
  });
}

const ways = [
  ["queue", undefined],
  ["homeserver", { serviceWorker: false }],
  ["homeserver", {}],
];

inEachBrowser((name) => {
  for (const [what, options] of ways) {
    const title = `${what}${options && (options.serviceWorker === false ? ", no service worker" : ", service worker")}`;

    test(`${name}: ${what === "queue" ? what : title}: three tabs, the leading one is closed each time`, () =>
      withPages(name, async (open) => {
        const pages = [];
        for (let tab = 0; tab < 3; tab++) pages.push(await open(what, options));
        for (const [index, page] of pages.entries()) await published(page, pages, `from ${index}`);
        while (pages.length > 1) {
          const leading = (await Promise.all(pages.map(role))).indexOf("leader");
          const [leader] = pages.splice(leading, 1);
          await leader.close();
          for (const page of pages) {
            await published(page, pages, `from ${pages.indexOf(page)} of ${pages.length}`);
            // The client may tell that it is connected again after it has passed messages on.
            await waitFor(page, () => statuses.includes("disconnect") && statuses.includes("reconnect"));
            await page.evaluate(() => void statuses.splice(0));
          }
        }
      }));
  }

  test(`${name}: streams beside the homeserver's own, kept with it`, () =>
    withPages(name, async (open) => {
      const [leader, follower] = [await open("homeserver", {}), await open("homeserver", {})];
      await leader.evaluate(async () => void (await (await bucket()).put("theme", "dark")));
      assert.deepEqual(await follower.evaluate(() => streams()), ["KV_settings", "ROOM_EVENTS"]);
      assert.equal(await killWorkers(leader), 1);
      const kept = () => bucket().then((bucket) => bucket.get("theme")).then((entry) => entry.string());
      // What is asked of a worker as it ends is answered by nobody.
      await until(async () => (await follower.evaluate(kept).catch(() => undefined)) === "dark");
      const { streams: shown } = await leader.evaluate(() => source.status());
      assert.deepEqual(shown.map(({ name }) => name).sort(), ["KV_settings", "ROOM_EVENTS"]);
    }));

  test(`${name}: a worker that is ended is replaced, and its clients go on`, () =>
    withPages(name, async (open) => {
      const [leader, follower] = [await open("queue"), await open("queue")];
      for (let round = 0; round < 3; round++) {
        assert.equal(await killWorkers(leader), 1);
        await published(follower, [leader, follower], `round ${round}`);
      }
    }));

  test(`${name}: clients are closed with what they are clients of`, () =>
    withPages(name, async (open) => {
      const [leader, follower] = [await open("queue"), await open("queue")];
      await follower.evaluate(async () => {
        await source.stop();
        await nc.closed();
        const error = await source.queue().catch((error) => error);
        if (error.message !== "The queue was stopped.") throw error;
      });
      await published(leader, [leader], "alone");
      await leader.evaluate(async () => {
        await source.destroy();
        await nc.closed();
        const left = (await indexedDB.databases()).map(({ name }) => name);
        if (left.includes("queue:neurite")) throw new Error("left: " + left);
      });
    }));

  test(`${name}: the status of the queue alone`, () =>
    withPages(name, async (open) => {
      const status = await (await open("queue")).evaluate(() => source.status());
      assert.equal(status.role, "leader");
      assert.deepEqual(status.streams, []);
      assert.ok(status.storage.quota > 0);
      assert.match(status.version, /^\d+\.\d+\.\d+/);
    }));
});
