// What needs no test to run: format, lints, types, sizes.

import { budgets } from "../build.mjs";
import { toolchain } from "../project.mjs";
import { run } from "../steps.mjs";

export async function checks(results, { suite, build, kind }) {
  if (suite) return;
  const { rust } = await toolchain();
  const check = (name, command, ...args) =>
    results.suite(name, "native", async () => {
      await run(command, args);
      return { passed: 1, failed: 0 };
    });
  const deny = ["--all-targets", "--keep-going", "--locked", "--", "--deny", "warnings"];
  await check("cargo fmt", "cargo", "fmt", "--check");
  await check("clippy", "cargo", "clippy", ...deny);
  await check("clippy for wasm", "cargo", "clippy", "--target", rust.target, ...deny);
  const queueAlone = ["--lib", "--no-default-features", "--locked", "--", "--deny", "warnings"];
  await check("clippy for wasm, the queue alone", "cargo", "clippy", "--target", rust.target, ...queueAlone);
  // The types of what wasm-bindgen makes are part of what is checked.
  await build();
  await check("types", "tsc", "--project", "tsconfig.json");
  if ((await toolchain()).build[kind].budgets) {
    await results.suite("size of the wasm", "native", async () => {
      const all = await budgets(kind);
      const over = all.filter(({ kept }) => !kept);
      return { passed: all.length - over.length, failed: over.length, output: over.map(({ line }) => line).join("\n") };
    });
  }
}
