// A worker's life: loads the wasm, starts what is in it, and answers over channels.

import { version } from "../../package.json";
import { broadcastChannel, portChannel } from "../shared/channel.js";
import { Election } from "../shared/election.js";
import { startErrorName } from "../shared/errors.js";
import { hasLocks, hold, isHeld, uniqueName } from "../shared/locks.js";
import type { Announcement, FromWorker, ToWorker, WorkerConfig } from "../shared/messages.js";
import { announcements, databaseLock } from "../shared/names.js";
import { Callers, type HomeserverChannel } from "./callers.js";
import type { Engine } from "./engine.js";
import { help, Helper, type Helping, type Tasks } from "./helper.js";
import { Logger, type SetLog } from "./logger.js";
import { forgetMade, isLost, rememberMade } from "./lost-data.js";

type Owner = Pick<MessagePort, "postMessage">;

/** What a worker is to run, and where its wasm is. */
export interface Contents {
  wasmUrl: URL;
  init(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  setLog: SetLog;
  start(config: WorkerConfig): Promise<Engine>;
  destroy(storage: string): Promise<void>;
  /** What can be done in a helper, and how it is said who does it. */
  helper?: { tasks: Tasks; set(helper: Helping): void };
}

const lock = uniqueName("neurite:worker");
const held = hold(lock);
/**
 * How long the database is left alone after it was taken from a worker that did not answer. If that
 * one runs after all it ends within this time, and who does not run checks before it commits again,
 * unless it did so less than 100 ms ago.
 */
const LET_GO_WITHIN = 500;
/** Channels that came before it was ready. */
let early: HomeserverChannel[] | undefined = [];
let callers: Callers | undefined;
let starting: Promise<void> | undefined;
let contents: Contents;
const logger = new Logger();

/** Does what a worker does from now on. */
export function run(what: Contents): void {
  contents = what;
  self.addEventListener("error", (event) => crash(event, event.error));
  self.addEventListener("unhandledrejection", (event) => crash(event, event.reason));
  if ("onconnect" in self) {
    // As a shared worker, where there are no locks.
    self.addEventListener("connect", (event) => {
      const port = (event as MessageEvent).ports[0]!;
      port.onmessage = ({ data }: MessageEvent<ToWorker>) => receive(data, port);
    });
  } else {
    self.addEventListener("message", ({ data }: MessageEvent<ToWorker>) => receive(data, self as unknown as Owner));
  }
}

function connect(channel: HomeserverChannel): void {
  if (early) early.push(channel);
  else callers?.add(channel);
}

function receive(message: ToWorker, owner: Owner): void {
  if (message.kind === "connect") return connect(portChannel(message.port));
  if (message.kind === "help") {
    const ready = Promise.all([contents.init({ module_or_path: message.wasm }), held]);
    return help(message.port, contents.helper?.tasks ?? {}, lock, ready);
  }
  const checked = checkLocks(message.lock);
  // A page that can't see the lock would take it for that of a worker that has ended.
  void Promise.all([held, checked]).then(() => tell(owner, { kind: "alive", lock }), () => {});
  starting ??= start(message, owner, checked);
  starting.catch((error: unknown) => {
    const { name, message, stack } = error as Error;
    // `name` is not cloned with an Error.
    tell(owner, { kind: "failed", error: { name: startErrorName(error), message: message || name, stack } });
  });
}

async function start(
  { config, wasm, wasmUrl }: Extract<ToWorker, { kind: "start" }>,
  owner: Owner,
  checked: Promise<void>,
): Promise<void> {
  logger.start(config.log);
  await checked;
  const bus = new BroadcastChannel(announcements(config.storage));
  // The one before may not be quite gone, and two must never have the database open.
  const owning = Promise.all([holdDatabase(config.storage, bus), held]);
  const lost = owning.then(() => isLost(config.storage));
  const [module] = await Promise.all([wasm ?? compile(wasmUrl), owning]);
  if (!wasm) tell(owner, { kind: "compiled", wasm: module });
  await contents.init({ module_or_path: module });
  logger.attach(contents.setLog);
  const { storage } = config;
  const dataLost = await lost;
  if (dataLost) {
    logger.error(`the database ${storage} is gone, by the browser or by hand, and begins anew`);
  }
  // A shared worker belongs to no page that could make one.
  if (!("onconnect" in self)) {
    contents.helper?.set(new Helper((port) => tell(owner, { kind: "help", port }, [port]), logger));
  }
  const engine = await contents.start(config);
  void rememberMade(storage);
  const { serverName } = engine;
  const homeserver = serverName !== undefined && "baseUrl" in config ? { serverName, baseUrl: config.baseUrl } : undefined;
  callers = new Callers(engine, { lock, homeserver, version, dataLost }, logger, {
    connect,
    destroy: () => Promise.all([contents.destroy(storage), forgetMade(storage)]),
    close: () => self.close(),
    restart: (reason) => {
      logger.warn(`it starts again: ${reason}`);
      restart();
    },
  });
  const channels = early ?? [];
  early = undefined;
  for (const channel of channels) callers.add(channel);
  // Tells other tabs.
  bus.postMessage({ kind: "leading", lock } satisfies Announcement);
}

/** Neither the page nor this worker could tell that the other ends, nor the next page that they are there. */
async function checkLocks(page: string): Promise<void> {
  if (!hasLocks || (await isHeld(page))) return;
  const error = new Error("The data of this site was deleted while this page was open.");
  error.name = "ClearedError";
  throw error;
}

/** Resolves when no other worker has the database open; hears from now on what is announced. */
function holdDatabase(storage: string, bus: BroadcastChannel): Promise<void> {
  return new Promise((resolve, reject) => {
    const announce = (message: Announcement): void => bus.postMessage(message);
    let waits = true;
    const election = new Election(databaseLock(storage), {
      elected: (taken) => {
        waits = false;
        if (taken) setTimeout(resolve, LET_GO_WITHIN);
        else resolve();
      },
      defeated: () => election.doubt(),
      // At once: it may still commit without looking who owns the database.
      deposed: () => self.close(),
      failed: reject,
      doubts: () => waits,
      ask: () => announce({ kind: "who" }),
    });
    bus.onmessage = ({ data }: MessageEvent<Announcement>) => {
      if (data.kind === "who") announce({ kind: "present" });
      else if (data.kind === "present") election.heard();
      // From tabs without a service worker.
      else if (data.kind === "connect" && callers) connect(broadcastChannel(data.name, "answerer"));
    };
    if (hasLocks) election.stand();
    else resolve();
  });
}

async function compile(url: string | undefined): Promise<WebAssembly.Module> {
  const where = new URL(url ?? contents.wasmUrl);
  try {
    const response = await fetch(where);
    if (!response.ok) throw new Error(`the answer is ${response.status}`);
    const isWasm = response.headers.get("content-type")?.startsWith("application/wasm");
    return await (isWasm ? WebAssembly.compileStreaming(response) : WebAssembly.compile(await response.arrayBuffer()));
  } catch (cause) {
    const error = new Error(`${where.href} could not be loaded: ${String(cause)}`, { cause });
    error.name = "WorkerError";
    throw error;
  }
}

function tell(owner: Owner, message: FromWorker, transfer: Transferable[] = []): void {
  owner.postMessage(message, transfer);
}

/** An error that nothing caught, in wasm: its memory can't be trusted any longer. */
function isTrap(error: unknown): boolean {
  if (error instanceof WebAssembly.RuntimeError) return true;
  // The stack's end, as Chromium and WebKit tell it, and as Firefox does.
  return error instanceof Error && (error.name === "InternalError" || /call stack/i.test(error.message));
}

function crash(event: Event, error: unknown): void {
  if (!isTrap(error)) return;
  event.preventDefault();
  fail(error);
}

function fail(reason: unknown): void {
  logger.error("it failed and is started again", reason);
  restart();
}

/** Ends, for the page to make another worker. */
function restart(): void {
  logger.detach();
  // What has already been answered is posted first, by tasks that are now waiting.
  setTimeout(async () => {
    await callers?.end("crashed");
    self.close();
  });
}
