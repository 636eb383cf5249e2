// Builds what the queue's pages load beside the package: the client's page with the NATS client in
// it, and the wasm that has the Rust API's measures.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { fingerprint, whenChanged } from "../../scripts/fingerprint.mjs";
import { toolchain } from "../../scripts/project.mjs";
import { makeWasm } from "../../scripts/wasm.mjs";
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
  const out = join(scratchDir, "queue", "rust");
  const { cargo, takes } = (await toolchain()).module.neurite_queue;
  await whenChanged(out, inputs, ["queue_bench.js", "queue_bench_bg.wasm"], () =>
    makeWasm("queue_bench", "release", {
      crate: "bench",
      cargo: ["--bench", "queue", ...cargo],
      // In a folder of its own: what the package is made of stays untouched.
      target: "target/bench",
      out,
      takes: takes.release,
    }),
  );
}
