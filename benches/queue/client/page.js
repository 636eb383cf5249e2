// A page with the official NATS client, against the queue in a worker or a nats-server.

import { wsconnect } from "@nats-io/nats-core";
import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "neurite/nats";

import { overPort } from "/floor/port.js";
import { start } from "/queue.js";

import { atATime, median } from "../../measure.js";
import { offer } from "../../work.js";
import { payload } from "../payload.js";

const STREAM = "bench";
const SUBJECT = "bench.message";

let queue;
let nc;
let js;
let manager;

/** Connects to the nats-server at `url`, or to a queue of our own; its version. */
async function open(url) {
  if (url) {
    nc = await wsconnect({ servers: url });
  } else {
    queue = await start({ storage: "bench" });
    nc = await connect(queue);
  }
  js = jetstream(nc);
  manager = await jetstreamManager(nc);
  nc.subscribe("echo", { callback: (_, message) => message.respond(message.data) });
  return nc.info.version;
}

async function finish() {
  await nc.close();
  await queue?.destroy();
}

/** An empty stream, since what was stored before is not what is measured. */
async function fresh() {
  await manager.streams.delete(STREAM).catch(() => {});
  await manager.streams.add({ name: STREAM, subjects: ["bench.>"] });
}

/** Each takes how many, and tells a second's worth, or the median in milliseconds. */
const measures = {
  "put p50": (count) => median(count, () => overPort({ put: true })),
  "request p50": (count) => median(count, () => nc.request("echo", payload)),
  "publish p50": async (count) => {
    await fresh();
    return median(count, () => js.publish(SUBJECT, payload));
  },
  "publish rate": async (count) => {
    await fresh();
    return atATime(count, 256, () => js.publish(SUBJECT, payload));
  },
  "fetch and ack": (count) => consume(count, (message) => message.ack()),
  "fetch and ackAck": (count) => consume(count, (message) => message.ackAck()),
};

/** Fetches 256 at a time and acknowledges each; done when all of that is durable. */
async function consume(count, acknowledge) {
  await fresh();
  await atATime(count, 256, () => js.publish(SUBJECT, payload));
  await manager.consumers.add(STREAM, { durable_name: "worker", ack_policy: AckPolicy.Explicit });
  const consumer = await js.consumers.get(STREAM, "worker");
  const begin = performance.now();
  for (let left = count; left > 0; ) {
    const acknowledged = [];
    for await (const message of await consumer.fetch({ max_messages: Math.min(256, left) })) {
      // The answer to the last one tells that all before it are stored too.
      acknowledged.push(--left > 0 ? acknowledge(message) : message.ackAck());
    }
    await Promise.all(acknowledged);
  }
  while ((await consumer.info()).num_ack_pending > 0);
  return (count * 1000) / (performance.now() - begin);
}

offer({ open, finish, measure: (name, count) => measures[name](count) });
