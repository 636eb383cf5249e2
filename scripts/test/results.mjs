// What the suites' runners counted.

import { Failure } from "../steps.mjs";

/** The places a suite runs in: the columns of the table. */
const places = ["native", "chromium", "firefox"];

/** How many of the slowest suites are named. */
const SLOWEST = 12;

export class Results {
  #rows = new Map();
  #times = [];
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
    const empty = result.passed + result.failed === 0;
    if (empty && mayBeEmpty) return;
    this.ran(name, place, { ...result, seconds: (performance.now() - start) / 1000 });
  }

  /** Tells in a line what a suite in one place has come to, when it was run among others. */
  ran(name, place, { passed, failed, skipped = 0, seconds, output }) {
    const empty = passed + failed === 0;
    this.#row(name)[place] = { passed, failed: failed + (empty ? 1 : 0), skipped };
    this.#times.push({ name, place, seconds });
    const counts = [
      `${passed} passed`,
      failed ? `${failed} FAILED` : "",
      skipped ? `${skipped} skipped` : "",
      empty ? "FAILED: ran no test" : "",
    ];
    console.log(`${name} (${place}): ${counts.filter(Boolean).join(", ")}, ${seconds.toFixed(1)} s`);
    if ((failed || empty) && output) console.log(output.trimEnd());
  }

  /** Tells that a group of suites ended early, which counts as one that failed. */
  ended(group, error) {
    this.#row(`${group}, ended early`).native = { passed: 0, failed: 1, skipped: 0 };
    console.log(error instanceof Failure ? error.message : error);
  }

  /** Where the time goes. */
  #printSlowest() {
    const slowest = this.#times.toSorted((a, b) => b.seconds - a.seconds).slice(0, SLOWEST);
    const lines = slowest.map(({ name, place, seconds }) => [name, place, seconds.toFixed(1)]);
    printTable([["slowest", "place", "seconds"], ...lines]);
  }

  #row(name) {
    if (!this.#rows.has(name)) this.#rows.set(name, {});
    return this.#rows.get(name);
  }

  /** Prints the tables and the closing line; true if there were tests and none failed. */
  print() {
    this.#printSlowest();
    const total = { passed: 0, failed: 0, skipped: 0 };
    const lines = [["suite", ...places]];
    for (const [name, row] of this.#rows) {
      lines.push([name, ...places.map((place) => cell(row[place]))]);
      for (const counts of Object.values(row)) {
        for (const key of Object.keys(total)) total[key] += counts[key];
      }
    }
    printTable(lines);
    const minutes = (performance.now() - this.#start) / 60_000;
    console.log(`\nafter ${minutes.toFixed(1)} minutes:`);
    const skipped = total.skipped ? `, ${total.skipped} skipped` : "";
    console.log(`${total.passed} passed, ${total.failed} failed${skipped}`);
    return total.passed > 0 && total.failed === 0;
  }
}

function printTable(lines) {
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  console.log();
  for (const [name, ...cells] of lines) {
    const padded = cells.map((text, index) => text.padStart(widths[index + 1]));
    console.log([name.padEnd(widths[0]), ...padded].join("  "));
  }
}

function cell(counts) {
  if (!counts) return "";
  if (counts.failed) return `${counts.failed} of ${counts.passed + counts.failed} FAILED`;
  return counts.skipped ? `${counts.passed} (${counts.skipped} skipped)` : `${counts.passed}`;
}
