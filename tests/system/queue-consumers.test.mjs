// Consumers: the official client against the queue in a worker.

import tests from "./queue/consumers.js";
import { suite } from "./queue/suite.mjs";

suite("consumers.js", tests);
