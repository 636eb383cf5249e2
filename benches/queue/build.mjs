// Builds what the queue's pages load beside the package: the client's page with the NATS client in
// it, and the wasm that has the Rust API's measures.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { fingerprint, whenChanged } from "../../scripts/fingerprint.mjs";
import { root, toolchain } from "../../scripts/project.mjs";
import { Failure, run, step } from "../../scripts/steps.mjs";
import { scratchDir } from "../harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** Bundles the client's page. */
export function bundleClient() {
  return build({
    entryPoints: [join(here, "client", "page.js")],
    bundle: true,
    format: "esm",
    outfile: join(scratchDir, "queue", "client", "page.js"),
    // Served as they are, since they start workers that lie beside them.
    external: ["/floor/port.js", "/queue.js"],
    logLevel: "warning",
  });
}

/** Builds queue_bench.js and its wasm, in the way of the package's release. */
export async function buildBench() {
  const inputs = await fingerprint(
    ["Cargo.toml", "Cargo.lock", ".cargo", "wasm-pack.toml", "src", "benches/queue/rust"],
  );
  const [script, wasm] = ["queue_bench.js", "queue_bench_bg.wasm"].map((file) => join(scratchDir, file));
  await whenChanged("queue_bench", inputs, [script, wasm], async () => {
    const { rust, module, build: builds } = await toolchain();
    const { profile, "wasm-opt": optimizations } = builds.release;
    await step("queue_bench.wasm, release", async () => {
      const { cargo } = module.neurite_queue;
      const built = await cargoBench(["--target", rust.target, "--profile", profile, ...cargo]);
      const out = ["--out-dir", scratchDir, "--out-name", "queue_bench"];
      await run("wasm-bindgen", [built, "--target", "web", "--no-typescript", ...out]);
    });
    await step("wasm-opt", () => run("wasm-opt", [wasm, "-o", wasm, ...optimizations]));
  });
}

/** Compiles the bench named `queue` of Cargo.toml; the path of what comes of it. */
async function cargoBench(args) {
  // In a folder of its own: what the package is made of stays untouched.
  const env = { CARGO_TARGET_DIR: join(root, "target", "bench") };
  const json = "--message-format=json-render-diagnostics";
  const output = await run("cargo", ["build", "--bench", "queue", "--locked", json, ...args], { env });
  for (const line of output.split("\n").filter((line) => line.startsWith("{"))) {
    const { target, executable } = JSON.parse(line);
    if (target?.kind.includes("bench") && executable) return executable;
  }
  throw new Failure("cargo did not say where the bench is");
}
