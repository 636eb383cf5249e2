// The sections of the report, and the rows of each: files that are found by where they are.

import { readdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { Failure } from "../scripts/steps.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** The report's sections, in its order. Each is a module of sections/, and a folder of rows/. */
const names = ["requests", "waits", "starts", "size", "curves", "queue"];

/** All sections, each with its name and its rows; a row's `path` is `section/name`. */
export function sections() {
  return Promise.all(
    names.map(async (name) => {
      const section = await load(join("sections", `${name}.mjs`));
      const files = (await readdir(join(here, "rows", name))).sort();
      const rows = await Promise.all(
        files.map(async (file) => {
          const row = basename(file, ".js");
          return { ...(await load(join("rows", name, file))), name: row, path: `${name}/${row}` };
        }),
      );
      return { ...section, name, rows, all: rows, whole: true };
    }),
  );
}

const load = async (file) => (await import(pathToFileURL(join(here, file)))).default;

/** A line for each section and row. */
export function list(sections) {
  const line = ({ name, what, sizes }) => `  ${name.padEnd(24)}${what}${sizes ? `: ${sizes.join(", ")}` : ""}`;
  return sections
    .flatMap(({ name, title, sizes, rows }) => [line({ name, what: title, sizes }).trim(), ...rows.map(line)])
    .join("\n");
}

/** The sections with those rows that are named, or that are of a section that is; all without names. */
export function choose(sections, names) {
  check(sections, names);
  if (names.length === 0) return sections;
  return sections
    .map((section) => {
      const rows = section.rows.filter(({ name }) => names.includes(section.name) || names.includes(name));
      return { ...section, rows, whole: rows.length === section.all.length };
    })
    .filter(({ rows }) => rows.length > 0);
}

/** The sections with other sizes where `choices` say so, each as `NAME=N,N…`. */
export function withSizes(sections, choices) {
  const sizes = Object.fromEntries(
    choices.map((choice) => {
      const [name, numbers] = choice.split("=");
      return [name, (numbers ?? "").split(",").map(Number)];
    }),
  );
  check(sections, Object.keys(sizes));
  const change = (one) => {
    if (!sizes[one.name]) return one;
    if (!one.sizes) throw new Failure(`${one.name} has no sizes: --list shows which have.`);
    if (sizes[one.name].every((size) => Number.isInteger(size) && size >= 0)) return { ...one, sizes: sizes[one.name] };
    throw new Failure(`--sizes ${one.name}=…: numbers, with commas between them`);
  };
  return sections.map((section) => ({ ...change(section), rows: section.rows.map(change) }));
}

function check(sections, names) {
  const known = sections.flatMap(({ name, rows }) => [name, ...rows.map((row) => row.name)]);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown) throw new Failure(`There is no row ${unknown}: --list shows which there are.`);
}
