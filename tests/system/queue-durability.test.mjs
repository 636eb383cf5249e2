// What was acknowledged to a NATS client is there, whenever the worker or the browser is killed.

import assert from "node:assert/strict";
import { appendFile } from "node:fs/promises";
import { test } from "node:test";

import { TestBrowser, browserNames, inEachBrowser, killWorkers, until, waitFor } from "./harness.mjs";
import { servePage } from "./queue/suite.mjs";

const script = `
  import { jetstream, jetstreamManager } from "@nats-io/jetstream";
  import { connect } from "neurite/nats";
  import { start } from "/queue.js";

  let nc, js, manager;
  /** What has been acknowledged to us: [sequence, payload]; and the sequences whose acks were. */
  globalThis.stored = [];
  globalThis.done = [];
  /** Messages that came again after their acknowledgement was confirmed. */
  globalThis.again = [];

  globalThis.begin = async () => {
    nc = await connect(await start());
    js = jetstream(nc, { timeout: 2000 });
    manager = await jetstreamManager(nc);
    await manager.streams.add({ name: "S", subjects: ["s"] });
    await manager.consumers.add("S", { durable_name: "c", ack_policy: "explicit", ack_wait: 500_000_000 });
  };

  let next = 0;
  async function publish(lane) {
    for (;;) {
      const payload = lane + "." + next++;
      await js.publish("s", payload).then(
        ({ seq }) => stored.push([seq, payload]),
        // It may have been stored or not.
        () => {},
      );
    }
  }

  async function work(confirmed) {
    for (;;) {
      try {
        const consumer = await js.consumers.get("S", "c");
        for await (const message of await consumer.fetch({ max_messages: 20, expires: 1000 })) {
          if (confirmed.has(message.seq)) again.push(message.seq);
          if (!(await message.ackAck({ timeout: 1000 }))) continue;
          confirmed.add(message.seq);
          done.push(message.seq);
        }
      } catch {
        // The worker was killed: on with the next.
      }
    }
  }

  globalThis.run = (confirmed) => {
    for (let lane = 0; lane < 8; lane++) void publish(lane);
    void work(new Set(confirmed));
  };

  /** Those of \`expected\` that are not what is stored. */
  globalThis.missing = async (expected) => {
    const missing = [];
    for (const [seq, payload] of expected) {
      const message = await manager.streams.getMessage("S", { seq });
      if (message?.string() !== payload) missing.push([seq, payload, message?.string()]);
    }
    return missing;
  };
  globalThis.loaded = true;
`;

inEachBrowser((name) => {
  test(`${name}: nothing acknowledged is lost or comes again`, async () => {
    const server = await servePage(script);
    const browser = await TestBrowser.launch(name);
    try {
      const stored = [];
      const done = [];
      const open = async () => {
        const page = await browser.open(`${server.url}page.html`);
        await waitFor(page, () => globalThis.loaded);
        await page.evaluate(() => begin());
        return page;
      };
      for (let life = 0; life < 3; life++) {
        const page = await open();
        await page.evaluate((confirmed) => run(confirmed), done);
        for (let round = 0; round < 3; round++) {
          const before = await page.evaluate(() => [stored.length, done.length]);
          await until(async () => {
            const now = await page.evaluate(() => [stored.length, done.length]);
            return now[0] > before[0] + 100 && now[1] > before[1] + 20;
          });
          if (round < 2) assert.equal(await killWorkers(page), 1);
        }
        const told = await page.evaluate(() => ({ stored, done, again }));
        await browser.kill();
        await browser.reopen();
        assert.deepEqual(told.again, []);
        stored.push(...told.stored);
        done.push(...told.done);
      }
      const page = await open();
      assert.deepEqual(await page.evaluate((expected) => missing(expected), stored), []);
      assert.equal(new Set(stored.map(([seq]) => seq)).size, stored.length, "no sequence number was given twice");
      assert.equal(new Set(done).size, done.length);
    } finally {
      await browser.destroy();
      await server.close();
    }
  });
});

// Killed in the midst of a write, Chromium leaves half a record at the end of its log: a checksum,
// a length and a type, without what they are of. See src/store/indexeddb/log.rs.
const halfARecord = Buffer.from([1, 2, 3, 4, 200, 0, 1]);

test("chromium: a kill in the midst of a write costs nothing, nor does the next one", {
  skip: !browserNames.includes("chromium"),
}, async () => {
  const server = await servePage(script);
  const browser = await TestBrowser.launch("chromium");
  try {
    const stored = [];
    for (let life = 0; life < 3; life++) {
      const page = await browser.open(`${server.url}page.html`);
      await waitFor(page, () => globalThis.loaded);
      await page.evaluate(() => begin());
      assert.deepEqual(await page.evaluate((expected) => missing(expected), stored), [], `life ${life}`);
      await page.evaluate(() => run([]));
      stored.push(...(await until(() => page.evaluate(() => stored.length > 20 && stored))));
      await browser.kill();
      await appendFile(await browser.indexedDbLog(server.url), halfARecord);
      await browser.reopen();
    }
  } finally {
    await browser.destroy();
    await server.close();
  }
});
