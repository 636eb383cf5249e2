// The bench's own ways: what is measured in a page takes as long as it takes, and rows are found.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";

import { ask } from "../../benches/harness.mjs";
import { choose, sections, withSizes } from "../../benches/rows.mjs";
import { root } from "../../scripts/project.mjs";
import { browserNames, withBrowser } from "./harness.mjs";

const folder = [join(root, "benches"), join(root, "tests", "system", "runtime")];

/** Runs in a page: offers tasks as the bench's pages do. */
async function offerTasks() {
  const { offer } = await import("/work.js");
  offer({
    slow: async (time, value) => {
      await new Promise((resolve) => setTimeout(resolve, time));
      return value;
    },
    broken: () => Promise.reject(new Error("It does not go well.")),
  });
}

// The bench has no other browser.
if (browserNames.includes("chromium")) {
  test("work in a page may take longer than the browser's driver waits", () =>
    withBrowser(
      "chromium",
      async (browser, origin) => {
        const page = await browser.open(`${origin}/blank.html`);
        await page.evaluate(offerTasks);
        assert.equal(await ask(page, "slow", 3000, "done"), "done");
        await assert.rejects(ask(page, "broken"), /broken: Error: It does not go well/);
      },
      { folder, protocolTimeout: 1500 },
    ));
}

test("rows are chosen by their names or their section's, with other sizes", async () => {
  const all = await sections();
  const names = all.flatMap(({ name, rows }) => [name, ...rows.map((row) => row.name)]);
  assert.equal(new Set(names).size, names.length, "no name twice");
  for (const row of all.flatMap(({ rows }) => rows)) assert.equal(typeof row.what, "string", row.path);
  const brief = (chosen) => chosen.map(({ name, rows, whole }) => [name, rows.length, whole]);
  assert.deepEqual(brief(choose(all, ["send", "waits"])), [
    ["requests", 1, false],
    ["waits", all.find(({ name }) => name === "waits").rows.length, true],
  ]);
  assert.throws(() => choose(all, ["no-such-row"]), /no-such-row/);
  const [curves] = choose(withSizes(all, ["members=3,5"]), ["members"]);
  assert.deepEqual(curves.rows[0].sizes, [3, 5]);
  assert.throws(() => withSizes(all, ["send=1"]), /has no sizes/);
  assert.throws(() => withSizes(all, ["members=many"]), /numbers/);
});
