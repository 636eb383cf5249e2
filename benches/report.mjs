// docs/benchmarks.md: each section's part comes after its mark, up to the next one.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { root } from "../scripts/project.mjs";

const file = join(root, "docs", "benchmarks.md");

/** Puts a section's part where its mark is. */
export async function put(name, part) {
  const mark = `<!-- ${name} -->`;
  const [before, rest] = (await readFile(file, "utf8")).split(mark);
  const after = rest.match(/<!-- [^]*/)?.[0] ?? "";
  await writeFile(file, `${before}${mark}\n\n${part}${after && `\n${after}`}`);
}
