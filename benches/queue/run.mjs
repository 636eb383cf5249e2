// The queue through the port, beside one IndexedDB put and a nats-server with the same client.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { distDir } from "../../scripts/project.mjs";
import { serve } from "../../scripts/serve.mjs";
import { middle } from "../pages/measure.js";
import { installed, settings, startNatsServer } from "./nats-server.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** What is measured: the unit, and of how many messages. */
const measures = {
  "request p50": { unit: "ms", count: 200 },
  "publish p50": { unit: "ms", count: 200 },
  "publish rate": { unit: "a second", count: 10_000 },
  "fetch and ack": { unit: "a second", count: 5_000 },
  "fetch and ackAck": { unit: "a second", count: 5_000 },
};

const titles = {
  "request p50": "request and answer between clients (core NATS), p50",
  "publish p50": "publish to a stream, one after the other, p50",
  "publish rate": "publish to a stream, 256 in flight",
  "fetch and ack": "fetch 256 and `ack` each",
  "fetch and ackAck": "fetch 256 and `ackAck` each",
};

/**
 * Measures in turns, so that noise meets all; resolves to the figures by measure and server.
 * `scale` is of the counts; `put()` measures one strict put through a port, in milliseconds.
 */
async function measure(browser, { rounds, scale, put }) {
  const folder = await mkdtemp(join(tmpdir(), "neurite-bench-"));
  await build({
    entryPoints: [join(here, "page.js")],
    bundle: true,
    format: "esm",
    outfile: join(folder, "page.js"),
    external: ["/queue.js"],
    logLevel: "warning",
  });
  const server = await serve([folder, here, distDir]);
  const natsServers = [];
  const pages = {};
  try {
    const open = async (name, url) => {
      const page = await browser.puppeteer.newPage();
      page.setDefaultTimeout(0);
      await page.goto(`${server.url}index.html`);
      await page.waitForFunction(() => globalThis.loaded);
      const version = await page.evaluate((url) => open(url), url);
      pages[url ? `nats-server ${version}, ${name}` : name] = page;
    };
    await open("neurite");
    if (installed()) {
      for (const setting of Object.keys(settings)) {
        const natsServer = await startNatsServer(setting);
        if (!natsServer) continue;
        natsServers.push(natsServer);
        await open(setting, natsServer.url);
      }
    }
    const figures = {};
    const puts = [];
    for (const [name, { count }] of Object.entries(measures)) {
      const results = Object.fromEntries(Object.keys(pages).map((page) => [page, []]));
      for (let round = 0; round <= rounds; round++) {
        for (const [of, page] of Object.entries(pages)) {
          await page.bringToFront();
          const result = await page.evaluate((name, count) => measure(name, count), name, Math.ceil(count * scale));
          // The first round warms up.
          if (round > 0) results[of].push(result);
        }
        if (name === "publish p50" && round > 0) puts.push(await put());
      }
      figures[name] = Object.fromEntries(Object.entries(results).map(([of, all]) => [of, middle(all)]));
    }
    return { figures, put: middle(puts) };
  } finally {
    for (const page of Object.values(pages)) await page.evaluate(() => finish()).catch(() => {});
    for (const natsServer of natsServers) await natsServer.close();
    await server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The section of the report; `table(head, rows)` and `verdict(met, bar)` are its. */
export async function queueSection(browser, { table, verdict, ...options }) {
  const { figures, put } = await measure(browser, options);
  const names = Object.keys(figures["publish p50"]);
  const show = (value, unit) => (unit === "ms" ? `${value.toFixed(2)} ms` : Math.round(value).toLocaleString("en"));
  const rows = Object.entries(measures).map(([measure, { unit }]) => [
    titles[measure] + (unit === "ms" ? "" : ", a second"),
    ...names.map((name) => show(figures[measure][name], unit)),
  ]);
  const ratio = figures["publish p50"].neurite / put;
  const notes = [
    `One publish takes ${ratio.toFixed(2)} times one strict IndexedDB put through a port ` +
      `(${put.toFixed(2)} ms); ${verdict(ratio <= 1.5, "≤ 1.5")}.`,
  ];
  for (const rival of names.filter((name) => name !== "neurite")) {
    for (const measure of ["publish rate", "fetch and ack"]) {
      const ratio = figures[measure].neurite / figures[measure][rival];
      notes.push(`${titles[measure]}: ${ratio.toFixed(2)} times ${rival}; ${verdict(ratio >= 1, "≥ 1")}.`);
    }
  }
  if (!installed()) notes.push("nats-server is not installed here: nothing to compare with.");
  const missing = Object.keys(settings).filter((setting) => !names.some((name) => name.endsWith(setting)));
  if (installed() && missing.length) notes.push(`The nats-server that is installed has no ${missing.join(", no ")}.`);
  return ["## The queue, with the official NATS client\n", table(["what", ...names], rows), "", ...notes.map((note) => `- ${note}`)].join("\n");
}
