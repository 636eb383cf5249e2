// What a build was made from, so that what has not changed is not made again.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { root } from "./project.mjs";

/** A hash of the contents of `paths` (files, or folders with all that is in them) and of `extra`. */
export async function fingerprint(paths, extra = "") {
  const hash = createHash("sha256").update(extra);
  for (const path of paths) {
    for (const file of await filesOf(path)) {
      hash.update(`\0${file}\0`).update(await readFile(join(root, file)));
    }
  }
  return hash.digest("hex");
}

/**
 * Runs `work` unless the files `outputs` of `folder` are all there and were made from `inputs`.
 * `work` may empty the folder.
 */
export async function whenChanged(folder, inputs, outputs, work) {
  const record = join(folder, ".built-from");
  const made = await readFile(record, "utf8").catch(() => "");
  if (made === inputs && outputs.every((output) => existsSync(join(folder, output)))) return;
  await rm(record, { force: true });
  await work();
  await mkdir(folder, { recursive: true });
  await writeFile(record, inputs);
}

/** All files under `path`, relative to the project, in a stable order; none if it is not there. */
export async function filesOf(path) {
  const found = await stat(join(root, path)).catch(() => undefined);
  if (!found) return [];
  if (found.isFile()) return [path];
  const entries = await readdir(join(root, path), { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .sort();
}
