// Consumers with the official client: pulled, pushed and ordered.

import { headers, nanos } from "@nats-io/nats-core";

import { equal, ok, refusal, rejection, take, until } from "./assert.js";

/** A stream S with `count` messages on s.0, s.1, s.2, s.0 … */
async function fill(jsm, js, count, config = {}) {
  await jsm.streams.add({ name: "S", subjects: ["s.>"], ...config });
  await Promise.all(Array.from({ length: count }, (_, index) => js.publish(`s.${index % 3}`, String(index + 1))));
}

/** A durable consumer of S. */
async function durable(jsm, js, config = {}) {
  const name = config.durable_name ?? "c";
  await jsm.consumers.add("S", { durable_name: name, ack_policy: "explicit", ...config });
  return js.consumers.get("S", name);
}

const strings = (messages) => messages.map((message) => message.string());

/** What is fetched at once, acknowledged. */
async function fetch(consumer, max_messages = 100, options = {}) {
  const fetched = [];
  for await (const message of await consumer.fetch({ max_messages, expires: 1000, ...options })) fetched.push(message);
  return fetched;
}

async function acked(consumer, max_messages) {
  const fetched = await fetch(consumer, max_messages);
  for (const message of fetched) await message.ackAck();
  return strings(fetched);
}

const numbers = (count, from = 1) => Array.from({ length: count }, (_, index) => String(from + index));

