// How large the wasm modules are, and may be.

import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

import { toolchain } from "./project.mjs";
import { step } from "./steps.mjs";

const pack = { brotli: promisify(brotliCompress), gzip: promisify(gzip) };
const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

/** The bytes of the module `name` in `folder`: `{ raw, gzip, brotli }`. Kept, since packing takes a while. */
export async function sizesOf(folder, name) {
  const wasm = await readFile(join(folder, `${name}_bg.wasm`));
  const of = createHash("sha256").update(wasm).digest("hex");
  const record = join(folder, "sizes.json");
  const kept = JSON.parse(await readFile(record, "utf8").catch(() => "{}"));
  if (kept.of === of) return kept.sizes;
  const sizes = await step(`${name}.wasm, packed`, async () => ({
    raw: wasm.length,
    gzip: (await pack.gzip(wasm, { level: 9 })).length,
    brotli: (await pack.brotli(wasm, best)).length,
  }));
  await writeFile(record, JSON.stringify({ of, sizes }));
  return sizes;
}

/** A module's budget in wasm-pack.toml, `{ most, goal }`, whether it keeps to it, and a line that says so. */
export async function budget(folder, name) {
  const { most, goal } = (await toolchain()).module[name].brotli;
  const { raw, brotli } = await sizesOf(folder, name);
  const kept = brotli <= most;
  const over = kept ? "" : `, ${kilobytes(brotli - most)} too much`;
  const line =
    `${name}.wasm: ${kilobytes(raw)}, in brotli ${kilobytes(brotli)} ` +
    `of ${kilobytes(most)}${over} (goal: ${kilobytes(goal)})`;
  return { most, goal, kept, line };
}

export const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
