// The worker that a leading page owns.

import { StartError } from "../shared/errors.js";
import { hasLocks, uniqueName, whenReleased } from "../shared/locks.js";
import type { FromWorker, ToWorker, Way, WorkerConfig } from "../shared/messages.js";

/**
 * After what time without a word from the worker another is made beside it, at first; the time
 * doubles. One that has ended before its first word is not told from one whose script is slow to
 * come, so the first that speaks is taken.
 */
const SPEAKS_WITHIN = 1000;
/** When the time is longer than this, none will speak. */
const RUNS_WITHIN = 20_000;

export interface WorkerPlace {
  workerUrl?: string | URL | undefined;
  wasmUrl?: string | URL | undefined;
}

/**
 * Makes the worker of the script at `url`, or of the package's own: a dedicated worker, whose page
 * holds the leader's lock, or where there are no locks a shared one, of which the browser makes only
 * one.
 */
export type MakeWorker = (url: string | URL | undefined, name: string) => Worker | SharedWorker;

/** Whether workers are shared: see `MakeWorker`. */
export const workersAreShared = !hasLocks && typeof SharedWorker !== "undefined";

/** The worker with the homeserver in it, or with the queue alone, from the page's side. */
export class OwnedWorker {
  /** The compiled wasm, once there; saves the next worker the time. */
  wasm: WebAssembly.Module | undefined;
  /** What is in it could not start. */
  onfailed: (reason: StartError) => void = () => {};
  /** The worker is gone, without a word. */
  ongone: () => void = () => {};
  /** Tells it from others. */
  readonly #name = uniqueName("worker");
  /** More than one until one has spoken. */
  #workers: (Worker | SharedWorker)[] = [];
  #speaker: Worker | MessagePort | undefined;
  /** Ports for who speaks first. */
  #early: MessagePort[] = [];
  /** The worker's helper: see server/helper.ts. */
  #helper: Worker | SharedWorker | undefined;
  #left = new AbortController();
  #silence: ReturnType<typeof setTimeout> | undefined;

  /** `lock` is held by this page. */
  constructor(
    private readonly make: MakeWorker,
    private readonly config: WorkerConfig,
    private readonly lock: string,
    private readonly place: WorkerPlace,
    wasm: WebAssembly.Module | undefined,
  ) {
    this.wasm = wasm;
    this.#try(SPEAKS_WITHIN);
  }

  /** Whether it has begun to speak. */
  get speaks(): boolean {
    return this.#speaker !== undefined;
  }

  #try(limit: number): void {
    const { config, lock, place, wasm } = this;
    const worker = this.make(place.workerUrl, `neurite:${config.storage}`);
    this.#workers.push(worker);
    const port = "port" in worker ? worker.port : worker;
    port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (this.#left.signal.aborted || !this.#choose(worker, port)) return;
      if (data.kind === "compiled") this.wasm = data.wasm;
      else if (data.kind === "help") this.#help(data.port);
      else if (data.kind === "alive") whenReleased(data.lock, this.#left.signal, () => this.ongone());
      else this.onfailed(new StartError(data.error.name, data.error.message, causeOf(data.error)));
    };
    worker.onerror = (event) => {
      const { message, error } = event as Partial<ErrorEvent>;
      const where = place.workerUrl ?? "beside this script";
      this.onfailed(
        new StartError("WorkerError", `The worker, ${String(where)}, failed: ${message ?? "not loaded"}`, error),
      );
    };
    const wasmUrl = place.wasmUrl === undefined ? undefined : new URL(place.wasmUrl, location.href).href;
    post(port, { kind: "start", config, lock, wasmUrl, wasm });
    this.#silence = setTimeout(() => {
      if (limit > RUNS_WITHIN) this.ongone();
      else this.#try(limit * 2);
    }, limit);
  }

  /** Takes the first that speaks; whether that is this one. */
  #choose(worker: Worker | SharedWorker, port: Worker | MessagePort): boolean {
    if (this.#speaker) return this.#speaker === port;
    clearTimeout(this.#silence);
    this.#speaker = port;
    for (const other of this.#workers) if (other !== worker) end(other);
    this.#workers = [worker];
    for (const early of this.#early.splice(0)) post(port, { kind: "connect", port: early }, [early]);
    return true;
  }

  /** Makes a helper, in the place of one that is of no more use. */
  #help(port: MessagePort): void {
    if (this.#helper) end(this.#helper);
    this.#helper = undefined;
    if (!this.wasm) return;
    const helper = this.make(this.place.workerUrl, `neurite:${this.config.storage}:helper`);
    if ("terminate" in helper) post(helper, { kind: "help", port, wasm: this.wasm }, [port]);
    this.#helper = helper;
  }

  /** A port that leads to what is in it. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    if (this.#speaker) post(this.#speaker, { kind: "connect", port: port2 }, [port2]);
    else this.#early.push(port2);
    return port1;
  }

  /** The same for the service worker, which knows several. */
  way(): Way {
    return { port: this.connect(), worker: this.#name };
  }

  /** Ends it at once. */
  terminate(): void {
    this.#left.abort();
    clearTimeout(this.#silence);
    this.onfailed = () => {};
    for (const worker of this.#workers) end(worker);
    if (this.#helper) end(this.#helper);
  }
}

function post(port: Worker | MessagePort, message: ToWorker, transfer: Transferable[] = []): void {
  port.postMessage(message, transfer);
}

/** A shared worker ends with its last page. */
function end(worker: Worker | SharedWorker): void {
  if ("terminate" in worker) worker.terminate();
}

/** The error as it was in the worker; structured clone would have lost its name. */
function causeOf({ name, message, stack }: { name: string; message: string; stack?: string | undefined }): Error {
  const cause = new Error(message);
  cause.name = name;
  if (stack !== undefined) cause.stack = stack;
  return cause;
}
