// Sets up, builds and runs every test; prints a table of the suites and, last, the totals.
//
//   npm test -- [--only checks|native|browser|system] [--suite NAME] [--dev] [--verbose]
//
// `--only` and `--suite` are for work on one part: a suite is a file of tests/ or tests/system/.
// `--dev`: with the dev build of the wasm, which is quicker to make.

import { parseArgs } from "node:util";

import { build } from "./build.mjs";
import { setup, setupTests } from "./setup.mjs";
import { Failure, main } from "./steps.mjs";
import { Results } from "./test/results.mjs";
import { checks, packageChecks } from "./test/checks.mjs";
import { browserSuites, nativeSuites } from "./test/rust.mjs";
import { systemSuites } from "./test/system.mjs";

// Each says itself what it has to build. The package is built beside what does not need it, since
// linking keeps one processor busy for minutes.
const groups = [
  ["checks", checks],
  ["native", nativeSuites],
  ["browser", browserSuites],
  ["checks", packageChecks],
  ["system", systemSuites],
];

await main(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      suite: { type: "string" },
      dev: { type: "boolean" },
      verbose: { type: "boolean" },
    },
  });
  const names = [...new Set(groups.map(([name]) => name))];
  const wanted = (name) => (values.only ?? name) === name;
  if (!names.some(wanted)) throw new Failure(`--only ${values.only}: one of ${names.join(", ")}`);
  await setup();
  await setupTests();
  const kind = values.dev ? "dev" : "release";
  const results = new Results();
  let built;
  const choice = { suite: values.suite, kind, build: () => (built ??= build(kind)) };
  // Whoever waits for it learns of its failure.
  if (!values.suite && ["checks", "system"].some(wanted)) choice.build().catch(() => {});
  for (const [name, group] of groups) {
    // Where a group can't be built, the others still tell what they find.
    if (wanted(name)) await group(results, choice).catch((error) => results.ended(name, error));
  }
  if (!results.print()) process.exitCode = 1;
});
