// Builds dist/ from the crate, worker/ and www/. What has not changed is not built again.
//
//   node scripts/build.mjs [--dev] [--verbose]
//
// dist/                       the npm package
//   neurite.js, neurite_bg.wasm, neurite.d.ts   what wasm-bindgen makes of the crate, and
//   neurite_queue.js …        of the queue alone
//   index.js                  the page's start(), from worker/page/index.ts
//   nats.js                   a NATS client's connect(), from worker/page/nats.ts
//   queue.js                  start() of the queue alone, from worker/page/queue.ts
//   types/                    the types of these three
//   worker.js                 the homeserver's dedicated worker (a module), with neurite.js in it
//   queue-worker.js           the same of the queue alone, with neurite_queue.js in it
//   service-worker.js         the service worker: one classic script
//   www/                      the demo, ready to be served: the pages of www/, their scripts, and
//                             beside them worker.js, neurite_bg.wasm, service-worker.js (its scope
//                             is the whole origin) and pkg/, the client's crypto, where its loader
//                             looks for it

import { cp, mkdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";

import { filesOf, fingerprint, whenChanged } from "./fingerprint.mjs";
import { distDir, root, toolchain, wwwDir } from "./project.mjs";
import { setup } from "./setup.mjs";
import { budget } from "./sizes.mjs";
import { main, run, step } from "./steps.mjs";
import { makeWasm } from "./wasm.mjs";

/** `kind`: a build of wasm-pack.toml. What dist/ has is of one kind. */
export async function build(kind = "release") {
  const { build: builds, module: modules } = await toolchain();
  const names = builds[kind].modules;
  // Side by side: the last and longest step of a release build is on one thread.
  await Promise.all(names.map((name) => buildModule(name, modules[name], kind)));
  if (builds[kind].budgets) for (const { line } of await budgets(kind)) console.log(line);
  await buildScripts(kind, names.map((name) => ({ name, ...modules[name] })));
}

/** How the modules of a kind that has budgets keep to theirs: see `budget`. */
export async function budgets(kind = "release") {
  const { modules } = (await toolchain()).build[kind];
  return Promise.all(modules.map((name) => budget(folderOf(kind, name), name)));
}

/** Where the modules of a kind stay, so that going from kind to kind makes nothing anew. */
const modulesOf = (kind) => join("target", "modules", kind);

/** The folder of one. */
export const folderOf = (kind, name) => join(root, modulesOf(kind), name);

const filesOfModule = (name) => [`${name}.js`, `${name}_bg.wasm`, `${name}.d.ts`, `${name}_bg.wasm.d.ts`];

async function buildModule(name, { cargo, target, takes }, kind) {
  const inputs = await fingerprint(["Cargo.toml", "Cargo.lock", ".cargo", "wasm-pack.toml", "src"]);
  const out = folderOf(kind, name);
  await whenChanged(out, inputs, filesOfModule(name), () =>
    makeWasm(name, kind, { crate: "cdylib", cargo: ["--lib", ...cargo], target, out, takes: takes[kind] }),
  );
}

async function buildScripts(kind, modules) {
  const made = modules.flatMap(({ name }) =>
    filesOfModule(name).map((file) => join(modulesOf(kind), name, file)),
  );
  const inputs = await fingerprint([
    ...["worker", "www", "package.json", "package-lock.json", "tsconfig.json", "scripts/build.mjs"],
    ...made,
  ]);
  const workers = modules.map(({ worker }) => worker);
  const outputs = ["index.js", "nats.js", "queue.js", "service-worker.js", ...workers.map((name) => `${name}.js`)];
  await whenChanged(distDir, inputs, outputs, () =>
    step("scripts", async () => {
      await rm(distDir, { recursive: true, force: true });
      for (const file of made) await copy(join(root, file), join(distDir, basename(file)));
      await packageScripts(workers);
      await demo();
    }),
  );
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  sourcemap: true,
  target: ["chrome109", "firefox115", "safari16.4"],
  logLevel: "warning",
  legalComments: "linked",
};

const pageEntries = ["index", "nats", "queue"].map((name) => `worker/page/${name}.ts`);

async function packageScripts(workers) {
  const { build: esbuild } = await import("esbuild");
  const module = { ...shared, format: "esm", outdir: distDir };
  await esbuild({ ...module, entryPoints: pageEntries, external: ["@nats-io/*"] });
  const entryPoints = workers.map((name) => `worker/server/${name}.ts`);
  await esbuild({ ...module, entryPoints, minifySyntax: true });
  // Classic: browsers that have module service workers are fewer, and an app's own service worker
  // can take it in by importScripts too.
  await esbuild({
    ...shared,
    format: "iife",
    entryPoints: ["worker/service-worker/service-worker.ts"],
    outdir: distDir,
  });
  await declarations();
}

/** dist/types/ for the package's users. */
async function declarations() {
  const config = join(distDir, ".declarations.json");
  await writeFile(
    config,
    JSON.stringify({
      extends: "../tsconfig.json",
      compilerOptions: {
        noEmit: false,
        declaration: true,
        emitDeclarationOnly: true,
        rootDir: "../worker",
        outDir: "types",
      },
      include: [],
      files: pageEntries.map((entry) => `../${entry}`),
    }),
  );
  await run("tsc", ["--project", config]);
  await rm(config);
}

async function demo() {
  const { build: esbuild } = await import("esbuild");
  const files = await filesOf("www");
  // A script directly in www/ is what a page loads; those in folders below are its parts.
  const entryPoints = files.filter(
    (file) => /^www\/[^/]+(?<!\.d)\.tsx?$/.test(file) && file !== demoServiceWorker,
  );
  await esbuild({
    ...shared,
    entryPoints,
    format: "esm",
    splitting: true,
    minify: true,
    outdir: wwwDir,
    define: { global: "globalThis" },
  });
  for (const file of files.filter((file) => !/\.(tsx?|css)$/.test(file))) {
    await copy(join(root, file), join(distDir, file));
  }
  for (const file of ["worker.js", "worker.js.map", "neurite_bg.wasm"]) {
    await copy(join(distDir, file), join(wwwDir, file));
  }
  for (const file of ["service-worker.js", "service-worker.js.map"]) {
    await copy(join(distDir, file), join(wwwDir, file));
  }
  const crypto = "pkg/matrix_sdk_crypto_wasm_bg.wasm";
  await copy(
    join(root, "node_modules/@matrix-org/matrix-sdk-crypto-wasm", crypto),
    join(wwwDir, crypto),
  );
  await offlineDemo();
}

const demoServiceWorker = "www/demo-service-worker.ts";

/** The demo's service worker, which is told all the files that the demo needs offline. */
async function offlineDemo() {
  const { build: esbuild } = await import("esbuild");
  const folder = relative(root, wwwDir);
  const files = (await filesOf(folder))
    .map((file) => relative(folder, file))
    .filter((file) => !/\.map$|\.LEGAL\.txt$|^bare\.|^service-worker\./.test(file));
  const build = await fingerprint(files.map((file) => join(folder, file)));
  await esbuild({
    ...shared,
    entryPoints: [demoServiceWorker],
    format: "iife",
    minify: true,
    outdir: wwwDir,
    define: {
      ASSETS: JSON.stringify(["./", ...files]),
      BUILD: JSON.stringify(build.slice(0, 12)),
    },
  });
}

async function copy(from, to) {
  await mkdir(dirname(to), { recursive: true });
  await cp(from, to);
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(async () => {
    await setup();
    await build(process.argv.includes("--dev") ? "dev" : "release");
  });
}
