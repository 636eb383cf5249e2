// What needs no test to run: format, lints, types.

import { toolchain } from "../project.mjs";
import { run } from "../steps.mjs";

export async function checks(results, { suite, build }) {
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
}
