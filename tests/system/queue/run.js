// Runs one test in the page, with a queue of its own.

import { connect } from "neurite/nats";
import { start } from "/queue.js";

/** How long a test may take, in milliseconds. */
const LIMIT = 60_000;

/**
 * Calls `test({ queue, nc, client })`: the queue, a client of it, and what makes more clients. They
 * are closed and the queue deleted afterwards.
 */
export async function run(name, test) {
  const queue = await start({ storage: name });
  const clients = [];
  const client = async (options) => {
    const nc = await connect(queue, options);
    clients.push(nc);
    return nc;
  };
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`longer than ${LIMIT} ms`)), LIMIT));
  try {
    await Promise.race([test({ queue, nc: await client(), client }), late]);
  } finally {
    for (const nc of clients) await nc.close();
    await queue.destroy();
  }
}
