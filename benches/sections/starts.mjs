// Starting: at somebody's first visit, with nothing stored, and with very much.

import { ask, atMost, mebibytes, milliseconds, openPage, table, whole } from "../harness.mjs";
import { linearMemory, scriptMemory, visit, withFloor } from "../homeserver/open.mjs";
import { middle } from "../measure.js";
import { progress, step } from "../../scripts/steps.mjs";

const shown = { time: milliseconds, memory: mebibytes };

export default {
  title: "Start and memory",
  sizes: [100_000],
  measure: (rows, { browser, quick, sizes: [events] }) =>
    withFloor(browser, async ({ url }) => {
      const rooms = Math.ceil(events / 100);
      const name = `${whole(events)} events in ${whole(rooms)} rooms`;
      await step(name, () => fillUp(browser, url, "full", rooms, events));
      const visits = {
        first: async () => {
          // Nothing is in its caches, the wasm's code neither.
          const context = await browser.createBrowserContext();
          const figures = await figuresOf(context, url, "empty", "stop");
          await context.close();
          return figures;
        },
        empty: () => figuresOf(browser, url, "empty", "destroy"),
        full: () => figuresOf(browser, url, "full", "stop"),
      };
      const figures = await step("starts", () => inTurns(quick ? 2 : 9, visits));
      return table(
        ["what", "first visit", "empty", name, "times the empty one", "bar"],
        rows.map(({ what, figure, unit, most }) => {
          const [first, empty, full] = Object.values(figures).map((all) => all[figure]);
          const bar = most ? atMost(full / empty, most) : "";
          return [what, ...[first, empty, full].map(shown[unit]), (full / empty).toFixed(2), bar];
        }),
      );
    }),
};

/** Makes each visit `rounds` times, in turns; the medians of their figures. */
async function inTurns(rounds, visits) {
  const all = {};
  for (let round = 0; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    for (const [name, make] of Object.entries(visits)) {
      const figures = await make();
      // The first round warms up.
      if (round > 0) (all[name] ??= []).push(figures);
    }
  }
  const medians = (list) =>
    Object.fromEntries(Object.keys(list[0]).map((key) => [key, middle(list.map((figures) => figures[key]))]));
  return Object.fromEntries(Object.entries(all).map(([name, list]) => [name, medians(list)]));
}

/** One visit, in a browser or a context of one, which ends with the task `end`. */
async function figuresOf(browser, url, storage, end) {
  const { page, sinceLoad, sinceStart } = await visit(browser, url, storage);
  const figures = { sinceLoad, sinceStart, linear: await linearMemory(page), scripts: await scriptMemory(page) };
  await ask(page, end);
  await page.close();
  return figures;
}

async function fillUp(browser, url, storage, rooms, events) {
  const page = await openPage(browser, url);
  await ask(page, "prepare", storage);
  await ask(page, "fill", rooms, events);
  await ask(page, "stop");
  await page.close();
}
