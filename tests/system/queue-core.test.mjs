// Core NATS: the official client against the queue in a worker.

import tests from "./queue/core.js";
import { suite } from "./queue/suite.mjs";

suite("core.js", tests);
