// Drives real browsers for the whole-system tests: Chromium over CDP, Firefox over WebDriver BiDi,
// each on an empty profile, against the built demo on a free port of loopback.

import { mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

import { root, wwwDir } from "../../scripts/project.mjs";
import { serve } from "../../scripts/serve.mjs";
import { browserPaths } from "../../scripts/setup.mjs";

/** The browsers to test in: both, unless the environment's BROWSERS names fewer. */
export const browserNames = (process.env.BROWSERS ?? "chromium,firefox").split(",");

/** Runs `declare(name)` for each browser: declare the tests in it, with `name` in their titles. */
export function inEachBrowser(declare) {
  for (const name of browserNames) declare(name);
}

/**
 * Serves the built demo; resolves to `{ url, port, close }`. `port` brings a former origin back;
 * `folder` is what is served, several when it is a list; `onrequest` is the server's.
 */
export function serveDemo({ port = 0, folder = wwwDir, onrequest } = {}) {
  return serve(folder, { ports: [port], onrequest });
}

/**
 * Launches the browser `name` on an empty profile and the demo's server, runs
 * `work(browser, origin)` and ends both. `origin` has no slash at its end; `options` are those of
 * `serveDemo` and of `TestBrowser.launch`.
 */
export async function withBrowser(name, work, options) {
  const server = await serveDemo(options);
  const browser = await TestBrowser.launch(name, options);
  try {
    return await work(browser, server.url.slice(0, -1));
  } finally {
    await browser.destroy();
    await server.close();
  }
}

/** A browser on a profile of its own, which outlives closing, killing and opening it again. */
export class TestBrowser {
  #profile;
  #settings;
  #browser;

  /** What pages of this browser have said that they should not: see `open`. */
  problems = [];

  constructor(name, profile, settings) {
    this.name = name;
    this.#profile = profile;
    this.#settings = settings;
  }

  /**
   * `args` are Chromium's, `prefs` Firefox's, beside those of webdriver.json; `protocolTimeout` is how
   * long the driver waits for one answer, in milliseconds.
   */
  static async launch(name, { args = [], prefs = {}, protocolTimeout = 120_000 } = {}) {
    const profile = await mkdtemp(join(tmpdir(), `neurite-${name}-`));
    const browser = new TestBrowser(name, profile, { args, prefs, protocolTimeout });
    await browser.reopen();
    return browser;
  }

  /** puppeteer's browser. */
  get puppeteer() {
    return this.#browser;
  }

  /** Starts the browser (again) on its profile. */
  async reopen() {
    const { chromium, firefox } = browserPaths();
    const webdriver = JSON.parse(await readFile(join(root, "webdriver.json"), "utf8"));
    const common = { headless: true, userDataDir: this.#profile, protocolTimeout: this.#settings.protocolTimeout };
    this.#browser = await puppeteer.launch(
      this.name === "firefox"
        ? {
            ...common,
            browser: "firefox",
            executablePath: firefox,
            extraPrefsFirefox: {
              ...webdriver["moz:firefoxOptions"].prefs,
              ...this.#settings.prefs,
            },
          }
        : {
            ...common,
            browser: "chrome",
            executablePath: chromium,
            args: [...webdriver["goog:chromeOptions"].args, ...this.#settings.args],
          },
    );
  }

  /** Closes the browser as a person would; its profile stays. */
  async close() {
    await this.#browser?.close();
    this.#browser = undefined;
  }

  /** Kills all the browser's processes at once, as a power cut would; its profile stays. */
  async kill() {
    const child = this.#browser.process();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    // The browser leads a process group of its own, which its helper processes are in.
    process.kill(-child.pid, "SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await ended;
    this.#browser = undefined;
  }

  /**
   * Where Chromium writes first what is stored in the IndexedDB databases of an origin. For a
   * browser that does not run.
   */
  async indexedDbLog(origin) {
    const { protocol, hostname, port } = new URL(origin);
    const name = `${protocol.slice(0, -1)}_${hostname}_${port}.indexeddb.leveldb`;
    const folder = join(this.#profile, "Default", "IndexedDB", name);
    const logs = (await readdir(folder)).filter((file) => file.endsWith(".log"));
    return join(folder, logs.sort().at(-1));
  }

  /** Closes the browser and deletes its profile. */
  async destroy() {
    await this.close().catch(() => {});
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 10 });
  }

  /**
   * Opens a page. Errors it logs and exceptions it does not catch go to `problems`; answers with an
   * HTTP error status do not, since a Matrix client gets many in good order.
   */
  async open(url) {
    const page = await this.#browser.newPage();
    page.on("pageerror", (error) => this.problems.push(String(error?.stack ?? error)));
    page.on("console", (message) => {
      if (message.type() !== "error" || /Failed to load resource/.test(message.text())) return;
      const place = this.problems.push(message.text()) - 1;
      // Firefox does not tell what objects say.
      const said = message.args().map((arg) => arg.evaluate((value) => String(value?.stack ?? value)));
      Promise.all(said).then((texts) => (this.problems[place] = texts.join(" ")), () => {});
    });
    await page.evaluateOnNewDocument(rememberWorkers);
    if (url) await page.goto(url);
    return page;
  }
}

/** Runs in each page before its scripts, so that `killWorkers` finds the workers it starts. */
function rememberWorkers() {
  globalThis.startedWorkers = [];
  globalThis.Worker = class extends globalThis.Worker {
    constructor(url, options) {
      super(url, options);
      globalThis.startedWorkers.push({ url: String(url), name: options?.name ?? "", worker: this });
    }
  };
}

/**
 * Waits until `condition(...args)`, run in the page, is truthy. It is asked from here: what puppeteer
 * waits for it looks for when the page is drawn, which a tab in the background is not.
 */
export function waitFor(page, condition, ...args) {
  return until(() => page.evaluate(condition, ...args));
}

/**
 * Ends, where they stand, the dedicated workers of `page` whose script's name contains `part`, or
 * instead those that help such a worker, as a crash would: nobody is told, and nothing that waits in
 * them is run any more. Resolves to how many.
 */
export function killWorkers(page, part = "worker.js", { helpers = false } = {}) {
  return page.evaluate(
    (part, helpers) => {
      const { startedWorkers } = globalThis;
      const ended = startedWorkers.filter(({ url, name }) => url.includes(part) && name.endsWith(":helper") === helpers);
      globalThis.startedWorkers = startedWorkers.filter((started) => !ended.includes(started));
      for (const { worker } of ended) worker.terminate();
      return ended.length;
    },
    part,
    helpers,
  );
}

/** The first truthy result of `condition`, asked again and again for at most `timeout` ms. */
export async function until(condition, { timeout = 60_000, interval = 20 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (Date.now() > end) throw new Error(`Waited ${timeout} ms in vain for ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}
