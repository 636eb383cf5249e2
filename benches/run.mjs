// npm run bench: the homeserver and the queue in Chromium, each figure beside its floor in the same
// run.
//
//   npm run bench [-- --write] [--quick] [--no-fill] [--only homeserver|queue]
//
// --write puts the tables into docs/benchmarks.md, --quick takes fewer samples, --no-fill leaves
// out the start over 100,000 events; --only measures one part alone.

import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";

import { build } from "../scripts/build.mjs";
import { root } from "../scripts/project.mjs";
import { setup, setupTests } from "../scripts/setup.mjs";
import { Failure, main } from "../scripts/steps.mjs";

/** Each has a folder here, whose run.mjs measures it, and a place in docs/benchmarks.md. */
const parts = ["homeserver", "queue"];

async function bench() {
  const has = (flag) => process.argv.includes(flag);
  const chosen = has("--only") ? [process.argv[process.argv.indexOf("--only") + 1]] : parts;
  if (!parts.includes(chosen[0])) throw new Failure(`--only is followed by ${parts.join(" or ")}.`);
  await setup();
  await setupTests();
  await build();
  for (const part of chosen) {
    const tables = await measure(part, { quick: has("--quick"), fill: !has("--no-fill") });
    const report = `${measuredOn()}\n\n${tables}\n`;
    console.log(`\n${report}`);
    if (has("--write")) await write(part, report);
  }
}

/** Measures a part in a browser of its own. */
async function measure(part, options) {
  // These need the npm packages, which a fresh clone has only now.
  const { TestBrowser } = await import("../tests/system/harness.mjs");
  const { report } = await import(`./${part}/run.mjs`);
  const browser = await TestBrowser.launch("chromium");
  try {
    return await report(browser, options);
  } finally {
    await browser.destroy();
  }
}

function measuredOn() {
  const day = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  return `Measured on ${day}: ${cpus().length} × ${cpus()[0].model}, ${memory} GiB, headless Chromium.`;
}

/** Puts a part's report where docs/benchmarks.md has it: after its mark, up to the next one. */
async function write(part, report) {
  const file = join(root, "docs", "benchmarks.md");
  const mark = `<!-- ${part} -->`;
  const [before, rest] = (await readFile(file, "utf8")).split(mark);
  const after = rest.match(/<!-- [^]*/)?.[0] ?? "";
  await writeFile(file, `${before}${mark}\n\n${report}${after && `\n${after}`}`);
}

await main(bench);
