// What a build was made from, so that what has not changed is not made again.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

import { distDir, root } from "./project.mjs";

const record = join(distDir, ".built-from.json");

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

/** Runs `work` unless `outputs` are all there and were made from `inputs`. True if it ran. */
export async function whenChanged(name, inputs, outputs, work) {
  const made = JSON.parse(await readFile(record, "utf8").catch(() => "{}"));
  if (made[name] === inputs && outputs.every((output) => existsSync(output))) return false;
  await work();
  await mkdir(dirname(record), { recursive: true });
  await writeFile(record, JSON.stringify({ ...made, [name]: inputs }, null, 2));
  return true;
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