export default {
  async "a consumer is made, told of, listed, changed and deleted"({ jsm, js }) {
    await fill(jsm, js, 3);
    const made = await jsm.consumers.add("S", { durable_name: "c", ack_policy: "explicit", description: "one" });
    equal([made.name, made.stream_name, made.num_pending, made.num_ack_pending], ["c", "S", 3, 0]);
    equal([made.config.ack_wait, made.config.max_ack_pending, made.config.max_waiting], [nanos(30_000), 1000, 512]);
    equal([made.config.deliver_policy, made.config.replay_policy, made.config.max_deliver], ["all", "instant", -1]);
    const changed = await jsm.consumers.update("S", "c", { description: "two", max_ack_pending: 5 });
    equal([changed.config.description, changed.config.max_ack_pending], ["two", 5]);
    await jsm.consumers.add("S", { name: "d", ack_policy: "none" });
    const names = [];
    for await (const { name } of jsm.consumers.list("S")) names.push(name);
    equal(names.sort(), ["c", "d"]);
    equal((await jsm.streams.info("S")).state.consumer_count, 2);
    equal(await jsm.consumers.delete("S", "c"), true);
    equal((await refusal(jsm.consumers.info("S", "c"))).code, 10014);
    equal((await refusal(jsm.consumers.add("none", { durable_name: "c", ack_policy: "explicit" }))).code, 10059);
  },

  async "messages are fetched, and acknowledged for good"({ jsm, js }) {
    await fill(jsm, js, 10);
    const consumer = await durable(jsm, js);
    equal(await acked(consumer, 4), numbers(4));
    equal(await acked(consumer, 100), numbers(6, 5));
    const info = await consumer.info();
    equal([info.num_pending, info.num_ack_pending, info.ack_floor.stream_seq, info.delivered.stream_seq], [0, 0, 10, 10]);
    equal(await consumer.next({ expires: 1000 }), null);
    await js.publish("s.x", "11");
    const message = await consumer.next();
    equal([message.string(), message.subject, message.seq, message.redelivered], ["11", "s.x", 11, false]);
    equal([message.info.stream, message.info.consumer, message.info.deliverySequence, message.info.pending], ["S", "c", 11, 0]);
    equal(await message.ackAck(), true);
  },

  async "a fetch waits for what comes"({ jsm, js }) {
    await fill(jsm, js, 0);
    const consumer = await durable(jsm, js);
    const waiting = consumer.next({ expires: 10_000 });
    await until(async () => (await consumer.info()).num_waiting === 1);
    await js.publish("s.a", "came");
    equal((await waiting).string(), "came");
    await jsm.streams.purge("S");
    const begun = performance.now();
    equal((await fetch(consumer, 5, { expires: 1000 })).length, 0);
    ok(performance.now() - begun >= 900);
  },

  async "messages are consumed as they come, by several workers"({ jsm, js }) {
    await fill(jsm, js, 30);
    const consumer = await durable(jsm, js);
    const other = await js.consumers.get("S", "c");
    const heard = [];
    const workers = await Promise.all(
      [consumer, other].map((worker) =>
        worker.consume({
          max_messages: 10,
          callback: (message) => {
            heard.push(message.seq);
            message.ack();
          },
        }),
      ),
    );
    await Promise.all(numbers(200).map((payload) => js.publish("s.later", payload)));
    await until(() => heard.length === 230);
    equal(new Set(heard).size, 230);
    for (const worker of workers) await worker.close();
    await until(async () => (await consumer.info()).num_ack_pending === 0);
  },

  async "what is not acknowledged comes again: in time, at once, later, never"({ jsm, js }) {
    await fill(jsm, js, 1);
    const consumer = await durable(jsm, js, { ack_wait: nanos(1000), max_deliver: 5 });
    const first = await consumer.next();
    equal(first.info.deliveryCount, 1);
    const second = await consumer.next({ expires: 5000 });
    equal([second.info.deliveryCount, second.redelivered], [2, true]);
    second.nak();
    const third = await consumer.next({ expires: 5000 });
    const begun = performance.now();
    third.nak(600);
    const fourth = await consumer.next({ expires: 5000 });
    ok(performance.now() - begun >= 550, `${performance.now() - begun}`);
    equal(fourth.info.deliveryCount, 4);
    fourth.term("for a reason");
    equal(await consumer.next({ expires: 1500 }), null);
    equal((await consumer.info()).num_ack_pending, 0);
  },

  async "work in progress keeps a message from coming again"({ jsm, js }) {
    await fill(jsm, js, 1);
    const consumer = await durable(jsm, js, { ack_wait: nanos(800) });
    const message = await consumer.next();
    const again = consumer.next({ expires: 2500 });
    const working = setInterval(() => message.working(), 200);
    equal(await again, null);
    clearInterval(working);
    await message.ackAck();
    equal((await consumer.info()).ack_floor.stream_seq, 1);
  },

  async "a message that is delivered too often is told of"({ jsm, js, nc }) {
    await fill(jsm, js, 1);
    const told = nc.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.S.c", { max: 1 });
    const consumer = await durable(jsm, js, { max_deliver: 2, backoff: [nanos(200), nanos(300)] });
    equal((await consumer.next()).info.deliveryCount, 1);
    equal((await consumer.next({ expires: 5000 })).info.deliveryCount, 2);
    equal(await consumer.next({ expires: 2000 }), null);
    const [advisory] = await take(told, 1);
    const { stream, consumer: name, stream_seq, deliveries } = advisory.json();
    equal([stream, name, stream_seq, deliveries], ["S", "c", 1, 2]);
  },

  async "all before an acknowledged message are too"({ jsm, js }) {
    await fill(jsm, js, 5);
    const consumer = await durable(jsm, js, { ack_policy: "all" });
    const messages = await fetch(consumer, 5);
    await messages[3].ackAck();
    const { ack_floor, num_ack_pending } = await consumer.info();
    equal([ack_floor.stream_seq, num_ack_pending], [4, 1]);
  },

  async "where a consumer begins"({ jsm, js }) {
    await fill(jsm, js, 6);
    const third = (await jsm.streams.getMessage("S", { seq: 3 })).timestamp;
    const policies = [
      [{ deliver_policy: "all" }, numbers(6)],
      [{ deliver_policy: "last" }, ["6"]],
      [{ deliver_policy: "new" }, []],
      [{ deliver_policy: "by_start_sequence", opt_start_seq: 4 }, numbers(3, 4)],
      [{ deliver_policy: "last_per_subject", filter_subject: "s.*" }, numbers(3, 4)],
    ];
    for (const [index, [config, expected]] of policies.entries()) {
      const consumer = await durable(jsm, js, { durable_name: `c${index}`, ...config });
      equal(strings(await fetch(consumer, 10)), expected, config.deliver_policy);
    }
    const config = { durable_name: "time", deliver_policy: "by_start_time", opt_start_time: third };
    const from = strings(await fetch(await durable(jsm, js, config), 10));
    ok(from.at(-1) === "6" && from.includes("3"), from.join());
  },

  async "filters choose subjects"({ jsm, js }) {
    await fill(jsm, js, 9);
    const one = await durable(jsm, js, { durable_name: "one", filter_subject: "s.1" });
    equal([(await one.info()).num_pending, await acked(one, 10)], [3, ["2", "5", "8"]]);
    const two = await durable(jsm, js, { durable_name: "two", filter_subjects: ["s.0", "s.2"] });
    equal(await acked(two, 10), ["1", "3", "4", "6", "7", "9"]);
    equal((await refusal(durable(jsm, js, { durable_name: "x", filter_subjects: ["s.0", "s.*"] }))).code, 10138);
  },

  async "only headers, with the size of what was left out"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    const sent = headers();
    sent.set("Name", "value");
    await js.publish("s.a", "twelve bytes", { headers: sent });
    const consumer = await durable(jsm, js, { headers_only: true });
    const message = await consumer.next();
    equal([message.data.length, message.headers.get("Name"), message.headers.get("Nats-Msg-Size")], [0, "value", "12"]);
  },

  async "no more are under way than may be"({ jsm, js }) {
    await fill(jsm, js, 10);
    const consumer = await durable(jsm, js, { max_ack_pending: 3 });
    const first = await fetch(consumer, 10, { expires: 1000 });
    equal(first.length, 3);
    await first[1].ackAck();
    equal(strings(await fetch(consumer, 1)), ["4"]);
  },

  async "a fetch ends at so many bytes"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    for (let index = 0; index < 6; index++) await js.publish("s.a", "x".repeat(300));
    const consumer = await durable(jsm, js);
    const fetched = [];
    const error = await rejection(
      (async () => {
        for await (const message of await consumer.fetch({ max_bytes: 1000, expires: 1000 })) fetched.push(message);
      })(),
    );
    ok(/maxbytes/i.test(error.message), error.message);
    ok(fetched.length >= 2 && fetched.length <= 3, `${fetched.length}`);
  },

  async "a fetch of more than may be on its way keeps the pace of the client"({ jsm, js, nc }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"], storage: "memory" });
    const payload = new Uint8Array(512 * 1024);
    for (let index = 0; index < 160; index++) await js.publish("s.a", payload);
    const consumer = await durable(jsm, js, { ack_policy: "none" });
    equal((await fetch(consumer, 160, { expires: 30_000 })).length, 160);
    equal(nc.stats().inBytes > 80 * 1024 * 1024, true);
  },

  async "an ephemeral consumer goes when nobody uses it"({ jsm, js }) {
    await fill(jsm, js, 3);
    const { name } = await jsm.consumers.add("S", { ack_policy: "none", inactive_threshold: nanos(1000) });
    const consumer = await js.consumers.get("S", name);
    equal(strings(await fetch(consumer, 3)), numbers(3));
    await until(async () => (await refusal(consumer.info()).catch(() => ({})))?.code === 10014);
  },

  async "an ordered consumer reads in order, and begins anew when it must"({ jsm, js }) {
    await fill(jsm, js, 300);
    const consumer = await js.consumers.get("S", { filter_subjects: ["s.0", "s.1"] });
    const messages = await consumer.consume({ max_messages: 20, expires: 1000, idle_heartbeat: 500 });
    const heard = [];
    for await (const message of messages) {
      heard.push(message.seq);
      if (heard.length === 50) await jsm.consumers.delete("S", (await consumer.info()).name);
      if (message.info.pending === 0) break;
    }
    equal(heard, numbers(300).map(Number).filter((seq) => seq % 3 !== 0));
    const from = await js.consumers.get("S", { deliver_policy: "by_start_sequence", opt_start_seq: 298 });
    equal(strings(await fetch(from, 3)), numbers(3, 298));
  },

  async "messages are pushed to a subject"({ jsm, js, nc }) {
    await fill(jsm, js, 5);
    await jsm.consumers.add("S", {
      durable_name: "c",
      ack_policy: "explicit",
      deliver_subject: nc.options?.inboxPrefix ?? "push.here",
      idle_heartbeat: nanos(1000),
      flow_control: true,
    });
    const consumer = await js.consumers.getPushConsumer("S", "c");
    const heard = [];
    const messages = await consumer.consume({
      callback: (message) => {
        heard.push(message.string());
        message.ack();
      },
    });
    await until(() => heard.length === 5);
    await js.publish("s.a", "6");
    await until(() => heard.length === 6);
    equal(heard, numbers(6));
    const types = [];
    for await (const { type } of messages.status()) {
      types.push(type);
      if (type === "heartbeat") break;
    }
    ok((await consumer.info()).push_bound);
    await messages.close();
    await until(async () => (await consumer.info()).num_ack_pending === 0);
  },

  async "pushed messages are shared by a queue group"({ jsm, js, client, nc }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    await jsm.consumers.add("S", { durable_name: "c", ack_policy: "explicit", deliver_subject: "shared", deliver_group: "g" });
    const counts = [0, 0];
    for (const index of [0, 1]) {
      const worker = await client();
      worker.subscribe("shared", {
        queue: "g",
        callback: (_, message) => {
          counts[index]++;
          message.respond("+ACK");
        },
      });
      await worker.flush();
    }
    await Promise.all(numbers(40).map((payload) => js.publish("s.a", payload)));
    await until(() => counts[0] + counts[1] === 40);
    ok(counts[0] > 0 && counts[1] > 0, counts.join());
    await nc.flush();
  },

  async "an ordered push consumer reads all"({ jsm, js }) {
    await fill(jsm, js, 100);
    const consumer = await js.consumers.getPushConsumer("S", { filter_subjects: ["s.1"] });
    const messages = await consumer.consume();
    const heard = strings(await take(messages, 33));
    equal(heard, numbers(100).filter((text) => Number(text) % 3 === 2));
  },

  async "a work queue gives each message to one, once"({ jsm, js }) {
    await fill(jsm, js, 6, { retention: "workqueue" });
    const consumer = await durable(jsm, js);
    equal(await acked(consumer, 4), numbers(4));
    equal((await jsm.streams.info("S")).state.messages, 2);
    equal((await refusal(durable(jsm, js, { durable_name: "other" }))).code, 10099);
  },

  async "messages that interest nobody any more go"({ jsm, js }) {
    await fill(jsm, js, 2, { retention: "interest" });
    equal((await jsm.streams.info("S")).state.messages, 0);
    const [one, two] = [await durable(jsm, js, { durable_name: "one" }), await durable(jsm, js, { durable_name: "two" })];
    await js.publish("s.a", "x");
    equal(await acked(one, 1), ["x"]);
    equal((await jsm.streams.info("S")).state.messages, 1);
    equal(await acked(two, 1), ["x"]);
    await until(async () => (await jsm.streams.info("S")).state.messages === 0);
  },

  async "a paused consumer delivers nothing until it goes on"({ jsm, js }) {
    await fill(jsm, js, 2);
    const consumer = await durable(jsm, js);
    const paused = await jsm.consumers.pause("S", "c", new Date(Date.now() + 60_000));
    equal(paused.paused, true);
    equal((await fetch(consumer, 2, { expires: 1000 })).length, 0);
    ok((await consumer.info()).paused);
    equal((await jsm.consumers.resume("S", "c")).paused, false);
    equal(await acked(consumer, 2), ["1", "2"]);
    await jsm.consumers.pause("S", "c", new Date(Date.now() + 700));
    await js.publish("s.a", "3");
    equal((await consumer.next({ expires: 10_000 })).string(), "3");
  },

  async "a consumer is reset to an earlier message"({ jsm, js }) {
    await fill(jsm, js, 6);
    const consumer = await durable(jsm, js);
    equal(await acked(consumer, 6), numbers(6));
    const { reset_seq } = await jsm.consumers.reset("S", "c", 3);
    equal(reset_seq, 3);
    equal(await acked(consumer, 10), numbers(4, 3));
  },

  async "clients that take over when there is much"({ jsm, js }) {
    await fill(jsm, js, 10);
    const consumer = await durable(jsm, js, { priority_policy: "overflow", priority_groups: ["g"] });
    equal((await fetch(consumer, 2, { group: "g", min_pending: 100, expires: 1000 })).length, 0);
    equal((await fetch(consumer, 2, { group: "g", min_pending: 5, expires: 1000 })).length, 2);
    equal((await refusal(fetch(consumer, 1, { expires: 1000 }))).message.length > 0, true);
  },

  async "one client of a group is pinned"({ jsm, js }) {
    await fill(jsm, js, 4);
    const config = { priority_policy: "pinned_client", priority_groups: ["g"], priority_timeout: nanos(60_000) };
    const consumer = await durable(jsm, js, config);
    const heard = [[], []];
    const workers = [];
    for (const index of [0, 1]) {
      const worker = await js.consumers.get("S", "c");
      workers.push(
        await worker.consume({
          group: "g",
          callback: (message) => {
            heard[index].push(message.seq);
            message.ack();
          },
        }),
      );
      if (index === 0) await until(() => heard[0].length === 4);
    }
    await js.publish("s.a", "5");
    await until(() => heard[0].length === 5);
    equal(heard[1], []);
    await workers[0].close();
    await jsm.consumers.unpin("S", "c", "g");
    await js.publish("s.a", "6");
    await until(() => heard[1].length === 1);
    await workers[1].close();
    ok(consumer);
  },

  async "acknowledgements are sampled"({ jsm, js, nc }) {
    await fill(jsm, js, 1);
    const told = nc.subscribe("$JS.EVENT.METRIC.CONSUMER.ACK.S.c", { max: 1 });
    const consumer = await durable(jsm, js, { sample_freq: "100%" });
    await acked(consumer, 1);
    const [metric] = await take(told, 1);
    equal([metric.json().stream_seq, metric.json().deliveries], [1, 1]);
  },

  async "messages are replayed as they came"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    await js.publish("s.a", "1");
    await new Promise((resolve) => setTimeout(resolve, 600));
    await js.publish("s.a", "2");
    const consumer = await durable(jsm, js, { replay_policy: "original" });
    const first = await consumer.next();
    const begun = performance.now();
    const second = await consumer.next({ expires: 5000 });
    equal([first.string(), second.string()], ["1", "2"]);
    ok(performance.now() - begun >= 400, `${performance.now() - begun}`);
  },

  async "a deleted consumer ends what waits for it"({ jsm, js }) {
    await fill(jsm, js, 0);
    const consumer = await durable(jsm, js);
    const messages = await consumer.fetch({ max_messages: 1, expires: 30_000 });
    const ended = rejection(take(messages, 1));
    await until(async () => (await consumer.info()).num_waiting === 1);
    await jsm.consumers.delete("S", "c");
    const { message } = await ended;
    ok(/deleted/i.test(message), message);
  },
};
