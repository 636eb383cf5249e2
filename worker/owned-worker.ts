// The worker that a leading page owns.

import { StartError } from "./errors.js";
import { hasLocks, whenReleased } from "./locks.js";
import type { FromWorker, ToWorker, WorkerConfig } from "./messages.js";

/** A worker whose script does not run within this time will not run at all. */
const RUNS_WITHIN = 30_000;

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
  #worker: Worker | SharedWorker;
  #port: Worker | MessagePort;
  #left = new AbortController();
  #silence = setTimeout(() => this.ongone(), RUNS_WITHIN);

  constructor(make: MakeWorker, config: WorkerConfig, place: WorkerPlace, wasm: WebAssembly.Module | undefined) {
    this.wasm = wasm;
    this.#worker = make(place.workerUrl, `neurite:${config.storage}`);
    this.#port = "port" in this.#worker ? this.#worker.port : this.#worker;
    this.#port.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      clearTimeout(this.#silence);
      if (data.kind === "compiled") this.wasm = data.wasm;
      else if (data.kind === "alive") whenReleased(data.lock, this.#left.signal, () => this.ongone());
      else this.onfailed(new StartError(data.error.name, data.error.message, causeOf(data.error)));
    };
    this.#worker.onerror = (event) => {
      const { message, error } = event as Partial<ErrorEvent>;
      const where = place.workerUrl ?? "beside this script";
      this.onfailed(
        new StartError("WorkerError", `The worker, ${String(where)}, failed: ${message ?? "not loaded"}`, error),
      );
    };
    this.#post({
      kind: "start",
      config,
      wasmUrl: place.wasmUrl === undefined ? undefined : new URL(place.wasmUrl, location.href).href,
      wasm,
    });
  }

  /** A port that leads to what is in it. */
  connect(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    this.#post({ kind: "connect", port: port2 }, [port2]);
    return port1;
  }

  /** Ends it at once. */
  terminate(): void {
    this.#left.abort();
    clearTimeout(this.#silence);
    this.onfailed = () => {};
    // A shared worker ends with its last page.
    if ("terminate" in this.#worker) this.#worker.terminate();
  }

  #post(message: ToWorker, transfer: Transferable[] = []): void {
    this.#port.postMessage(message, transfer);
  }
}

/** The error as it was in the worker; structured clone would have lost its name. */
function causeOf({ name, message, stack }: { name: string; message: string; stack?: string | undefined }): Error {
  const cause = new Error(message);
  cause.name = name;
  if (stack !== undefined) cause.stack = stack;
  return cause;
}
