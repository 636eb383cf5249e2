// Key-value and object stores with the official clients.

import { Kvm } from "@nats-io/kv";
import { Objm } from "@nats-io/obj";

import { equal, ok, rejection, take, until } from "./assert.js";

const all = async (iterable) => {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
};

/** What is compared of an entry. */
const shown = (entry) => `${entry.key} ${entry.operation} ${entry.string()} ${entry.revision}`;

/** `size` bytes that tell where they are. */
function bytes(size) {
  const made = new Uint8Array(size);
  for (let index = 0; index < size; index++) made[index] = (index * 7 + (index >> 8)) % 256;
  return made;
}

const same = (one, other) => one.length === other.length && one.every((byte, index) => byte === other[index]);

export default {
  async "key-value: put, get, update, create, delete, purge"({ nc }) {
    const kv = await new Kvm(nc).create("bucket", { history: 5 });
    equal(await kv.get("a"), null);
    const first = await kv.put("a", "1");
    equal(shown(await kv.get("a")), `a PUT 1 ${first}`);
    const second = await kv.update("a", "2", first);
    ok((await rejection(kv.update("a", "3", first))).message);
    ok((await rejection(kv.create("a", "3"))).message);
    equal((await kv.get("a", { revision: first })).string(), "1");
    await kv.delete("a");
    equal((await kv.get("a")).operation, "DEL");
    const third = await kv.create("a", "new");
    ok(third > second);
    equal((await all(await kv.history({ key: "a" }))).map(({ operation }) => operation), ["PUT", "PUT", "DEL", "PUT"]);
    await kv.put("b.c", "other");
    equal((await all(await kv.keys())).sort(), ["a", "b.c"]);
    equal(await all(await kv.keys("b.*")), ["b.c"]);
    await kv.purge("a");
    equal((await all(await kv.history({ key: "a" }))).map(({ operation }) => operation), ["PURGE"]);
    const status = await kv.status();
    equal([status.bucket, status.history, status.values], ["bucket", 5, 2]);
    equal(await kv.destroy(), true);
  },

  async "key-value: only so much history is kept"({ nc }) {
    const kv = await new Kvm(nc).create("bucket", { history: 2 });
    for (let value = 0; value < 5; value++) await kv.put("a", String(value));
    equal((await all(await kv.history())).map((entry) => entry.string()), ["3", "4"]);
    const one = await new Kvm(nc).create("one");
    for (let value = 0; value < 5; value++) await one.put("a", String(value));
    equal((await all(await one.history())).map((entry) => entry.string()), ["4"]);
  },

  async "key-value: watched from another client"({ nc, client }) {
    const kv = await new Kvm(nc).create("bucket");
    await kv.put("a", "1");
    await kv.put("b", "2");
    const other = await new Kvm(await client()).open("bucket");
    const watch = await other.watch();
    const seen = [];
    const watching = (async () => {
      for await (const entry of watch) {
        seen.push(`${entry.key} ${entry.operation} ${entry.string()}`);
        if (seen.length === 5) break;
      }
    })();
    await until(() => seen.length === 2);
    await kv.put("a", "3");
    await kv.delete("b");
    await kv.put("c", "4");
    await watching;
    equal(seen, ["a PUT 1", "b PUT 2", "a PUT 3", "b DEL ", "c PUT 4"]);
    const updates = await other.watch({ key: "x.*", include: "updates" });
    await kv.put("x.y", "5");
    equal((await take(updates, 1)).map((entry) => entry.key), ["x.y"]);
  },

  async "key-value: values expire"({ nc }) {
    const kv = await new Kvm(nc).create("bucket", { ttl: 800 });
    await kv.put("a", "1");
    equal((await kv.get("a")).string(), "1");
    await until(async () => (await kv.get("a")) === null);
  },

  async "key-value: a marker tells that a value expired, or was purged"({ nc, client }) {
    const kv = await new Kvm(nc).create("bucket", { markerTTL: 5000 });
    const other = await new Kvm(await client()).open("bucket");
    const watch = await other.watch({ include: "updates" });
    await kv.create("a", "1", "1s");
    const seen = (await take(watch, 2)).map((entry) => `${entry.key} ${entry.operation}`);
    equal(seen, ["a PUT", "a PURGE"]);
    equal((await kv.get("a")).operation, "PURGE");
    await kv.put("b", "2");
    await kv.purge("b", { ttl: "1s" });
    await until(async () => (await kv.get("b")) === null);
  },

  async "key-value: a bucket gathers two others"({ nc }) {
    const kvm = new Kvm(nc);
    const [one, two] = [await kvm.create("one"), await kvm.create("two")];
    await one.put("a", "1");
    await two.put("b", "2");
    const both = await kvm.create("both", {
      sources: ["one", "two"].map((name) => ({
        name: `KV_${name}`,
        subject_transforms: [{ src: `$KV.${name}.>`, dest: "$KV.both.>" }],
      })),
    });
    await until(async () => (await both.get("a"))?.string() === "1" && (await both.get("b"))?.string() === "2");
  },

  async "key-value: changes are published again"({ nc }) {
    const kv = await new Kvm(nc).create("bucket", { republish: { src: ">", dest: "changed.>" } });
    const changes = nc.subscribe("changed.>", { max: 1 });
    await nc.flush();
    await kv.put("a", "1");
    const [change] = await take(changes, 1);
    ok(change.subject.endsWith("$KV.bucket.a"), change.subject);
  },

  async "key-value: all buckets, and one in memory"({ nc }) {
    const kvm = new Kvm(nc);
    await kvm.create("one");
    const two = await kvm.create("two", { storage: "memory" });
    await two.put("a", "1");
    equal((await two.get("a")).string(), "1");
    equal((await all(kvm.list())).map(({ bucket }) => bucket).sort(), ["one", "two"]);
  },

  async "key-value: many keys"({ nc }) {
    const kv = await new Kvm(nc).create("bucket");
    await Promise.all(Array.from({ length: 500 }, (_, index) => kv.put(`key.${index}`, String(index))));
    const keys = await all(await kv.keys());
    equal([keys.length, new Set(keys).size], [500, 500]);
    equal((await kv.get("key.321")).string(), "321");
  },

  async "objects: put, get, list, delete"({ nc }) {
    const store = await new Objm(nc).create("objects");
    const large = bytes(1_000_000);
    const info = await store.putBlob({ name: "large", description: "many chunks" }, large);
    equal([info.size, info.chunks > 1, info.deleted], [1_000_000, true, false]);
    ok(same(await store.getBlob("large"), large));
    await store.putBlob({ name: "small" }, bytes(3));
    await store.putBlob({ name: "empty" }, bytes(0));
    ok(same(await store.getBlob("small"), bytes(3)));
    equal((await store.getBlob("empty")).length, 0);
    equal((await store.list()).map(({ name }) => name).sort(), ["empty", "large", "small"]);
    equal(await store.getBlob("none"), null);
    await store.delete("large");
    equal([(await store.info("large")).deleted, await store.getBlob("large")], [true, null]);
    const status = await store.status();
    ok(status.size < 100_000, `${status.size}`);
    equal(await store.destroy(), true);
  },

  async "objects: replaced, renamed, linked, sealed"({ nc }) {
    const store = await new Objm(nc).create("objects");
    await store.putBlob({ name: "a" }, bytes(300_000));
    const newer = await store.putBlob({ name: "a" }, bytes(200_000));
    ok(same(await store.getBlob("a"), bytes(200_000)));
    ok((await store.status()).size < 290_000, "what was replaced is gone");
    await store.link("link", newer);
    ok(same(await store.getBlob("link"), bytes(200_000)));
    await store.update("a", { name: "b", description: "renamed" });
    equal((await store.info("b")).description, "renamed");
    await store.seal();
    ok((await rejection(store.putBlob({ name: "c" }, bytes(1)))).message);
    equal((await store.status()).sealed, true);
  },

  async "objects: streamed both ways"({ nc }) {
    const store = await new Objm(nc).create("objects", { storage: "memory" });
    const content = bytes(700_000);
    const stream = new ReadableStream({
      start(controller) {
        for (let at = 0; at < content.length; at += 100_000) controller.enqueue(content.slice(at, at + 100_000));
        controller.close();
      },
    });
    await store.put({ name: "streamed", options: { max_chunk_size: 64 * 1024 } }, stream);
    const result = await store.get("streamed");
    const read = new Uint8Array(await new Response(result.data).arrayBuffer());
    ok(same(read, content));
    ok(!(await result.error));
  },

  async "objects: watched"({ nc, client }) {
    const store = await new Objm(nc).create("objects");
    await store.putBlob({ name: "a" }, bytes(10));
    const other = await new Objm(await client()).open("objects");
    const watch = await other.watch({ includeHistory: true });
    const seen = [];
    const watching = (async () => {
      for await (const info of watch) {
        seen.push(`${info.name} ${info.deleted}`);
        if (seen.length === 3) break;
      }
    })();
    await until(() => seen.length === 1);
    await store.putBlob({ name: "b" }, bytes(10));
    await store.delete("a");
    await watching;
    equal(seen, ["a false", "b false", "a true"]);
  },
};
