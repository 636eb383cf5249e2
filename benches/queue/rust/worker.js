// The worker that holds the queue and measures it, as the page asks.

import init, { Bench } from "./queue_bench.js";

import { put } from "/floor/put.js";
import { median } from "/measure.js";

import { payload } from "../payload.js";

const storage = "bench:rust";
let bench;

const calls = {
  open: async () => {
    await init();
    bench = await Bench.open(storage, payload);
  },
  measure: (name, count) => (name === "put p50" ? median(count, put) : bench.measure(name, count)),
  finish: () => bench.finish(storage),
};

addEventListener("message", async ({ data: { call, args } }) => {
  try {
    postMessage({ result: await calls[call](...args) });
  } catch (error) {
    postMessage({ error: String(error?.stack ?? error) });
  }
});
