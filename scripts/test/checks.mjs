// What needs no test to run: format, lints, types, sizes.

import { join } from "node:path";

import { budgets } from "../build.mjs";
import { root, toolchain } from "../project.mjs";
import { run } from "../steps.mjs";

/** Those of the crate. */
export async function checks(results, { suite }) {
  if (suite) return;
  const { rust } = await toolchain();
  const lint = (...targets) => ["clippy", ...targets, "--keep-going", "--locked", "--", "--deny", "warnings"];
  const forWasm = (...targets) => lint("--target", rust.target, ...targets);
  await check(results, "docs/coverage.md", "node", join(root, "scripts/coverage.mjs"), "--check");
  await check(results, "cargo fmt", "cargo", "fmt", "--all", "--check");
  await check(results, "clippy", "cargo", ...lint("--all-targets"));
  await check(results, "clippy for wasm", "cargo", ...forWasm("--lib", "--benches"));
  await check(results, "clippy for wasm, the suites", "cargo", ...forWasm("--tests", "--package", "neurite-browser-suites"));
  await check(results, "clippy for wasm, the queue alone", "cargo", ...forWasm("--lib", "--no-default-features"));
}

/** Those of the package. The types of what wasm-bindgen makes are part of what is checked. */
export async function packageChecks(results, { suite, kind, build }) {
  if (suite) return;
  await build();
  await check(results, "types", "tsc", "--project", "tsconfig.json");
  if ((await toolchain()).build[kind].budgets) await results.suite("size of the wasm", "native", () => sizes(kind));
}

function check(results, name, command, ...args) {
  return results.suite(name, "native", async () => {
    await run(command, args);
    return { passed: 1, failed: 0 };
  });
}

async function sizes(kind) {
  const all = await budgets(kind);
  const over = all.filter(({ kept }) => !kept);
  return { passed: all.length - over.length, failed: over.length, output: over.map(({ line }) => line).join("\n") };
}
