// The homeserver's worker, which ends once it holds its lock and before it can answer anything.

import "/worker.js";

addEventListener("message", () => void navigator.locks.request("stillborn", () => close()));
