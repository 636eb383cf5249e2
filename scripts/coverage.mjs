// docs/coverage.md: how each operation of the Client-Server API is answered here, from the table of
// operations that tests/client_api_schema.rs holds the homeserver against, and from what handlers
// and suites say of the paths that they are for.
//
//   npm run coverage              writes it
//   npm run coverage -- --check   fails when it is not up to date; of suites, those that it names
//                                 still have to ask at the path

import { readFile, readdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import { root } from "./project.mjs";

const file = join(root, "docs/coverage.md");
const here = "client_api_schema";
/** How many suites are named beside that. */
const beside = 2;

/**
 * The text of docs/coverage.md as it is to be. Suites that `before` names stay where they still ask;
 * others come to them up to `most`.
 */
async function coverage(before, most) {
  const named = new Map(
    before.split("\n").map((line) => {
      const cells = line.split("|").map((cell) => cell.trim());
      return [cells[1], cells[6]?.match(/[^`, ]+/g) ?? []];
    }),
  );
  const { specification, operations } = await table("operations");
  const { examples } = await table("examples");
  const handlers = await texts("src/client_api", /\.rs$/);
  const suites = (await texts("tests", /[/\\]tests[/\\](system[/\\])?[^/\\]*(\.rs|\.test\.mjs)$/)).filter(
    ({ name }) => name !== here,
  );
  const rows = operations.map((operation) => {
    const { id, method, path, since = "", deprecated } = operation;
    const [handler] = handlers.filter(({ text }) => answers(text, operation));
    if (!handler && !/M_UNRECOGNIZED/.test(examples[id].refusal)) throw new Error(`no handler says that it is for ${id}`);
    const asks = asking(path);
    const counted = suites.map(({ name, text }) => ({ name, times: text.match(asks)?.length ?? 0 }));
    const those = counted.filter(({ times }) => times > 0).sort((a, b) => b.times - a.times);
    const title = `\`${id}\`${deprecated ? " (deprecated)" : ""}`;
    const kept = (named.get(title) ?? []).filter((suite) => those.some(({ name }) => name === suite));
    const more = those.map(({ name }) => name).filter((name) => !kept.includes(name));
    const suitesBeside = [...kept, ...more.slice(0, Math.max(0, most - kept.length))];
    return [
      title,
      `\`${method} ${path}\``,
      since,
      examples[id].refusal ? `refused: ${examples[id].refusal}` : "answered",
      handler ? `\`${handler.name}\`` : "",
      suitesBeside.map((name) => `\`${name}\``).join(", "),
    ];
  });
  const refused = rows.filter(([, , , answer]) => answer !== "answered").length;
  return `# What is answered of the Client-Server API

Written by \`npm run coverage\`; \`npm test\` sees whether it is up to date.

Version ${specification} of the specification has ${rows.length} operations. ${rows.length - refused} are answered.
${refused} are always refused, as the specification has it for a homeserver that has no identity provider, application
services, bridges, policy server or OAuth, and that can send neither mail nor messages.

\`tests/${here}.rs\` sends an example of each, and everything that is wrong in one place of it, which is refused.
The suites of a row ask at the same path too. An operation without a version is older than 1.1.

| operation | request | since | here | in src/client_api | suites beside it |
|---|---|---|---|---|---|
${rows.map((row) => `| ${row.join(" | ")} |`).join("\n")}
`;
}

const table = async (name) => JSON.parse(await readFile(join(root, "tests", here, `${name}.json`), "utf8"));

/** The files of a folder: their names, as the table has them, and what is in them. */
async function texts(folder, pattern) {
  const found = await readdir(join(root, folder), { recursive: true, withFileTypes: true });
  const files = found.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const chosen = files.filter((path) => pattern.test(path)).sort();
  return Promise.all(
    chosen.map(async (path) => ({
      name: relative(join(root, folder), path)
        .replaceAll("\\", "/")
        .replace(/\.(rs|test\.mjs)$/, ""),
      text: await readFile(path, "utf8"),
    })),
  );
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Whether the comment of a handler in `text` names the operation. */
function answers(text, { method, path }) {
  const named = path.split("/").map((segment) => (segment.startsWith("{") ? "\\{\\w+\\}" : escaped(segment)));
  return new RegExp(`\`${method} ${named.join("/")}\``).test(text);
}

/**
 * What is in the text of a suite that asks at a path: the path, whatever its version and variables
 * are, or what of it is behind its first variable, where the text has the rest in one of its own.
 */
function asking(path) {
  const [, start, rest] = /^(\/\.well-known|\/_matrix\/\w+)\/(?:[vr]\d\/)?(.*)$/.exec(path);
  const segments = rest.split("/").map((segment) => (segment.startsWith("{") ? "[^/\"`?\\s]+" : escaped(segment)));
  const whole = `${start === "/.well-known" ? start : "/[vr]\\d"}/${segments.join("/")}`;
  const variable = segments.findIndex((segment) => segment.startsWith("["));
  const behind = variable < 0 ? [] : segments.slice(variable + 1);
  const ways = behind.some((segment) => !segment.startsWith("[")) ? [whole, `[}"\`]/${behind.join("/")}`] : [whole];
  return new RegExp(`(?:${ways.join("|")})["\`?]`, "g");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const before = await readFile(file, "utf8").catch(() => "");
  if (!process.argv.includes("--check")) await writeFile(file, await coverage(before, beside));
  else if (before !== (await coverage(before, 0))) {
    console.error("docs/coverage.md is not up to date: npm run coverage");
    process.exitCode = 1;
  }
}
