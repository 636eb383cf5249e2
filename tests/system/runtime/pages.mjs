// What the runtime's tests share.

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { wwwDir } from "../../../scripts/project.mjs";

/** The demo, with the pages of this folder beside it. */
export const folder = [wwwDir, dirname(fileURLToPath(import.meta.url))];

/** Opens bare.html with these options; resolves when its homeserver is ready. */
export async function openBare(browser, origin, options) {
  const query = new URLSearchParams({ rate_limits: "off", ...options });
  const page = await browser.open(`${origin}/bare.html?${query}`);
  await page.evaluate(async () => void (await globalThis.neuriteReady));
  return page;
}

/**
 * What `start()` rejects with on bare.html with these options, as `{ name, message }`. `prepare` runs
 * in the page before its scripts.
 */
export async function failToStart(browser, origin, options, prepare = () => {}) {
  const page = await browser.open();
  await page.evaluateOnNewDocument(prepare);
  await page.goto(`${origin}/bare.html?${new URLSearchParams(options)}`);
  const error = await page.evaluate(() =>
    globalThis.neuriteReady.then(
      () => undefined,
      ({ name, message }) => ({ name, message }),
    ),
  );
  await page.close();
  return error;
}
