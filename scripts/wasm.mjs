// From Rust to what a browser loads: cargo and wasm-bindgen.

import { existsSync } from "node:fs";
import { join } from "node:path";

import { artifacts } from "./cargo.mjs";
import { root, toolchain } from "./project.mjs";
import { setupBindgen } from "./setup.mjs";
import { Failure, run, step } from "./steps.mjs";

/**
 * Makes `name`.js, `name`_bg.wasm and their types in the folder `out`, by the build `kind` of
 * wasm-pack.toml. `crate` is the kind of target that is compiled ("cdylib" or "bench") and `cargo`
 * what chooses it; `target` is cargo's folder; `takes` is how long it takes at first, and later.
 */
export async function makeWasm(name, kind, { crate, cargo, target, out, takes: [first, later] }) {
  const { build: builds, rust } = await toolchain();
  const { profile, features, bindgen = [] } = builds[kind];
  const args = ["--target", rust.target, "--profile", profile, "--features", features.join(","), ...cargo];
  const make = async () => {
    const [compiled] = await Promise.all([compile(crate, args, target), setupBindgen()]);
    const to = ["--out-dir", out, "--out-name", name];
    await run("wasm-bindgen", [compiled, "--target", "web", ...bindgen, ...to]);
  };
  await step(`${name}.wasm, ${kind}`, make, { takes: existsSync(out) ? later : first });
}

/** Runs cargo; the path of the wasm that it has made of the `crate`. */
async function compile(crate, args, target) {
  const made = await artifacts(["build", ...args], { CARGO_TARGET_DIR: join(root, target) });
  const ours = made.filter(
    ({ manifest_path, target: { kind } }) => manifest_path === join(root, "Cargo.toml") && kind.includes(crate),
  );
  const wasm = ours.flatMap(({ filenames }) => filenames).find((file) => file.endsWith(".wasm"));
  if (wasm) return wasm;
  throw new Failure(`cargo did not say where the ${crate} is`);
}
