// Suites that run in pages: each test of a suite is a function in a module that esbuild bundles with
// the official NATS clients, run against a queue of its own in the real worker; or, to see whether
// the tests themselves are right, against the nats-server whose websocket NATS_URL names.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { distDir } from "../../../scripts/project.mjs";
import { TestBrowser, inEachBrowser, serveDemo, waitFor } from "../harness.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** Serves the package with a page that has bundled `script` of this folder; ends with `close`. */
export async function servePage(script) {
  const outdir = await mkdtemp(join(tmpdir(), "neurite-queue-"));
  await build({
    stdin: { contents: script, resolveDir: here, loader: "js" },
    bundle: true,
    format: "esm",
    outfile: join(outdir, "bundle.js"),
    // What the package serves beside its workers, and what a client asks for in Node.js alone.
    external: ["/index.js", "/queue.js", "node:crypto"],
    logLevel: "warning",
  });
  const server = await serveDemo({ folder: [outdir, here, distDir] });
  const close = async () => {
    await server.close();
    await rm(outdir, { recursive: true });
  };
  return { url: server.url, close };
}

/** Declares the tests of `module`, whose default export is `tests`, in each browser. */
export function suite(module, tests) {
  inEachBrowser((name) => {
    let server;
    let browser;
    let page;

    before(async () => {
      server = await servePage(`
        import tests from "./${module}";
        import { run } from "./run.js";
        globalThis.run = (name) => run(name, tests[name]);
      `);
      browser = await TestBrowser.launch(name);
      page = await browser.open(`${server.url}page.html?${new URLSearchParams({ server: process.env.NATS_URL ?? "" })}`);
      await waitFor(page, () => globalThis.run !== undefined);
    });

    after(async () => {
      await browser?.destroy();
      await server?.close();
    });

    for (const title of Object.keys(tests)) {
      test(`${name}: ${title}`, () => page.evaluate((title) => run(title), title));
    }
  });
}
