// Streams: the official client against the queue in a worker.

import tests from "./queue/streams.js";
import { suite } from "./queue/suite.mjs";

suite("streams.js", tests);
