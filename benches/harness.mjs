// What the sections share: pages in the browser, work in them, and tables of what they tell.

import { dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { distDir, root } from "../scripts/project.mjs";
import { serve } from "../scripts/serve.mjs";
import { progress } from "../scripts/steps.mjs";
import { middle } from "./measure.js";

/** What is built for the measures alone. */
export const scratchDir = join(root, "target", "bench", "served");

/** Pages that let no other origin in are told the time to 5 µs; others have to do with 100 µs. */
const isolated = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/** A server, and so an origin, with the pages of this folder and the package beside them. */
export function serveBenches() {
  const here = dirname(fileURLToPath(import.meta.url));
  return serve([scratchDir, here, distDir], { headers: isolated });
}

/** Opens a page of ours, in a browser or a context of one, and waits until it can be asked. */
export async function openPage(browser, url) {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(url);
  await page.waitForFunction(() => globalThis.look, { timeout: 60_000 });
  return page;
}

/** Has a page do one of its tasks, however long it takes, and shows how far it is. */
export async function ask(page, task, ...args) {
  await page.evaluate((task, args) => begin(task, args), task, args);
  // Looking takes some of the machine's time, so it is done less and less often.
  for (let wait = 40; ; wait = Math.min(wait * 1.5, 1000)) {
    const work = await page.evaluate(() => look());
    if (work.error) throw new Error(`${task}: ${work.error}`);
    if (work.done) return work.value;
    if (work.progress) progress(work.progress);
    await pause(wait);
  }
}

/**
 * Has several pages do a task each, given as `[page, task, ...args]`, in turns, so that noise meets
 * all; of each the median of what it tells.
 */
export async function inTurns(rounds, calls) {
  const results = calls.map(() => []);
  for (let round = 0; round <= rounds; round++) {
    progress(`round ${round} of ${rounds}`);
    for (const [index, [page, ...call]] of calls.entries()) {
      await page.bringToFront();
      const result = await ask(page, ...call);
      // The first round warms up.
      if (round > 0) results[index].push(result);
    }
  }
  return results.map(middle);
}

export const milliseconds = (time) => `${time.toFixed(2)} ms`;
export const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(1)} MiB`;
export const whole = (number) => Math.round(number).toLocaleString("en");

/** Whether a figure, or how it compares, is below what it may be at most. */
export const atMost = (figure, most) => `≤ ${most} ${figure <= most ? "✓" : "✗"}`;
export const atLeast = (figure, least) => `≥ ${least} ${figure >= least ? "✓" : "✗"}`;

/** A table in Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
