// What the measures share: pages in the browser, and tables of what they tell.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { distDir, root } from "../scripts/project.mjs";
import { serve } from "../scripts/serve.mjs";

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

/** Opens a page of ours, and waits until it can be asked. */
export async function openPage(browser, url) {
  const page = await browser.puppeteer.newPage();
  page.setDefaultTimeout(0);
  await page.goto(url);
  await page.waitForFunction(() => globalThis.ready === true, { timeout: 60_000 });
  return page;
}

export const milliseconds = (time) => `${time.toFixed(2)} ms`;
export const verdict = (met, bar) => `${bar} ${met ? "✓" : "✗"}`;

/** A table in Markdown. */
export function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
