// npm run bench: the homeserver in Chromium, each figure beside its floor in the same run.
//
//   npm run bench [-- --write] [--quick] [--no-fill] [--only queue]
//
// --write puts the tables into docs/benchmarks.md, --quick takes fewer samples, --no-fill leaves
// out the start over 100,000 events; --only queue measures the queue alone.

import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "../scripts/build.mjs";
import { distDir, root } from "../scripts/project.mjs";
import { serve } from "../scripts/serve.mjs";
import { setup, setupTests } from "../scripts/setup.mjs";
import { main } from "../scripts/steps.mjs";
import { TestBrowser } from "../tests/system/harness.mjs";
import { middle } from "./pages/measure.js";
import { queueSection } from "./queue/run.mjs";

const has = (flag) => process.argv.includes(flag);
const samples = has("--quick") ? 50 : 200;
const rounds = has("--quick") ? 2 : 5;
const pages = join(root, "benches", "pages");

const doors = [
  { door: "service worker", hop: "hop", put: "put", versionsBar: 1.2, sendBar: 1.6 },
  { door: "homeserver.fetch", hop: "port hop", put: "port put", versionsBar: 5, sendBar: 2 },
];

async function bench() {
  await setup();
  await setupTests();
  await build();
  const floorServer = await serve([join(root, "benches", "floor"), pages]);
  const homeServer = await serve([pages, distDir]);
  const browser = await TestBrowser.launch("chromium");
  try {
    const floor = await open(browser, floorServer.url, "ready");
    if (has("--only")) return await queue(browser, floor);
    const home = await open(browser, homeServer.url, "loaded");
    await home.evaluate(() => startUp("bench").then(() => prepare()));
    const latency = await latencies(floor, home);
    const rates = await throughput(floor, home);
    const whole = await wholes(home);
    await home.evaluate(() => destroy());
    const starts = await startUps(browser, homeServer.url);
    return [
      "## One request after the other\n",
      table(["what", "door", "p50", "floor p50", "times the floor", "bar"], latency),
      "\n## 32 at a time\n",
      table(["what", "door", "a second", "floor a second", "of the floor"], rates.rows),
      `\nSends by \`homeserver.fetch\` against sends through the service worker: ` +
        `${rates.doors.toFixed(1)} times as many a second (bar: at least 5).\n`,
      "\n## What people wait for\n",
      table(["what", "door", "p50"], whole),
      "\n## Start: from `start()` to the first answer\n",
      table(["homeserver", "median", "times the empty start", "bar"], starts),
      "\n## Size of the wasm\n",
      table(["what", "raw", "gzip", "brotli", "bar"], [
        await sizes("the homeserver", "neurite_bg.wasm", 2_000_000),
        await sizes("the queue alone", "neurite_queue_bg.wasm"),
      ]),
      `\n${await queue(browser, floor)}`,
    ].join("\n");
  } finally {
    await browser.destroy();
    await Promise.all([floorServer.close(), homeServer.close()]);
  }
}

function queue(browser, floor) {
  const put = async () => {
    await floor.bringToFront();
    return floor.evaluate((count) => one("port put", count), samples);
  };
  return queueSection(browser, { rounds, scale: has("--quick") ? 0.25 : 1, put, table, verdict });
}

async function open(browser, url, ready) {
  const page = await browser.puppeteer.newPage();
  page.setDefaultTimeout(0);
  await page.goto(url);
  await page.waitForFunction((name) => globalThis[name] === true, { timeout: 60_000 }, ready);
  return page;
}

/** Runs `measure` of the floor and of the homeserver in turns, so that noise meets both. */
async function inTurns(floor, home, floorCall, homeCall) {
  const results = { floor: [], home: [] };
  for (let round = 0; round <= rounds; round++) {
    await floor.bringToFront();
    const beneath = await floor.evaluate(...floorCall);
    await home.bringToFront();
    const above = await home.evaluate(...homeCall);
    // The first round warms up.
    if (round === 0) continue;
    results.floor.push(beneath);
    results.home.push(above);
  }
  return { floor: middle(results.floor), home: middle(results.home) };
}

async function latencies(floor, home) {
  const rows = [];
  for (const { door, hop, put, versionsBar, sendBar } of doors) {
    for (const [kind, beneath, bar] of [
      ["versions", hop, versionsBar],
      ["send", put, sendBar],
    ]) {
      const result = await inTurns(
        floor,
        home,
        [(of, count) => one(of, count), beneath, samples],
        [(of, by, count) => one(of, by, count), kind, door, samples],
      );
      const ratio = result.home / result.floor;
      rows.push([
        kind,
        door,
        milliseconds(result.home),
        `${milliseconds(result.floor)} (${beneath})`,
        ratio.toFixed(2),
        verdict(ratio <= bar, `≤ ${bar}`),
      ]);
    }
  }
  return rows;
}

