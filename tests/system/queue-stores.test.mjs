// Key-value and object stores: the official clients against the queue in a worker.

import tests from "./queue/stores.js";
import { suite } from "./queue/suite.mjs";

suite("stores.js", tests);
