// npm run bench: the homeserver and the queue in Chromium, each figure beside its floor in the same
// run.
//
//   npm run bench [-- --list] [--row NAME…] [--quick] [--sizes NAME=N,N…]… [--build KIND] [--write]
//
// --list shows the rows; --row measures some, or all of a section; --quick takes fewer samples;
// --sizes measures a row or section that has sizes at those; --build takes another build than the
// release. --write puts the tables of the sections that were measured whole into docs/benchmarks.md.

import { mkdir, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

import { build } from "../scripts/build.mjs";
import { root, toolchain } from "../scripts/project.mjs";
import { setup, setupTests } from "../scripts/setup.mjs";
import { Failure, main } from "../scripts/steps.mjs";

async function bench() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      list: { type: "boolean" },
      row: { type: "string", multiple: true, default: [] },
      quick: { type: "boolean", default: false },
      sizes: { type: "string", multiple: true, default: [] },
      build: { type: "string", default: "release" },
      write: { type: "boolean" },
      verbose: { type: "boolean" },
    },
  });
  await setup();
  // These need the npm packages, which a fresh clone has only now.
  const { choose, list, sections, withSizes } = await import("./rows.mjs");
  const all = await sections();
  if (values.list) return console.log(list(all));
  const chosen = choose(withSizes(all, values.sizes), [...values.row, ...positionals]);
  await checkBuild(chosen, values.build);
  if (values.write && (values.build !== "release" || values.quick || values.sizes.length)) {
    throw new Failure("--write is for the release, with all samples and sizes.");
  }
  await setupTests();
  await build(values.build);
  for (const section of chosen) {
    const { report, picture } = await measure(section, values);
    console.log(`\n## ${section.title}\n\n${report}\n`);
    if (values.write && section.whole) await write(section, report, picture);
    else if (picture) await save(join("target", "bench", section.picture), picture);
  }
}

/** Fails where a section's module is not in the build. */
async function checkBuild(sections, kind) {
  const { build: builds } = await toolchain();
  if (!Object.hasOwn(builds, kind)) throw new Failure(`--build ${kind}: one of ${Object.keys(builds).join(", ")}`);
  for (const { name, modules = [] } of sections) {
    const missing = modules.find((module) => !builds[kind].modules.includes(module));
    if (missing) throw new Failure(`The build ${kind} has no ${missing}, which ${name} is about: name other rows.`);
  }
}

/** Measures a section in a browser of its own: `{ report, picture }`, of which many have no picture. */
async function measure(section, { quick, build: kind }) {
  const { TestBrowser } = await import("../tests/system/harness.mjs");
  const browser = await TestBrowser.launch("chromium", { args: ["--enable-blink-features=ForceEagerMeasureMemory"] });
  try {
    const { rows, all, sizes } = section;
    const measured = await section.measure(rows, { browser: browser.puppeteer, all, sizes, quick, kind });
    return typeof measured === "string" ? { report: measured } : measured;
  } finally {
    await browser.destroy();
  }
}

async function write({ name, title, picture: file }, report, picture) {
  const { put } = await import("./report.mjs");
  const drawn = picture ? `\n\n![${title}](${file})` : "";
  await put(name, `## ${title}\n\n${measuredOn()}\n\n${report}${drawn}\n`);
  if (picture) await save(join("docs", file), picture);
}

async function save(file, content) {
  await mkdir(dirname(join(root, file)), { recursive: true });
  await writeFile(join(root, file), content);
  console.log(`Drawn: ${file}`);
}

function measuredOn() {
  const day = new Date().toISOString().slice(0, 10);
  const memory = Math.round(totalmem() / 2 ** 30);
  return `Measured on ${day}: ${cpus().length} × ${cpus()[0].model}, ${memory} GiB, headless Chromium.`;
}

await main(bench);
