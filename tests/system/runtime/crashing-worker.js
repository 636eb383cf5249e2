// The homeserver's worker, which traps when it is told to, as broken wasm would.

import "/worker.js";

new BroadcastChannel("crash").onmessage = () => {
  throw new WebAssembly.RuntimeError("unreachable executed");
};
