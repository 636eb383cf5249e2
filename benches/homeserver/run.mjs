// The homeserver: its requests beside their floor, what people wait for, its start and its size.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { distDir } from "../../scripts/project.mjs";
import { milliseconds, openPage, serveBenches, table, verdict } from "../harness.mjs";
import { middle } from "../measure.js";

/** The quicker door is sampled more often, so that a moment's noise weighs no more there. */
const doors = [
  { door: "service worker", hop: "hop", put: "put", versionsBar: 1.2, sendBar: 1.6, often: 1 },
  { door: "homeserver.fetch", hop: "port hop", put: "port put", versionsBar: 5, sendBar: 2, often: 5 },
];

/** Measures it, with `fill` also the start over 100,000 events; its part of the report. */
export async function report(browser, { quick, fill }) {
  const [floorServer, homeServer] = [await serveBenches(), await serveBenches()];
  const openHome = () => openPage(browser, `${homeServer.url}homeserver/`);
  try {
    const floor = await openPage(browser, `${floorServer.url}floor/`);
    const home = await openHome();
    await home.evaluate(() => startUp("bench").then(() => prepare()));
    const pages = { floor, home, samples: quick ? 50 : 100, rounds: quick ? 2 : 15 };
    const latency = await latencies(pages);
    const rates = await throughput(pages);
    const whole = await wholes(pages);
    await home.evaluate(() => destroy());
    const starts = await startUps(openHome, fill);
    return [
      "## One request after the other\n",
      table(["what", "door", "p50", "floor p50", "times the floor", "bar"], latency),
      "\n## 32 at a time\n",
      table(["what", "door", "a second", "floor a second", "of the floor"], rates.rows),
      `\nSends by \`homeserver.fetch\` against sends through the service worker: ` +
        `${rates.doors.toFixed(1)} times as many a second; ${verdict(rates.doors >= 5, "≥ 5")}.`,
      "\n## What people wait for\n",
      table(["what", "door", "p50"], whole),
      "\n## Start: from `start()` to the first answer\n",
      table(["homeserver", "median", "times the empty start", "bar"], starts),
      "\n## Size of the wasm\n",
      table(["what", "raw", "gzip", "brotli", "bar"], [
        await sizes("the homeserver", "neurite_bg.wasm", 2_000_000),
        await sizes("the queue alone", "neurite_queue_bg.wasm"),
      ]),
    ].join("\n");
  } finally {
    await Promise.all([floorServer.close(), homeServer.close()]);
  }
}

/** Runs a measure of the floor and of the homeserver in turns, so that noise meets both. */
async function inTurns({ floor, home, rounds }, floorCall, homeCall) {
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

async function latencies(pages) {
  const rows = [];
  for (const { door, hop, put, versionsBar, sendBar, often } of doors) {
    for (const [kind, beneath, bar] of [
      ["versions", hop, versionsBar],
      ["send", put, sendBar],
    ]) {
      const result = await inTurns(
        pages,
        [(of, count) => one(of, count), beneath, pages.samples * often],
        [(of, by, count) => one(of, by, count), kind, door, pages.samples * often],
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

async function throughput(pages) {
  const rows = [];
  const sends = {};
  for (const { door, hop, put } of doors) {
    for (const [kind, beneath] of [
      ["versions", hop],
      ["send", put],
    ]) {
      const result = await inTurns(
        pages,
        [(of, count) => many(of, count, 32), beneath, pages.samples * 5],
        [(of, by, count) => many(of, by, count, 32), kind, door, pages.samples * 5],
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

async function wholes({ home, samples }) {
  await home.bringToFront();
  const rows = [];
  for (const { door } of doors) {
    const latency = await home.evaluate((by, count) => sendToSync(by, count), door, samples / 2);
    rows.push(["send until another's sync has it", door, milliseconds(latency)]);
  }
  for (const { door } of doors) {
    const time = await home.evaluate((by) => initialSync(by, 10, 20), door);
    rows.push(["initial sync of 10 rooms", door, milliseconds(time)]);
  }
  return rows;
}

async function startUps(openHome, fill) {
  const times = async (storage, end) => {
    const all = [];
    for (let round = 0; round < 9; round++) {
      const page = await openHome();
      all.push(await page.evaluate((name) => startUp(name), storage));
      await end(page);
      await page.close();
    }
    return middle(all);
  };
  const empty = await times("empty", (page) => page.evaluate(() => destroy()));
  const rows = [["empty", milliseconds(empty), "1.00", ""]];
  if (!fill) return rows;
  await fillUp(await openHome(), "full");
  const full = await times("full", (page) => page.evaluate(() => stop()));
  const ratio = full / empty;
  const name = "100,000 events in 1,000 rooms";
  rows.push([name, milliseconds(full), ratio.toFixed(2), verdict(ratio <= 3, "≤ 3")]);
  return rows;
}

/** Fills a homeserver, stops it and closes the page. */
async function fillUp(page, storage) {
  // Takes longer than one call to the browser may.
  await page.evaluate((name) => {
    const filling = async () => {
      await startUp(name);
      await prepare();
      await fill(1000, 100_000);
      await stop();
    };
    filling().then(
      () => (globalThis.filled = "done"),
      (error) => (globalThis.filled = String(error)),
    );
  }, storage);
  const filled = await (await page.waitForFunction(() => globalThis.filled)).jsonValue();
  if (filled !== "done") throw new Error(filled);
  await page.close();
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
