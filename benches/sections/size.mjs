// How large the wasm is.

import { folderOf } from "../../scripts/build.mjs";
import { toolchain } from "../../scripts/project.mjs";
import { budget, kilobytes, sizesOf } from "../../scripts/sizes.mjs";
import { table } from "../harness.mjs";

export default {
  title: "Size of the wasm",
  async measure(_, { kind }) {
    const { modules } = (await toolchain()).build[kind];
    const rows = modules.map(async (name) => {
      const folder = folderOf(kind, name);
      const { raw, gzip, brotli } = await sizesOf(folder, name);
      const { most, goal, kept } = await budget(folder, name);
      const bar = `≤ ${kilobytes(most)} in brotli ${kept ? "✓" : "✗"}`;
      return [name, ...[raw, gzip, brotli].map(kilobytes), bar, kilobytes(goal)];
    });
    return table(["module", "raw", "gzip", "brotli", "budget", "goal"], await Promise.all(rows));
  },
};
