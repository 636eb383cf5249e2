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
import { checks } from "./test/checks.mjs";
import { browserSuites, nativeSuites } from "./test/rust.mjs";
import { systemSuites } from "./test/system.mjs";

// The quick ones first; each group says itself what it has to build.
const groups = {
  checks,
  native: nativeSuites,
  browser: browserSuites,
  system: systemSuites,
};

await main(async () => {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      suite: { type: "string" },
      dev: { type: "boolean" },
      verbose: { type: "boolean" },
    },
  });
  if (values.only && !Object.hasOwn(groups, values.only)) {
    throw new Failure(`--only ${values.only}: one of ${Object.keys(groups).join(", ")}`);
  }
  await setup();
  await setupTests();
  const kind = values.dev ? "dev" : "release";
  const results = new Results();
  for (const [name, group] of Object.entries(groups)) {
    if (values.only && values.only !== name) continue;
    const choice = { suite: values.suite, kind, build: () => build(kind) };
    // Where a group can't be built, the others still tell what they find.
    await group(results, choice).catch((error) => results.ended(name, error));
  }
  if (!results.print()) process.exitCode = 1;
});
