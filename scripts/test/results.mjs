// What the suites' runners counted.

import { Failure } from "../steps.mjs";

/** The places a suite runs in: the columns of the table. */
const places = ["native", "chromium", "firefox"];

export class Results {
  #rows = new Map();
  #start = performance.now();

  /**
   * Runs one suite in one place and tells it in a line. `work` resolves to
   * `{ passed, failed, skipped, output }`; the output is shown if something failed. A suite that
   * ran no test has failed, unless it `mayBeEmpty`: then it is not told.
   */
  async suite(name, place, work, { mayBeEmpty = false } = {}) {
    const start = performance.now();
    const result = await work().catch((error) => ({
      passed: 0,
      failed: 1,
      output: error.message,
    }));
    const { passed, failed, skipped = 0, output } = result;
    const empty = passed + failed === 0;
    if (empty && mayBeEmpty) return;
    this.#row(name)[place] = { passed, failed: failed + (empty ? 1 : 0), skipped };
    const counts = [
      `${passed} passed`,
      failed ? `${failed} FAILED` : "",
      skipped ? `${skipped} skipped` : "",
      empty ? "FAILED: ran no test" : "",
    ];
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    console.log(`${name} (${place}): ${counts.filter(Boolean).join(", ")}, ${seconds} s`);
    if (failed || empty) console.log(output?.trimEnd());
  }

  /** Tells that a group of suites ended early, which counts as one that failed. */
  ended(group, error) {
    this.#row(`${group}, ended early`).native = { passed: 0, failed: 1, skipped: 0 };
    console.log(error instanceof Failure ? error.message : error);
  }

  #row(name) {
    if (!this.#rows.has(name)) this.#rows.set(name, {});
    return this.#rows.get(name);
  }

  /** Prints the table and the closing line; true if there were tests and none failed. */
  print() {
    const total = { passed: 0, failed: 0, skipped: 0 };
    const lines = [["suite", ...places]];
    for (const [name, row] of this.#rows) {
      lines.push([name, ...places.map((place) => cell(row[place]))]);
      for (const counts of Object.values(row)) {
        for (const key of Object.keys(total)) total[key] += counts[key];
      }
    }
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    console.log();
    for (const [name, ...cells] of lines) {
      const padded = cells.map((text, index) => text.padStart(widths[index + 1]));
      console.log([name.padEnd(widths[0]), ...padded].join("  "));
    }
    const minutes = (performance.now() - this.#start) / 60_000;
    console.log(`\nafter ${minutes.toFixed(1)} minutes:`);
    const skipped = total.skipped ? `, ${total.skipped} skipped` : "";
    console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
    return total.passed > 0 && total.failed === 0;
  }
}

function cell(counts) {
  if (!counts) return "";
  if (counts.failed) return `${counts.failed} of ${counts.passed + counts.failed} FAILED`;
  return counts.skipped ? `${counts.passed} (${counts.skipped} skipped)` : `${counts.passed}`;
}
