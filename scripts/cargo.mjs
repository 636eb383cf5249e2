// Cargo, and what it says that it has made.

import { run } from "./steps.mjs";

/** Runs cargo; its messages about what it has made, or had already (`compiler-artifact`). */
export async function artifacts(args, env = {}) {
  const [command, ...rest] = args;
  const json = "--message-format=json-render-diagnostics";
  const output = await run("cargo", [command, "--locked", json, ...rest], { env });
  return output
    .split("\n")
    .filter((line) => line.startsWith('{"reason":"compiler-artifact"'))
    .map((line) => JSON.parse(line));
}
