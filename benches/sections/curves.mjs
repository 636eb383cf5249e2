// How figures grow with what the homeserver or an account has.

import { ask, atMost, inTurns, mebibytes, milliseconds, openPage, serveBenches, table, whole } from "../harness.mjs";
import { linearMemory, visit } from "../homeserver/open.mjs";
import { middle } from "../measure.js";
import { draw } from "./curves-svg.mjs";
import { step } from "../../scripts/steps.mjs";

/** What is measured at each size, and how it is shown. */
const figures = {
  send: { title: "send", show: milliseconds },
  incremental: { title: "incremental sync", show: milliseconds },
  initial: { title: "initial sync", show: milliseconds },
  start: { title: "start", show: milliseconds },
  memory: { title: "memory", show: mebibytes },
};

export default {
  title: "Curves",
  picture: "curves.svg",
  async measure(rows, { browser, quick }) {
    const server = await serveBenches();
    try {
      const curves = [];
      for (const row of rows) curves.push(await curve(row, { browser, url: `${server.url}homeserver/`, quick }));
      return { report: reportOf(curves), picture: draw(curves, figures) };
    } finally {
      await server.close();
    }
  },
};

/**
 * Measures a homeserver at each of a row's sizes, in turns with another that stays at the smallest:
 * noise, and what else the machine does by then, meets both. Resolves to `{ row, sizes, points }`.
 */
async function curve(row, { browser, url, quick }) {
  const sizes = row.sizes.toSorted((a, b) => a - b);
  const smallest = await Grown.make(row, `${row.name}-smallest`, { browser, url });
  await smallest.grow(0, sizes[0]);
  const beside = await smallest.open();
  const grown = await Grown.make(row, row.name, { browser, url });
  const points = [];
  for (const [index, size] of sizes.entries()) {
    const name = `${row.what}: ${whole(size)}`;
    await step(`${name}, filling`, () => grown.grow(sizes[index - 1] ?? 0, size));
    points.push(await step(name, () => point(grown, beside.page, quick)));
  }
  await end(beside.page, "destroy");
  await end((await grown.visit()).page, "destroy");
  return { row, sizes, points };
}

/** A homeserver that grows. */
class Grown {
  #row;
  #storage;
  #place;
  #kept;

  constructor(row, storage, place) {
    this.#row = row;
    this.#storage = storage;
    this.#place = place;
  }

  static async make(row, storage, place) {
    const grown = new Grown(row, storage, place);
    const page = await openPage(place.browser, place.url);
    grown.#kept = await ask(page, "prepare", storage);
    await end(page, "stop");
    return grown;
  }

  /** Opens a page that starts it: `{ page, sinceStart }`. */
  async visit() {
    const { page, sinceStart } = await visit(this.#place.browser, this.#place.url, this.#storage);
    await ask(page, "resume", this.#kept);
    return { page, sinceStart };
  }

  /** The same, with what goes on there at this size. */
  async open() {
    const visited = await this.visit();
    if (this.#row.begins) await this.#call(visited.page, "begin");
    return visited;
  }

  async grow(from, to) {
    const { page } = await this.visit();
    await this.#call(page, "grow", from, to);
    await ask(page, "quiet");
    await end(page, "stop");
  }

  async #call(page, ...what) {
    ({ kept: this.#kept } = await ask(page, "call", this.#row.path, ...what));
  }
}

/** The figures at one size: `{ value, times }`, with how many times those of the smallest. */
async function point(grown, smallest, quick) {
  const starts = [];
  while (starts.length < (quick ? 1 : 5)) {
    const { page, sinceStart } = await grown.visit();
    starts.push(sinceStart);
    await end(page, "stop");
  }
  const { page } = await grown.open();
  const [rounds, samples] = quick ? [2, 20] : [7, 50];
  const compared = async (...task) => {
    const [least, value] = await inTurns(rounds, [
      [smallest, ...task],
      [page, ...task],
    ]);
    return { value, times: value / least };
  };
  const send = await compared("one", "requests/send", "homeserver.fetch", samples);
  const incremental = await compared("incrementalSync", samples / 5);
  const initial = { value: await ask(page, "initialSync", quick ? 2 : 5) };
  const memory = { value: await linearMemory(page) };
  await end(page, "stop");
  return { send, incremental, initial, start: { value: middle(starts) }, memory };
}

async function end(page, task) {
  await ask(page, task);
  await page.close();
}

function reportOf(curves) {
  return [
    "By `homeserver.fetch`; send and incremental sync with how many times those of the smallest that is,\n" +
      "which were measured in turns with it. Start is `start()` to the first answer, memory the wasm's\n" +
      "after a start and the messages and syncs that are measured here.\n",
    ...curves.map((curve) => `${tableOf(curve)}\n`),
    ...curves.flatMap(verdicts),
  ]
    .join("\n")
    .trimEnd();
}

function tableOf({ row, sizes, points }) {
  const cell = (key, { value, times }) => figures[key].show(value) + (times ? ` (${times.toFixed(2)})` : "");
  return table(
    [row.what, ...Object.values(figures).map(({ title }) => title)],
    sizes.map((size, index) => [whole(size), ...Object.keys(figures).map((key) => cell(key, points[index][key]))]),
  );
}

function verdicts({ row, sizes, points }) {
  const [smallest, largest] = [sizes[0], sizes.at(-1)].map(whole);
  return Object.entries(row.most ?? {}).map(([key, most]) => {
    const { times } = points.at(-1)[key];
    const title = figures[key].title.replace(/^./, (letter) => letter.toUpperCase());
    return `- ${title} with ${largest} ${row.what}: ${times.toFixed(2)} times that with ${smallest}; ${atMost(times, most)}.`;
  });
}
