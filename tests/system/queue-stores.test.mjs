// Key-value and object stores: the official clients against the queue in a worker.

import tests from "./queue/stores.js";
import { suite } from "./queue/suite.mjs";

const there = ["key-value: values expire", "key-value: all buckets, and one in memory"];
suite("stores.js", tests, Object.keys(tests).filter((title) => !there.includes(title)));
