// Where things are, and what wasm-pack.toml says.

import { readFile } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { homedir } from "node:os";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Tools that the set-up installs for this project alone. */
export const toolsDir = join(root, ".tools");

/** What a build makes. */
export const distDir = join(root, "dist");

/** The servable demo. */
export const wwwDir = join(distDir, "www");

/**
 * The environment of every command run: the project's own tools come first on PATH, and cargo shows
 * its progress, which `run` takes from its output.
 */
export const environment = {
  ...process.env,
  CARGO_TERM_PROGRESS_WHEN: "always",
  CARGO_TERM_PROGRESS_WIDTH: "80",
  PATH: [
    join(toolsDir, "bin"),
    join(root, "node_modules", ".bin"),
    process.env.PATH ?? "",
    // Where rustup puts cargo, for shells that have not read its profile.
    join(process.env.CARGO_HOME ?? join(homedir(), ".cargo"), "bin"),
  ].join(delimiter),
};

/** wasm-pack.toml, parsed. Needs the npm packages. */
export async function toolchain() {
  const { parse } = await import("smol-toml");
  return parse(await readFile(join(root, "wasm-pack.toml"), "utf8"));
}
