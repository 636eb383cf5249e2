// The queue: through a port with the official NATS client, and by its Rust API; beside them one
// IndexedDB put, and a nats-server with the same client.

import { ask, atLeast, atMost, inTurns, milliseconds, openPage, serveBenches, table, whole } from "../harness.mjs";
import { buildBench, bundleClient } from "../queue/build.mjs";
import { installed, settings, startNatsServer } from "../queue/nats-server.mjs";
import { step } from "../../scripts/steps.mjs";

/** A p50 is in milliseconds, anything else how many a second. */
const isTime = ({ measure }) => measure.endsWith("p50");
const shown = (row, figure) =>
  figure === undefined ? "–" : isTime(row) ? milliseconds(figure) : whole(figure);

export default {
  title: "The queue",
  modules: ["neurite_queue"],
  async measure(chosen, { browser, all, quick, kind }) {
    const floors = all.filter(({ name }) => chosen.some(({ floor }) => floor === name));
    const rows = [...new Set([...floors, ...chosen])];
    // Times are compared with each other, and taken before the rates leave many messages behind.
    const ordered = [...rows.filter(isTime), ...rows.filter((row) => !isTime(row))];
    await bundleClient();
    if (rows.some(({ of }) => of.includes("rust"))) await buildBench(kind);
    const { columns, close } = await openColumns(browser, new Set(rows.flatMap(({ of }) => of)));
    try {
      const figures = await takeAll(ordered, columns, { rounds: quick ? 2 : 5, scale: quick ? 0.25 : 1 });
      const lines = ordered.map((row) => [
        `${row.what}, ${isTime(row) ? "p50" : "a second"}`,
        ...columns.map(({ title }) => shown(row, figures[row.name][title])),
      ]);
      const notes = [...besideFloors(chosen, columns, figures), ...besideNatsServer(chosen, columns, figures)];
      return [table(["what", ...columns.map(({ title }) => title)], lines), "", ...notes].join("\n");
    } finally {
      await close();
    }
  },
};

/** The figures by row and column; those of several columns are taken in turns. */
async function takeAll(rows, columns, { rounds, scale }) {
  const figures = {};
  const take = async (row) => {
    const measured = columns.filter(({ kind }) => row.of.includes(kind));
    const count = Math.ceil(row.count * scale);
    const calls = measured.map(({ page }) => [page, "measure", row.measure, count]);
    const results = await inTurns(rounds, calls);
    figures[row.name] = Object.fromEntries(measured.map(({ title }, index) => [title, results[index]]));
  };
  for (const row of rows) await step(row.what, () => take(row));
  return figures;
}

/** Opens a page for each column of those kinds: `{ title, kind, page }`. */
async function openColumns(browser, kinds) {
  const server = await serveBenches();
  const natsServers = [];
  const columns = [];
  const open = async (folder, kind, title, url) => {
    const page = await openPage(browser, `${server.url}queue/${folder}/`);
    const version = await ask(page, "open", url);
    columns.push({ title: title(version), kind, page });
  };
  const close = async () => {
    for (const { page } of columns) await ask(page, "finish").catch(() => {});
    for (const natsServer of natsServers) await natsServer.close();
    await server.close();
  };
  try {
    if (kinds.has("client")) await open("client", "client", () => "neurite, NATS client");
    if (kinds.has("rust")) await open("rust", "rust", () => "neurite, Rust API");
    for (const setting of kinds.has("nats-server") && installed() ? Object.keys(settings) : []) {
      const natsServer = await startNatsServer(setting);
      if (!natsServer) continue;
      natsServers.push(natsServer);
      await open("client", "nats-server", (version) => `nats-server ${version}, ${setting}`, natsServer.url);
    }
    return { columns, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function besideFloors(rows, columns, figures) {
  return rows
    .filter(({ floor }) => floor)
    .flatMap((row) =>
      columns
        .filter(({ title }) => title in figures[row.name] && title in figures[row.floor])
        .map(({ title }) => {
          const [figure, floor] = [figures[row.name][title], figures[row.floor][title]];
          const own = `${milliseconds(figure - floor)} of our own`;
          return (
            `- ${sentence(row.what)}: ${(figure / floor).toFixed(2)} times a put (${title}), ${own}; ` +
            `${atMost(figure / floor, row.most)}.`
          );
        }),
    );
}

function besideNatsServer(rows, columns, figures) {
  const compared = rows.filter(({ least }) => least);
  if (compared.length === 0) return [];
  if (!installed()) return ["- nats-server is not installed here: nothing to compare with."];
  const [ours] = columns;
  return Object.keys(settings).flatMap((setting) => {
    const other = columns.find(({ title }) => title.endsWith(setting));
    if (!other) return [`- The nats-server that is installed has no ${setting}.`];
    return compared.map((row) => {
      const ratio = figures[row.name][ours.title] / figures[row.name][other.title];
      return `- ${sentence(row.what)}: ${ratio.toFixed(2)} times ${other.title}; ${atLeast(ratio, row.least)}.`;
    });
  });
}

const sentence = (text) => text.replace(/^./, (letter) => letter.toUpperCase());
