// The worker of the queue alone.

import init, { Queue, setLog } from "../../dist/neurite_queue.js";
import { run } from "./run.js";

run({
  wasmUrl: new URL("./neurite_queue_bg.wasm", import.meta.url),
  init,
  setLog,
  start: (config) => Queue.start(config),
  destroy: (storage) => Queue.destroy(storage),
});
