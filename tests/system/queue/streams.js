// Streams with the official client: their configuration, what they hold and what is taken from them.

import { jetstreamManager } from "@nats-io/jetstream";
import { startFastIngest } from "@nats-io/jetstream/internal";
import { headers, nanos } from "@nats-io/nats-core";

import { equal, ok, refusal, rejection, take, until } from "./assert.js";

const publish = async (js, ...messages) => {
  const acks = [];
  for (const [subject, payload] of messages) acks.push(await js.publish(subject, payload));
  return acks.map(({ seq }) => seq);
};

const state = async (jsm, stream, options) => (await jsm.streams.info(stream, options)).state;
const all = async (iterable) => {
  const found = [];
  for await (const one of iterable) found.push(one);
  return found;
};
const held = async (jsm, stream) => {
  const { first_seq, last_seq } = await state(jsm, stream);
  const found = [];
  // A stream that nothing was ever in is at 0, which no message has.
  for (let seq = Math.max(first_seq, 1); seq <= last_seq; seq++) {
    const message = await jsm.streams.getMessage(stream, { seq });
    if (message) found.push(`${seq} ${message.subject} ${message.string()}`);
  }
  return found;
};

export default {
  async "a stream is made, told of, listed, changed and deleted"({ jsm }) {
    const made = await jsm.streams.add({ name: "S", subjects: ["s.>"], description: "one" });
    equal(made.config.name, "S");
    equal([made.config.retention, made.config.storage, made.config.discard], ["limits", "file", "old"]);
    equal([made.config.max_msgs, made.config.max_bytes, made.config.max_age], [-1, -1, 0]);
    equal(made.config.duplicate_window, nanos(120_000));
    equal(made.state.messages, 0);
    const again = await jsm.streams.add({ name: "S", subjects: ["s.>"], description: "one" });
    equal(again.created, made.created, "the same is made once");
    equal((await refusal(jsm.streams.add({ name: "S", subjects: ["other"] }))).code, 10058);
    equal((await refusal(jsm.streams.add({ name: "T", subjects: ["s.a"] }))).code, 10065);
    await jsm.streams.add({ name: "T" });
    equal((await all(jsm.streams.names())).sort(), ["S", "T"]);
    equal(await all(jsm.streams.names("s.x")), ["S"]);
    equal((await all(jsm.streams.list())).map(({ config }) => config.name).sort(), ["S", "T"]);
    equal(await jsm.streams.find("s.x"), "S");
    const changed = await jsm.streams.update("S", { max_msgs: 5, description: "two" });
    equal([changed.config.max_msgs, changed.config.description], [5, "two"]);
    equal((await refusal(jsm.streams.update("S", { storage: "memory" }))).code, 10052);
    equal(await jsm.streams.delete("S"), true);
    equal((await refusal(jsm.streams.info("S"))).code, 10059);
  },

  async "the account tells what is used"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    await js.publish("s", "hello");
    await jsm.consumers.add("S", { durable_name: "c", ack_policy: "explicit" });
    const info = await jsm.getAccountInfo();
    equal([info.streams, info.consumers], [1, 1]);
    ok(info.storage > 0 && info.api.total > 0);
  },

  async "what is published is acknowledged and kept"({ jsm, js, nc }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"] });
    const sent = headers();
    sent.set("Name", "value");
    const ack = await js.publish("s.a", "one", { headers: sent });
    equal([ack.stream, ack.seq, ack.duplicate], ["S", 1, false]);
    nc.publish("s.b", "two");
    await until(async () => (await state(jsm, "S")).messages === 2);
    const message = await jsm.streams.getMessage("S", { seq: 1 });
    equal([message.subject, message.string(), message.header.get("Name"), message.seq], ["s.a", "one", "value", 1]);
    ok(Math.abs(message.time.getTime() - Date.now()) < 60_000);
    equal((await jsm.streams.getMessage("S", { last_by_subj: "s.b" })).seq, 2);
    equal((await jsm.streams.getMessage("S", { next_by_subj: "s.*", seq: 1 })).seq, 1);
    equal(await jsm.streams.getMessage("S", { seq: 7 }), null);
    const { first_seq, last_seq, num_subjects, bytes } = await state(jsm, "S");
    equal([first_seq, last_seq, num_subjects], [1, 2, 2]);
    ok(bytes > 0);
    ok((await refusal(js.publish("nobody.takes.this", "", { retries: 0 }))).message);
  },

  async "many publishes in flight are stored in order"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    const acks = await Promise.all(Array.from({ length: 1000 }, (_, index) => js.publish("s", String(index))));
    equal(acks.map(({ seq }) => seq), Array.from({ length: 1000 }, (_, index) => index + 1));
    equal((await jsm.streams.getMessage("S", { seq: 700 })).string(), "699");
  },

  async "the same message id is stored once"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"], duplicate_window: nanos(300) });
    const first = await js.publish("s", "a", { msgID: "id" });
    const again = await js.publish("s", "b", { msgID: "id" });
    equal([first.duplicate, again.duplicate, again.seq], [false, true, first.seq]);
    await until(async () => !(await js.publish("s", "c", { msgID: "id" })).duplicate);
  },

  async "expectations are held against what there is"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"] });
    await publish(js, ["s.a", "1"], ["s.b", "2"]);
    const tries = [
      [{ streamName: "S" }, undefined],
      [{ streamName: "T" }, 10060],
      [{ lastSequence: 3 }, undefined],
      [{ lastSequence: 1 }, 10071],
      [{ lastSubjectSequence: 4 }, undefined],
      [{ lastSubjectSequence: 1 }, 10071],
      [{ lastMsgID: "none" }, 10070],
    ];
    for (const [expect, code] of tries) {
      const outcome = await js.publish("s.a", "x", { expect }).catch((error) => error);
      equal(outcome.code, code, JSON.stringify(expect));
    }
    const other = { lastSubjectSequence: 2, lastSubjectSequenceSubject: "s.b" };
    equal((await js.publish("s.a", "y", { expect: other })).seq, 6);
    equal((await js.publish("s.new", "", { expect: { lastSubjectSequence: 0 } })).seq, 7);
  },

  async "limits: the oldest go, or the newest are refused"({ jsm, js }) {
    await jsm.streams.add({ name: "OLD", subjects: ["old"], max_msgs: 2 });
    await publish(js, ["old", "1"], ["old", "2"], ["old", "3"]);
    equal(await held(jsm, "OLD"), ["2 old 2", "3 old 3"]);
    await jsm.streams.add({ name: "NEW", subjects: ["new"], max_msgs: 2, discard: "new" });
    await publish(js, ["new", "1"], ["new", "2"]);
    equal((await refusal(js.publish("new", "3"))).code, 10077);
    await jsm.streams.add({ name: "EACH", subjects: ["each.*"], max_msgs_per_subject: 1 });
    await publish(js, ["each.a", "1"], ["each.b", "2"], ["each.a", "3"]);
    equal(await held(jsm, "EACH"), ["2 each.b 2", "3 each.a 3"]);
    const options = { max_msgs_per_subject: 1, discard: "new", discard_new_per_subject: true };
    await jsm.streams.add({ name: "FIRST", subjects: ["first.*"], ...options });
    await publish(js, ["first.a", "1"]);
    equal((await refusal(js.publish("first.a", "2"))).code, 10077);
    equal((await js.publish("first.b", "2")).seq, 2);
    await jsm.streams.add({ name: "SMALL", subjects: ["small"], max_msg_size: 10 });
    equal((await refusal(js.publish("small", "more than ten bytes"))).code, 10054);
    await jsm.streams.add({ name: "BYTES", subjects: ["bytes"], max_bytes: 1000 });
    for (let index = 0; index < 20; index++) await js.publish("bytes", "x".repeat(100));
    const { messages, bytes } = await state(jsm, "BYTES");
    ok(messages > 0 && messages < 10 && bytes <= 1000);
  },

  async "messages go when they are too old"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"], max_age: nanos(400), duplicate_window: nanos(400) });
    await js.publish("s", "soon gone");
    equal((await state(jsm, "S")).messages, 1);
    await until(async () => (await state(jsm, "S")).messages === 0);
    equal((await js.publish("s", "next")).seq, 2);
  },

  async "purged: all, by subject, up to a sequence, all but some"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"] });
    const fill = () => publish(js, ["s.a", ""], ["s.b", ""], ["s.a", ""], ["s.b", ""]);
    await fill();
    equal((await jsm.streams.purge("S", { filter: "s.a" })).purged, 2);
    equal((await jsm.streams.purge("S", { seq: 4 })).purged, 1);
    await fill();
    equal((await jsm.streams.purge("S", { keep: 2 })).purged, 3);
    equal((await jsm.streams.purge("S", { filter: "s.b", keep: 1 })).purged, 0);
    equal((await jsm.streams.purge("S")).purged, 2);
    const { messages, first_seq, last_seq } = await state(jsm, "S");
    equal([messages, first_seq, last_seq], [0, 9, 8]);
    equal((await refusal(jsm.streams.purge("none"))).code, 10059);
  },

  async "a message is deleted"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    await publish(js, ["s", "1"], ["s", "2"], ["s", "3"]);
    equal(await jsm.streams.deleteMessage("S", 2), true);
    equal(await jsm.streams.getMessage("S", { seq: 2 }), null);
    equal((await refusal(jsm.streams.deleteMessage("S", 2))).code, 10043);
    const details = await state(jsm, "S", { deleted_details: true });
    equal([details.messages, details.num_deleted, details.deleted], [2, 1, [2]]);
  },

  async "subjects with their numbers of messages"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.>"] });
    await publish(js, ["s.a", ""], ["s.b", ""], ["s.a", ""], ["s.c.d", ""]);
    equal((await state(jsm, "S", { subjects_filter: "s.*" })).subjects, { "s.a": 2, "s.b": 1 });
    equal(Object.keys((await state(jsm, "S", { subjects_filter: ">" })).subjects).length, 3);
  },

  async "sealed, and what may not be deleted or purged"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"], deny_delete: true, deny_purge: true });
    await js.publish("s", "1");
    equal((await refusal(jsm.streams.deleteMessage("S", 1))).code, 10057);
    equal((await refusal(jsm.streams.purge("S"))).code, 10110);
    await jsm.streams.add({ name: "T", subjects: ["t"] });
    await js.publish("t", "1");
    await jsm.streams.update("T", { sealed: true });
    equal((await refusal(js.publish("t", "2"))).code, 10109);
    equal((await jsm.streams.getMessage("T", { seq: 1 })).string(), "1");
  },

  async "read directly: one, the last of several subjects, a batch"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_direct: true });
    await publish(js, ["s.a", "1"], ["s.b", "2"], ["s.a", "3"], ["s.c", "4"]);
    const one = await jsm.direct.getMessage("S", { seq: 2 });
    equal([one.subject, one.seq, one.string(), one.stream], ["s.b", 2, "2", "S"]);
    equal((await jsm.direct.getMessage("S", { last_by_subj: "s.a" })).string(), "3");
    equal((await jsm.direct.getMessage("S", { next_by_subj: "s.a", seq: 2 })).seq, 3);
    equal(await jsm.direct.getMessage("S", { seq: 9 }), null);
    const batch = await all(await jsm.direct.getBatch("S", { seq: 2, batch: 2 }));
    equal(batch.map(({ seq, string }) => seq), [2, 3]);
    const lasts = await all(await jsm.direct.getLastMessagesFor("S", { multi_last: ["s.a", "s.c"] }));
    equal(lasts.map((message) => message.string()), ["3", "4"]);
  },

  async "kept in memory, like in files"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"], storage: "memory" });
    await publish(js, ["s", "1"], ["s", "2"]);
    equal(await held(jsm, "S"), ["1 s 1", "2 s 2"]);
    equal((await jsm.streams.info("S")).config.storage, "memory");
  },

  async "a message replaces those before it"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_rollup_hdrs: true });
    await publish(js, ["s.a", "1"], ["s.b", "2"], ["s.a", "3"]);
    const rollup = (kind) => {
      const sent = headers();
      sent.set("Nats-Rollup", kind);
      return { headers: sent };
    };
    await js.publish("s.a", "4", rollup("sub"));
    equal(await held(jsm, "S"), ["2 s.b 2", "4 s.a 4"]);
    await js.publish("s.a", "5", rollup("all"));
    equal(await held(jsm, "S"), ["5 s.a 5"]);
    await jsm.streams.add({ name: "T", subjects: ["t"] });
    equal((await refusal(js.publish("t", "", rollup("sub")))).code, 10111);
  },

  async "what is stored is published again"({ jsm, js, nc }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], republish: { src: "s.*", dest: "again.{{wildcard(1)}}" } });
    const again = nc.subscribe("again.>", { max: 2 });
    await nc.flush();
    await publish(js, ["s.a", "1"], ["s.a", "2"]);
    const [, second] = await take(again, 2);
    equal([second.subject, second.string()], ["again.a", "2"]);
    const name = (name) => second.headers.get(name);
    equal([name("Nats-Stream"), name("Nats-Subject"), name("Nats-Sequence"), name("Nats-Last-Sequence")], ["S", "s.a", "2", "1"]);
  },

  async "subjects are transformed before they are stored"({ jsm, js }) {
    const subject_transform = { src: "s.*.*", dest: "t.{{wildcard(2)}}.{{wildcard(1)}}" };
    await jsm.streams.add({ name: "S", subjects: ["s.>"], subject_transform });
    await publish(js, ["s.a.b", "1"], ["s.c", "2"]);
    equal(await held(jsm, "S"), ["1 t.b.a 1", "2 s.c 2"]);
  },

  async "a mirror and a stream with sources follow"({ jsm, js }) {
    await jsm.streams.add({ name: "A", subjects: ["a.*"] });
    await jsm.streams.add({ name: "B", subjects: ["b.*"] });
    await publish(js, ["a.x", "1"], ["b.x", "2"], ["a.y", "3"]);
    await jsm.streams.add({ name: "M", mirror: { name: "A" } });
    await jsm.streams.add({
      name: "BOTH",
      sources: [{ name: "A", filter_subject: "a.x" }, { name: "B", subject_transforms: [{ src: "b.*", dest: "from.b.{{wildcard(1)}}" }] }],
    });
    const have = async (count) => (await held(jsm, "M")).length === count && (await held(jsm, "BOTH")).length === count;
    await until(() => have(2));
    equal(await held(jsm, "M"), ["1 a.x 1", "2 a.y 3"]);
    await publish(js, ["a.x", "4"]);
    await until(() => have(3));
    const subjects = (await held(jsm, "BOTH")).map((text) => text.slice(2)).sort();
    equal(subjects, ["a.x 1", "a.x 4", "from.b.x 2"]);
    equal((await jsm.streams.info("M")).mirror.name, "A");
    ok((await refusal(js.publish("M", "x", { retries: 0 }))).message);
  },

  async "a message has a time to live of its own"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_msg_ttl: true });
    await js.publish("s.a", "short", { ttl: "1s" });
    await js.publish("s.b", "long");
    equal((await state(jsm, "S")).messages, 2);
    await until(async () => (await state(jsm, "S")).messages === 1);
    equal((await jsm.streams.getMessage("S", { last_by_subj: "s.b" })).string(), "long");
    await jsm.streams.add({ name: "T", subjects: ["t"] });
    equal((await refusal(js.publish("t", "", { ttl: "1s" }))).code, 10166);
  },

  async "a marker stays where the last message of a subject expired"({ jsm, js }) {
    const limits = { max_age: nanos(1000), duplicate_window: nanos(1000) };
    const markers = { allow_msg_ttl: true, subject_delete_marker_ttl: nanos(60_000) };
    await jsm.streams.add({ name: "S", subjects: ["s"], ...limits, ...markers });
    await js.publish("s", "x");
    const marker = () => jsm.streams.getMessage("S", { last_by_subj: "s" });
    await until(async () => (await marker())?.header.get("Nats-Marker-Reason") === "MaxAge");
  },

  async "counters add up"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["count.*"], allow_msg_counter: true, allow_direct: true });
    const add = async (by) => {
      const sent = headers();
      sent.set("Nats-Incr", by);
      return js.publish("count.a", "", { headers: sent });
    };
    await add("+5");
    equal((await add("-2")).val, "3");
    equal((await add("+100000000000000000000")).val, "100000000000000000003");
    const { val } = (await jsm.direct.getMessage("S", { last_by_subj: "count.a" })).json();
    equal(val, "100000000000000000003");
    ok((await refusal(js.publish("count.a", "1"))).code > 0);
  },

  async "a batch is stored as a whole or not at all"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_atomic: true });
    const batch = await js.startBatch("s.a", "1");
    batch.add("s.b", "2");
    batch.add("s.a", "3");
    equal((await state(jsm, "S")).messages, 0);
    const ack = await batch.commit("s.c", "4");
    equal([ack.count, ack.seq, ack.batch === batch.id], [4, 4, true]);
    equal(await held(jsm, "S"), ["1 s.a 1", "2 s.b 2", "3 s.a 3", "4 s.c 4"]);
    const refused = await js.startBatch("s.a", "5");
    const expecting = headers();
    expecting.set("Nats-Expected-Last-Subject-Sequence", "77");
    refused.add("s.b", "6", { headers: expecting });
    await rejection(refused.commit("s.c", "7"));
    equal((await state(jsm, "S")).last_seq, 4);
  },

  async "a message is scheduled"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["schedule.*", "target.*"], allow_msg_schedules: true, allow_msg_ttl: true });
    const at = new Date(Date.now() + 1500);
    await js.publish("schedule.one", "later", { schedule: { specification: { at }, target: "target.one" } });
    await until(async () => (await jsm.streams.getMessage("S", { last_by_subj: "target.one" }))?.string() === "later");
    equal(await jsm.streams.getMessage("S", { last_by_subj: "schedule.one" }), null);
  },

  async "a schedule repeats itself until it is ended"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["schedule.*", "target.*"], allow_msg_schedules: true });
    const schedule = { specification: { every: "1s" }, target: "target.tick" };
    await js.publish("schedule.tick", "tick", { schedule });
    await until(async () => (await state(jsm, "S", { subjects_filter: "target.*" })).subjects?.["target.tick"] >= 2);
    equal((await jsm.streams.getMessage("S", { last_by_subj: "target.tick" })).string(), "tick");
    ok(await jsm.streams.getMessage("S", { last_by_subj: "schedule.tick" }));
    await jsm.streams.purge("S", { filter: "schedule.tick" });
    const { last_seq } = await state(jsm, "S");
    await new Promise((resolve) => setTimeout(resolve, 1500));
    equal((await state(jsm, "S")).last_seq, last_seq);
  },

  async "much is stored without an answer to each"({ jsm, nc }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_batched: true });
    const ingest = await startFastIngest(nc, "s.a", "1", { timeout: 5000, ackInterval: 10 });
    for (let index = 2; index < 100; index++) await ingest.add("s.a", String(index));
    const ack = await ingest.last("s.b", "100");
    equal([ack.count, ack.batch === ingest.batch], [100, true]);
    const { messages } = await state(jsm, "S");
    equal(messages, 100);
    equal((await jsm.streams.getMessage("S", { seq: 57 })).string(), "57");
    const plain = await jsm.streams.add({ name: "T", subjects: ["t"] });
    ok(!plain.config.allow_batched);
    ok((await refusal(startFastIngest(nc, "t", "1", { timeout: 2000 }))).message);
  },

  async "what a client requires is held against the level of the server"({ nc }) {
    const manager = await jetstreamManager(nc, { sendRequiredApiLevel: true });
    const made = await manager.streams.add({ name: "S", subjects: ["s"], allow_msg_ttl: true, allow_atomic: true });
    equal(made.config.metadata["_nats.level"], "4");
    ok(Number(made.config.metadata["_nats.req.level"]) >= 1);
    const sent = headers();
    sent.set("Nats-Required-Api-Level", "1000");
    const answer = await nc.request("$JS.API.STREAM.INFO.S", "", { headers: sent });
    equal(answer.json().error.err_code, 10185);
  },

  async "the next message from a time on, and a batch from there"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s.*"], allow_direct: true });
    await publish(js, ["s.a", "1"], ["s.b", "2"]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const start_time = new Date();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await publish(js, ["s.a", "3"], ["s.b", "4"]);
    equal((await jsm.direct.getMessage("S", { start_time })).string(), "3");
    const batch = await all(await jsm.direct.getBatch("S", { start_time, batch: 10 }));
    equal(batch.map((message) => message.string()), ["3", "4"]);
    const lasts = await all(await jsm.direct.getLastMessagesFor("S", { multi_last: ["s.*"], up_to_seq: 3 }));
    equal(lasts.map((message) => message.string()), ["2", "3"]);
  },

  async "a message taken at once is acknowledged before it is written"({ jsm, js }) {
    await jsm.streams.add({ name: "S", subjects: ["s"], persist_mode: "async" });
    await Promise.all(Array.from({ length: 100 }, (_, index) => js.publish("s", String(index))));
    equal((await state(jsm, "S")).messages, 100);
    equal((await jsm.streams.info("S")).config.persist_mode, "async");
  },

  async "advisories tell what is done"({ jsm, nc }) {
    const heard = [];
    nc.subscribe("$JS.EVENT.ADVISORY.>", { callback: (_, message) => heard.push(message.json().type.split(".").pop()) });
    await nc.flush();
    await jsm.streams.add({ name: "S", subjects: ["s"] });
    await jsm.streams.delete("S");
    await until(() => heard.filter((type) => type === "stream_action").length === 2 && heard.includes("api_audit"));
  },
};
