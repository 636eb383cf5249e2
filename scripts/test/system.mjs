// The whole-system tests: node's test runner, real browsers, the built demo.

import { availableParallelism } from "node:os";
import { basename } from "node:path";

import { filesOf } from "../fingerprint.mjs";
import { manyAtATime, run } from "../steps.mjs";

/** Time for one test, in milliseconds. */
const testTimeout = 180_000;

/** How many run at a time. */
const WIDTH = availableParallelism();

export async function systemSuites(results, { suite, build }) {
  const files = (await filesOf("tests/system")).filter((file) => file.endsWith(".test.mjs"));
  const chosen = files.filter((file) => (suite ?? nameOf(file)) === nameOf(file));
  if (chosen.length === 0) return;
  await build();
  const runs = chosen.flatMap((file) => ["chromium", "firefox"].map((place) => ({ file, place })));
  await manyAtATime(WIDTH, runs, ({ file, place }) =>
    results.suite(`system/${nameOf(file)}`, place, () => nodeTest(file, place)),
  );
}

const nameOf = (file) => basename(file, ".test.mjs");

async function nodeTest(file, browser) {
  const { code, output } = await run(
    "node",
    ["--test", "--test-reporter=spec", `--test-timeout=${testTimeout}`, file],
    { check: false, env: { BROWSERS: browser, FORCE_COLOR: "0" } },
  );
  const count = (word) => Number(output.match(new RegExp(`^ℹ ${word} (\\d+)$`, "m"))?.[1] ?? 0);
  const failed = count("fail") + count("cancelled");
  return {
    passed: count("pass"),
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: count("skipped") + count("todo"),
    output,
  };
}
