// The queue: through a port with the official NATS client, and by its Rust API; beside them one
// IndexedDB put, and a nats-server with the same client.

import { milliseconds, openPage, serveBenches, table, verdict } from "../harness.mjs";
import { middle } from "../measure.js";
import { buildBench, bundleClient } from "./build.mjs";
import { installed, settings, startNatsServer } from "./nats-server.mjs";

const CLIENT = "neurite, NATS client";
const RUST = "neurite, Rust API";
const notRust = (column) => column !== RUST;
const onlyRust = (column) => column === RUST;
const onlyOurs = (column) => column === CLIENT || column === RUST;

/**
 * What is measured: with how many messages, and for which columns of the report, if not for all.
 * A p50 is in milliseconds, anything else how many a second.
 */
const measures = {
  "put p50": {
    title: "one strict IndexedDB put (client: through a port; Rust: in the worker)",
    count: 200,
    of: onlyOurs,
  },
  "request p50": {
    title: "request and answer between clients (core NATS)",
    count: 200,
    of: notRust,
  },
  "publish p50": { title: "publish to a stream, one after the other", count: 200 },
  "publish with state p50": {
    title: "publish with a row of state, one after the other",
    count: 200,
    of: onlyRust,
  },
  "publish rate": { title: "publish to a stream, 256 in flight", count: 10_000 },
  "publish with state rate": {
    title: "publish with a row of state, 256 in flight",
    count: 10_000,
    of: onlyRust,
  },
  "fetch and ack": { title: "fetch 256 and `ack` each", count: 5_000 },
  "fetch and ackAck": { title: "fetch 256 and `ackAck` (Rust: `ack_now`) each", count: 5_000 },
  "fetch and ack with state": {
    title: "fetch 256 and `ack` each with a row of state",
    count: 5_000,
    of: onlyRust,
  },
  "fetch and ack all with state": {
    title: "fetch 256 and `ack_all` with 256 rows of state",
    count: 5_000,
    of: onlyRust,
  },
};
const isTime = (measure) => measure.endsWith("p50");

/** Measures the queue; its part of the report. */
export async function report(browser, { quick }) {
  await bundleClient();
  await buildBench();
  const figures = await takeAll(browser, { rounds: quick ? 2 : 5, scale: quick ? 0.25 : 1 });
  const columns = Object.keys(figures["publish p50"]);
  const rows = Object.entries(measures).map(([measure, { title }]) => [
    `${title}, ${isTime(measure) ? "p50" : "a second"}`,
    ...columns.map((column) => shown(measure, figures[measure][column])),
  ]);
  const notes = [...besideThePut(figures), ...besideNatsServer(figures, columns)];
  return [
    "## The queue\n",
    table(["what", ...columns], rows),
    "",
    ...notes.map((note) => `- ${note}.`),
  ].join("\n");
}

/** Takes the measures, those of several columns in turns; the figures by measure and column. */
async function takeAll(browser, { rounds, scale }) {
  const { pages, close } = await openAll(browser);
  try {
    const times = Object.keys(measures).filter(isTime);
    const rates = Object.keys(measures).filter((measure) => !isTime(measure));
    // Times are compared with each other, and taken before the rates leave many messages behind.
    const figures = await inTurns(pages, times, { rounds, scale });
    for (const rate of rates) Object.assign(figures, await inTurns(pages, [rate], { rounds, scale }));
    return figures;
  } finally {
    await close();
  }
}

/** Takes `chosen` measures of all in turns, so that noise meets all. */
async function inTurns(pages, chosen, { rounds, scale }) {
  const results = {};
  for (let round = 0; round <= rounds; round++) {
    for (const measure of chosen) {
      const { count, of } = measures[measure];
      for (const [column, page] of Object.entries(pages)) {
        if (of && !of(column)) continue;
        await page.bringToFront();
        const figure = await page.evaluate(
          (measure, count) => globalThis.measure(measure, count),
          measure,
          Math.ceil(count * scale),
        );
        // The first round warms up.
        if (round > 0) ((results[measure] ??= {})[column] ??= []).push(figure);
      }
    }
  }
  return mapped(results, (columns) => mapped(columns, middle));
}

const mapped = (object, change) =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

/** Opens a page for each column. */
async function openAll(browser) {
  const server = await serveBenches();
  const natsServers = [];
  const pages = {};
  const open = async (folder, url) => {
    const page = await openPage(browser, `${server.url}queue/${folder}/`);
    return { page, version: await page.evaluate((url) => globalThis.open(url), url) };
  };
  const close = async () => {
    for (const page of Object.values(pages)) await page.evaluate(() => finish()).catch(() => {});
    for (const natsServer of natsServers) await natsServer.close();
    await server.close();
  };
  try {
    pages[CLIENT] = (await open("client")).page;
    pages[RUST] = (await open("rust")).page;
    for (const setting of installed() ? Object.keys(settings) : []) {
      const natsServer = await startNatsServer(setting);
      if (!natsServer) continue;
      natsServers.push(natsServer);
      const { page, version } = await open("client", natsServer.url);
      pages[`nats-server ${version}, ${setting}`] = page;
    }
    return { pages, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function shown(measure, figure) {
  if (figure === undefined) return "–";
  return isTime(measure) ? milliseconds(figure) : Math.round(figure).toLocaleString("en");
}

function besideThePut(figures) {
  const { "publish p50": publish, "put p50": put } = figures;
  return [
    [CLIENT, "One publish by the client", "a put through a port"],
    [RUST, "One publish from Rust", "a put in the worker"],
  ].map(([column, what, than]) => {
    const ratio = publish[column] / put[column];
    return `${what} takes ${ratio.toFixed(2)} times ${than}; ${verdict(ratio <= 1.5, "≤ 1.5")}`;
  });
}

function besideNatsServer(figures, columns) {
  if (!installed()) return ["nats-server is not installed here: nothing to compare with"];
  const notes = [];
  for (const setting of Object.keys(settings)) {
    const other = columns.find((column) => column.endsWith(setting));
    if (!other) notes.push(`The nats-server that is installed has no ${setting}`);
    for (const measure of other ? ["publish rate", "fetch and ack"] : []) {
      const ratio = figures[measure][CLIENT] / figures[measure][other];
      const title = measures[measure].title.replace(/^./, (first) => first.toUpperCase());
      notes.push(`${title}: ${ratio.toFixed(2)} times ${other}; ${verdict(ratio >= 1, "≥ 1")}`);
    }
  }
  return notes;
}
