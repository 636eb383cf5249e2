// The homeserver's worker.

import init, { Homeserver } from "../dist/neurite.js";
import { run } from "./run.js";

run({
  wasmUrl: new URL("./neurite_bg.wasm", import.meta.url),
  init,
  start: (config) => Homeserver.start(config),
  destroy: (storage) => Homeserver.destroy(storage),
});
