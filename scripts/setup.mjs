// Everything the build and the tests need and the machine does not have yet. Quick when nothing is
// missing; otherwise one line for each thing installed.
//
//   node scripts/setup.mjs [--tests]

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { root, toolchain, toolsDir } from "./project.mjs";
import { Failure, main, run, step, which } from "./steps.mjs";

/** For building: npm packages, crates and the wasm target. The build sees to wasm-bindgen itself. */
export async function setup() {
  needRust();
  await Promise.all([npmPackages(), crates()]);
  const { rust, tools } = await toolchain();
  await matchesLock("wasm-bindgen", tools["wasm-bindgen-cli"].version);
  await rustTarget(rust);
}

/** wasm-bindgen, which can be made while what it is for is compiled; once, whoever asks for it. */
export function setupBindgen() {
  return (bindgen ??= makeBindgen());
}

let bindgen;

async function makeBindgen() {
  const { tools } = await toolchain();
  await cargoTool("wasm-bindgen-cli", tools["wasm-bindgen-cli"], "wasm-bindgen");
}

/** For testing, after `setup`: lint and format tools, the browsers, what drives them. */
export async function setupTests() {
  const { rust, tools } = await toolchain();
  await rustComponents(rust);
  await browsers();
  await setupBindgen();
  await cargoTool("wasm-pack", tools["wasm-pack"]);
  await cargoTool("geckodriver", tools.geckodriver);
}

/** The browsers and drivers the tests use; the environment can name others. */
export function browserPaths() {
  const { CHROMIUM, CHROMEDRIVER, FIREFOX, GECKODRIVER } = process.env;
  return {
    chromium: which(CHROMIUM, "chromium", "chromium-browser", "google-chrome"),
    chromedriver: which(CHROMEDRIVER, "chromedriver"),
    firefox: which(FIREFOX, "firefox-esr", "firefox"),
    geckodriver: which(GECKODRIVER, "geckodriver"),
  };
}

/** `npm ci`, when the lock file is not the one that node_modules was made from. */
async function npmPackages() {
  const stamp = join(root, "node_modules", ".installed-from");
  const lock = createHash("sha256")
    .update(await readFile(join(root, "package-lock.json")))
    .digest("hex");
  if ((await readFile(stamp, "utf8").catch(() => "")) === lock) return;
  await step("npm packages", async () => {
    // Engine warnings are about packages that only ever run in the browser.
    await run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    await writeFile(stamp, lock);
  });
}

/** Downloads what Cargo.lock names, while npm downloads too. */
async function crates() {
  const args = ["fetch", "--locked"];
  const { code } = await run("cargo", [...args, "--offline", "--quiet"], { check: false });
  if (code !== 0) await step("crates", () => run("cargo", args));
}

function needRust() {
  if (which("cargo") && which("rustup")) return;
  throw new Failure("Rust is missing: install it with rustup (https://rustup.rs), then try again.");
}

async function rustTarget({ target }) {
  const sysroot = (await run("rustc", ["--print", "sysroot"])).trim();
  if (existsSync(join(sysroot, "lib", "rustlib", target))) return;
  await step(`Rust's ${target}`, () => run("rustup", ["target", "add", target]));
}

async function rustComponents({ components }) {
  const binary = { clippy: "cargo-clippy", rustfmt: "rustfmt" };
  for (const component of components) {
    const { code } = await run(binary[component], ["--version"], { check: false });
    if (code === 0) continue;
    await step(`Rust's ${component}`, () => run("rustup", ["component", "add", component]));
  }
}

/** A tool from crates.io at its pinned version, in .tools/ unless it is on PATH already. */
async function cargoTool(name, { version, locked, takes, bins = [], features, config }, binary = name) {
  const { code, output } = await run(binary, ["--version"], { check: false });
  if (code === 0 && output.split(/\s+/, 2)[1] === version) return;
  const work = async () => {
    await mkdir(toolsDir, { recursive: true });
    const args = ["install", name, "--version", `=${version}`, "--root", toolsDir, "--force"];
    if (locked) args.push("--locked");
    for (const bin of bins) args.push("--bin", bin);
    if (features) args.push("--no-default-features", "--features", features.join(","));
    for (const setting of config) args.push("--config", setting);
    await run("cargo", args);
  };
  await step(`${name} ${version}`, work, { takes });
}

/** The tool and the crate have to be of one version: say so before a build fails over it. */
async function matchesLock(crate, version) {
  const lock = await readFile(join(root, "Cargo.lock"), "utf8");
  const locked = lock.match(new RegExp(`name = "${crate}"\\nversion = "([^"]+)"`))?.[1];
  if (locked === version) return;
  throw new Failure(
    `Cargo.lock has ${crate} ${locked}, but wasm-pack.toml pins its tool at ${version}: ` +
      `make them the same (cargo update -p ${crate} --precise ${version}, or the pin).`,
  );
}

/** Chromium, its driver and Firefox: from Debian where we may, else told to the person. */
async function browsers() {
  const found = browserPaths();
  const debian = { chromium: "chromium", chromedriver: "chromium-driver", firefox: "firefox-esr" };
  const missing = Object.keys(debian).filter((name) => !found[name]);
  if (missing.length === 0) return;
  const packages = missing.map((name) => debian[name]);
  if (!which("apt-get") || process.getuid?.() !== 0) {
    throw new Failure(
      `The tests need ${missing.join(", ")}. On Debian: sudo apt-get install ${packages.join(" ")}\n` +
        "Elsewhere install them, and name them in CHROMIUM, CHROMEDRIVER and FIREFOX if they are not on PATH.",
    );
  }
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  await step(packages.join(", "), async () => {
    await run("apt-get", ["update"], { env });
    await run("apt-get", ["install", "-y", "--no-install-recommends", ...packages], { env });
  });
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup();
    await setupBindgen();
    if (process.argv.includes("--tests")) await setupTests();
  });
}