async function throughput(floor, home) {
  const rows = [];
  const sends = {};
  for (const { door, hop, put } of doors) {
    for (const [kind, beneath] of [
      ["versions", hop],
      ["send", put],
    ]) {
      const result = await inTurns(
        floor,
        home,
        [(of, count) => many(of, count, 32), beneath, samples * 5],
        [(of, by, count) => many(of, by, count, 32), kind, door, samples * 5],
      );
      if (kind === "send") sends[door] = result.home;
      rows.push([
        kind,
        door,
        Math.round(result.home),
        `${Math.round(result.floor)} (${beneath})`,
        (result.home / result.floor).toFixed(2),
      ]);
    }
  }
  return { rows, doors: sends["homeserver.fetch"] / sends["service worker"] };
}

async function wholes(home) {
  await home.bringToFront();
  const rows = [];
  for (const { door } of doors) {
    const latency = await home.evaluate((by, count) => sendToSync(by, count), door, samples / 5);
    rows.push(["send until another's sync has it", door, milliseconds(latency)]);
  }
  for (const { door } of doors) {
    const time = await home.evaluate((by) => initialSync(by, 10, 20), door);
    rows.push(["initial sync of 10 rooms", door, milliseconds(time)]);
  }
  return rows;
}

async function startUps(browser, url) {
  const startOnce = async (storage) => {
    const page = await open(browser, url, "loaded");
    const time = await page.evaluate((name) => startUp(name), storage);
    return { page, time };
  };
  const empty = [];
  for (let round = 0; round < 9; round++) {
    const { page, time } = await startOnce(`empty-${round}`);
    empty.push(time);
    await page.evaluate(() => destroy());
    await page.close();
  }
  const rows = [["empty", milliseconds(middle(empty)), "1.00", ""]];
  if (has("--no-fill")) return rows;
  const { page } = await startOnce("full");
  // Takes longer than one call to the browser may.
  await page.evaluate(() => {
    const full = async () => {
      await prepare();
      await fill(1000, 100_000);
      await stop();
    };
    full().then(
      () => (globalThis.full = "done"),
      (error) => (globalThis.full = String(error)),
    );
  });
  const full = await (await page.waitForFunction(() => globalThis.full, { timeout: 0 })).jsonValue();
  if (full !== "done") throw new Error(full);
  await page.close();
  const filled = [];
  for (let round = 0; round < 9; round++) {
    const { page, time } = await startOnce("full");
    filled.push(time);
    await page.evaluate(() => stop());
    await page.close();
  }
  const ratio = middle(filled) / middle(empty);
  const name = "100,000 events in 1,000 rooms";
  rows.push([name, milliseconds(middle(filled)), ratio.toFixed(2), verdict(ratio <= 3, "≤ 3")]);
  return rows;
}

async function sizes(what, file, bar) {
  const wasm = await readFile(join(distDir, file));
  const packed = brotliCompressSync(wasm).length;
  const kilobytes = (bytes) => `${Math.round(bytes / 1000).toLocaleString("en")} kB`;
  return [
    what,
    kilobytes(wasm.length),
    kilobytes(gzipSync(wasm, { level: 9 }).length),
    kilobytes(packed),
    bar ? verdict(packed <= bar, `≤ ${kilobytes(bar)} in brotli`) : "",
  ];
}

const milliseconds = (time) => `${time.toFixed(2)} ms`;
const verdict = (met, bar) => `${bar} ${met ? "✓" : "✗"}`;

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

await main(async () => {
  const tables = await bench();
  const memory = Math.round(totalmem() / 2 ** 30);
  const machine = `${cpus().length} × ${cpus()[0].model}, ${memory} GiB, headless Chromium`;
  console.log(`${tables}\n\n${machine}`);
  if (!has("--write")) return;
  const file = join(root, "docs", "benchmarks.md");
  const text = await readFile(file, "utf8");
  const [before] = text.split("<!-- figures -->");
  const day = new Date().toISOString().slice(0, 10);
  const figures = `Measured on ${day}: ${machine}.\n\n${tables}\n`;
  await writeFile(file, `${before}<!-- figures -->\n\n${figures}`);
});
