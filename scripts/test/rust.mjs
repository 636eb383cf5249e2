// The Rust suites: natively with the memory store, and the same ones in headless browsers with
// IndexedDB, by wasm-pack.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";

import { artifacts } from "../cargo.mjs";
import { filesOf } from "../fingerprint.mjs";
import { root, toolchain } from "../project.mjs";
import { browserPaths } from "../setup.mjs";
import { manyAtATime, progress, run, step } from "../steps.mjs";

/** Time for all suites in one browser, and for its driver to be there, in seconds. */
const timeouts = { WASM_BINDGEN_TEST_TIMEOUT: "1200", WASM_BINDGEN_TEST_DRIVER_TIMEOUT: "60" };

/** The crate that has all suites for browsers in it, so that one wasm is made and loaded. */
const bundle = { name: "neurite-browser-suites", folder: "tests/browsers" };

export async function nativeSuites(results, { suite }) {
  const suites = (await rustSuites()).filter(({ native, name }) => native && (suite ?? name) === name);
  if (suites.length === 0) return;
  const programs = await step("Rust tests, native", () => testPrograms(suite ? ["--test", suite] : []));
  if (!suite) await results.suite("doc", "native", () => docTests(), { mayBeEmpty: true });
  const chosen = suite ? [suite] : ["unit", ...suites.map(({ name }) => name)];
  await manyAtATime(availableParallelism(), chosen, (name) =>
    results.suite(name, "native", async () => cargoTotals(await run(programs.get(name), [], { check: false }))),
  );
}

/** Builds the tests; their programs by the suites' names, `unit` for those of the library. */
async function testPrograms(chosen) {
  const made = (await artifacts(["test", "--no-run", ...chosen])).filter(({ executable }) => executable);
  const nameOf = ({ kind, name }) => (kind.includes("test") ? name : "unit");
  return new Map(made.map(({ target, executable }) => [nameOf(target), executable]));
}

const docTests = async () =>
  cargoTotals(await run("cargo", ["test", "--locked", "--quiet", "--doc"], { check: false }));

export async function browserSuites(results, { suite }) {
  const suites = (await rustSuites()).filter(({ wasm, name }) => wasm && (suite ?? name) === name);
  if (suites.length === 0) return;
  const { rust } = await toolchain();
  await step("Rust tests, wasm", () =>
    run("cargo", ["test", "--no-run", "--locked", "--quiet", "--package", bundle.name, "--target", rust.target]),
  );
  const webdriver = await webdriverFile();
  const names = suites.map(({ name }) => name);
  await Promise.all(
    testBrowsers().map((browser) =>
      step(`Rust tests, ${browser.title}`, () => inBrowser(results, names, suite, browser, webdriver)),
    ),
  );
}

/** Runs the suites of these names in one browser; `suite` is the only one that is wanted, if so. */
async function inBrowser(results, names, suite, browser, webdriver) {
  const args = ["test", "--headless", browser.flag, "--mode", "no-install", bundle.folder];
  if (suite) args.push("--", `${suite}::`);
  const env = { ...browser.env, ...timeouts, WASM_BINDGEN_TEST_WEBDRIVER_JSON: webdriver };
  const counts = new SuiteCounts();
  const { code, output } = await run("wasm-pack", args, { env, check: false, onLine: (line) => counts.take(line) });
  const elsewhere = !output.includes(`Running headless tests in ${browser.title}`);
  const sums = names.map((name) => ({ name, ...counts.of(name), ...(elsewhere ? { passed: 0 } : {}) }));
  for (const { name, ...sum } of sums) results.ran(name, browser.place, sum);
  const told = sums.some(({ passed, failed }) => failed || !passed);
  // It ended before its tests did.
  const cut = !told && (code !== 0 || !counts.complete);
  if (cut) results.ran("the end of the suites", browser.place, { passed: 0, failed: 1, seconds: 0 });
  if (told || cut) console.log(withoutGlue(output).trimEnd());
}

