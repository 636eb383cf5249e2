// Runs one test in the page, with a queue of its own.

import { wsconnect } from "@nats-io/nats-core";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "neurite/nats";
import { start } from "/queue.js";

/** How long a test may take, in milliseconds. */
const LIMIT = 60_000;

/** A nats-server to test instead: see suite.mjs. */
const natsServer = new URLSearchParams(location.search).get("server");

/**
 * Calls `test` with `queue` and `nc`, a client of it; `js` and `jsm`, what that has for JetStream;
 * and `client(options)`, which makes more clients. All are closed and deleted afterwards.
 */
export async function run(name, test) {
  const queue = natsServer ? undefined : await start({ storage: name });
  const clients = [];
  const client = async (options) => {
    const nc = await (queue ? connect(queue, options) : wsconnect({ servers: natsServer, ...options }));
    clients.push(nc);
    return nc;
  };
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`longer than ${LIMIT} ms`)), LIMIT));
  const nc = await client();
  const jsm = await jetstreamManager(nc, { checkAPI: false });
  try {
    await Promise.race([test({ queue, nc, client, jsm, js: jetstream(nc) }), late]);
  } finally {
    if (!queue) for await (const stream of jsm.streams.names()) await jsm.streams.delete(stream);
    for (const nc of clients) await nc.close();
    await queue?.destroy();
  }
}
