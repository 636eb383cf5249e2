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

/** Builds queue_bench.js and its wasm, in the way of the package's build `kind`. */
export async function buildBench(kind) {
  const inputs = await fingerprint(
    ["Cargo.toml", "Cargo.lock", ".cargo", "wasm-pack.toml", "src", "benches/queue/rust"],
    kind,
  );
  const out = join(scratchDir, "queue", "rust");
  const { cargo, target, takes } = (await toolchain()).module.neurite_queue;
  await whenChanged(out, inputs, ["queue_bench.js", "queue_bench_bg.wasm"], () =>
    makeWasm("queue_bench", kind, {
      crate: "bench",
      cargo: ["--bench", "queue", ...cargo],
      // What the package's module was made of is there already.
      target,
      out,
      takes: takes[kind],
    }),
  );
}