/** What the runner's lines say of each suite: tests are modules of theirs, run one after the other. */
class SuiteCounts {
  #suites = new Map();
  #last = performance.now();
  #done = 0;
  #announced;

  take(line) {
    const [, announced] = line.match(/^running (\d+) tests?/) ?? [];
    if (announced) this.#announced = Number(announced);
    const [, test, outcome] = line.match(/^test (\S+) \.\.\. (ok|FAIL|ignored)/) ?? [];
    const now = performance.now();
    if (test) {
      const name = test.split("::", 1)[0];
      if (!this.#suites.has(name)) this.#suites.set(name, { passed: 0, failed: 0, skipped: 0, seconds: 0 });
      const suite = this.#suites.get(name);
      suite[{ ok: "passed", FAIL: "failed", ignored: "skipped" }[outcome]]++;
      suite.seconds += (now - this.#last) / 1000;
      progress(`${++this.#done} of ${this.#announced} tests`);
    }
    if (test || announced) this.#last = now;
  }

  /** Whether all tests there are have ended. */
  get complete() {
    return this.#done === this.#announced;
  }

  of(name) {
    return this.#suites.get(name) ?? { passed: 0, failed: 0, skipped: 0, seconds: 0 };
  }
}

/** The runner takes the first driver that the environment names: each gets its own alone. */
function testBrowsers() {
  const { chromedriver: CHROMEDRIVER, geckodriver: GECKODRIVER } = browserPaths();
  const none = { CHROMEDRIVER: undefined, GECKODRIVER: undefined };
  return [
    { place: "chromium", flag: "--chrome", title: "Chrome", env: { ...none, CHROMEDRIVER } },
    { place: "firefox", flag: "--firefox", title: "Firefox", env: { ...none, GECKODRIVER } },
  ];
}

/**
 * The files of tests/. A suite for one kind of target alone says so to the compiler, in an inner
 * attribute; that is where it is read from.
 */
async function rustSuites() {
  const files = (await filesOf("tests")).filter((file) => /^tests\/[^/]+\.rs$/.test(file));
  return Promise.all(
    files.map(async (file) => {
      const source = await readFile(join(root, file), "utf8");
      return {
        name: basename(file, ".rs"),
        native: !/^#!\[cfg\(target_arch = "wasm32"\)\]/m.test(source),
        wasm: !/^#!\[cfg\(not\(target_arch = "wasm32"\)\)\]/m.test(source),
      };
    }),
  );
}

/** Leaves out what passed, and the stack frames that only tell how a panic travelled through the runner. */
function withoutGlue(output) {
  return output.replace(
    /^(test \S+ \.\.\. ok|.*(wasm-bindgen-test(_bg\.wasm)?:|worker\.js:\d|^ +\d+: |^ +at \.\/).*)\n/gm,
    "",
  );
}

/** The sum of cargo's `test result:` lines. */
function cargoTotals({ code, output }) {
  const totals = { passed: 0, failed: 0, skipped: 0, output };
  for (const [, passed, failed, skipped] of output.matchAll(
    /test result: .*? (\d+) passed; (\d+) failed; (\d+) ignored/g,
  )) {
    totals.passed += Number(passed);
    totals.failed += Number(failed);
    totals.skipped += Number(skipped);
  }
  // It did not build, or ended before its tests did.
  if (code !== 0 && totals.failed === 0) totals.failed = 1;
  return totals;
}

/** webdriver.json, with the browsers we found in place of the drivers' own search. */
async function webdriverFile() {
  const capabilities = JSON.parse(await readFile(join(root, "webdriver.json"), "utf8"));
  const { chromium, firefox } = browserPaths();
  capabilities["goog:chromeOptions"].binary = chromium;
  capabilities["moz:firefoxOptions"].binary = firefox;
  const file = join(root, "target", "webdriver.json");
  await mkdir(join(root, "target"), { recursive: true });
  await writeFile(file, JSON.stringify(capabilities));
  return file;
}
