// The homeserver's worker.

import init, { argon2id, Homeserver, scale, setHelper, setLog } from "../../dist/neurite.js";
import { run } from "./run.js";

run({
  wasmUrl: new URL("./neurite_bg.wasm", import.meta.url),
  init,
  setLog,
  start: (config) => Homeserver.start(config),
  destroy: (storage) => Homeserver.destroy(storage),
  helper: { tasks: { argon2id, scale }, set: setHelper },
});
