// The Rust suites: natively with the memory store, and the same ones in headless browsers with
// IndexedDB, by wasm-pack.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { filesOf } from "../fingerprint.mjs";
import { root, toolchain } from "../project.mjs";
import { browserPaths } from "../setup.mjs";
import { Failure, run, step } from "../steps.mjs";

/** Time for one suite in one browser, and for its driver to be there, in seconds. */
const timeouts = { WASM_BINDGEN_TEST_TIMEOUT: "180", WASM_BINDGEN_TEST_DRIVER_TIMEOUT: "60" };

export async function nativeSuites(results, { suite }) {
  const suites = (await rustSuites()).filter(({ native, name }) => native && (suite ?? name) === name);
  if (suites.length === 0) return;
  await step("Rust tests, native", () => run("cargo", ["test", "--no-run", "--locked", "--quiet"]));
  if (!suite) {
    await results.suite("unit", "native", () => cargoTest(["--lib"]));
    await results.suite("doc", "native", () => cargoTest(["--doc"]), { mayBeEmpty: true });
  }
  for (const { name } of suites) {
    await results.suite(name, "native", () => cargoTest(["--test", name]));
  }
}

export async function browserSuites(results, { suite }) {
  const suites = (await rustSuites()).filter(({ wasm, name }) => wasm && (suite ?? name) === name);
  if (suites.length === 0) return;
  const { rust } = await toolchain();
  await step("Rust tests, wasm", () =>
    run("cargo", ["test", "--no-run", "--locked", "--quiet", "--target", rust.target]),
  );
  const webdriver = await webdriverFile();
  for (const { name } of suites) {
    // Side by side: most of the time goes into loading the browsers.
    await Promise.all(testBrowsers().map((browser) => browserSuite(results, name, browser, webdriver)));
  }
}

function browserSuite(results, name, browser, webdriver) {
  const args = ["test", "--headless", browser.flag, "--mode", "no-install", root, "--test", name];
  const env = { ...browser.env, ...timeouts, WASM_BINDGEN_TEST_WEBDRIVER_JSON: webdriver };
  return results.suite(name, browser.place, async () => {
    const ended = await run("wasm-pack", args, { env, check: false });
    const totals = cargoTotals({ ...ended, output: withoutGlue(ended.output) });
    if (totals.passed && !totals.output.includes(`Running headless tests in ${browser.title}`)) {
      throw new Failure(`not run in ${browser.title}:\n${totals.output}`);
    }
    return totals;
  });
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

/** Leaves out the stack frames that only tell how a test's panic travelled through the runner. */
function withoutGlue(output) {
  return output.replace(/^.*(wasm-bindgen-test(_bg\.wasm)?:|worker\.js:\d|^ +\d+: |^ +at \.\/).*\n/gm, "");
}

async function cargoTest(args) {
  return cargoTotals(await run("cargo", ["test", "--locked", "--quiet", ...args], { check: false }));
}

/** The sum of cargo's (and wasm-bindgen-test's) `test result:` lines. */
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
