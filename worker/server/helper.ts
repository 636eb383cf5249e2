// The helper: a worker beside the homeserver's, for work that would hold its thread for longer than
// a request may wait, such as hashing a password. It runs the same script with the same compiled
// wasm, so there is nothing more to load, and only while there is such work.
//
// The page makes it, at the word of the homeserver's worker: in Firefox the constructor of a worker
// that is made by a worker now and then does not return.

import { whenReleased } from "../shared/locks.js";
import type { Logger } from "./logger.js";

/** What the wasm can do in a helper, by name. */
export type Tasks = Record<string, (...input: never[]) => unknown>;

/** What the wasm is given to have its work done by. */
export interface Helping {
  /** Rejects when it was not done: then it is done here. */
  run(task: string, input: unknown[]): Promise<unknown>;
}

interface Task {
  kind: "task";
  id: number;
  task: string;
  input: unknown[];
}

/** To a helper, over its port. */
type ToHelper = Task | { kind: "end" };

/** From a helper. */
type FromHelper =
  /** It is ready; `lock` is held as long as it lives. */
  | { kind: "ready"; lock: string }
  | { kind: "done"; id: number; value: unknown }
  /** It is of no more use. */
  | { kind: "failed"; reason: string };

/** How long a helper may take to be ready, and to say something while it has work to do. */
const READY_WITHIN = 2000;
const ANSWERS_WITHIN = 20_000;
/** After what time without work it ends, which gives its memory back. */
const IDLE = 30_000;
/** How long none is made after one that was not ready in time; the time doubles with each. */
const SHORTEST_PAUSE = 1000;
const LONGEST_PAUSE = 60_000;

interface Waiting {
  resolve(value: unknown): void;
  reject(reason: Error): void;
}

/** The helper, from the side of the worker that it helps. */
export class Helper implements Helping {
  #port: MessagePort | undefined;
  #ready = false;
  #waiting = new Map<number, Waiting>();
  #last = 0;
  /** Until its next word has to have come. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  #left = new AbortController();
  #notBefore = 0;
  #pause = SHORTEST_PAUSE;

  /** `make` has the page make a helper that speaks over the other end of this port. */
  constructor(
    private readonly make: (port: MessagePort) => void,
    private readonly logger: Logger,
  ) {}

  async run(task: string, input: unknown[]): Promise<unknown> {
    if (performance.now() < this.#notBefore) throw new Error("there is no helper");
    const port = (this.#port ??= this.#begin());
    const id = ++this.#last;
    const result = new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    // Bytes are handed over, so that no copy of a password stays here.
    const bytes = input.filter((value) => value instanceof Uint8Array).map(({ buffer }) => buffer as ArrayBuffer);
    port.postMessage({ kind: "task", id, task, input } satisfies ToHelper, bytes);
    // Later work does not give it more time for what it has.
    if (this.#ready && this.#waiting.size === 1) this.#expect(ANSWERS_WITHIN);
    return result;
  }

  #begin(): MessagePort {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }: MessageEvent<FromHelper>) => this.#hear(data);
    this.make(port2);
    this.#expect(READY_WITHIN);
    return port1;
  }

  #hear(message: FromHelper): void {
    if (message.kind === "failed") return this.#end(message.reason);
    if (message.kind === "ready") {
      this.#ready = true;
      this.#pause = SHORTEST_PAUSE;
      whenReleased(message.lock, this.#left.signal, () => this.#end("it has ended"));
    } else {
      this.#waiting.get(message.id)?.resolve(message.value);
      this.#waiting.delete(message.id);
    }
    clearTimeout(this.#timer);
    if (this.#waiting.size > 0) this.#expect(ANSWERS_WITHIN);
  }

  #expect(limit: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end("it does not answer"), limit);
  }

  /** What it has not done is done here; the next work has another made. */
  #end(reason: string): void {
    clearTimeout(this.#timer);
    this.#left.abort();
    this.#left = new AbortController();
    this.#port?.postMessage({ kind: "end" } satisfies ToHelper);
    this.#port?.close();
    this.#port = undefined;
    if (!this.#ready) {
      this.#notBefore = performance.now() + this.#pause;
      this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    }
    this.#ready = false;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    // One that has nothing to do ends by itself.
    if (waiting.length > 0) this.logger.warn(`what the helper had to do is done here: ${reason}`);
    for (const { reject } of waiting) reject(new Error(reason));
  }
}

/** Helps whoever is at the other end of `port`. `lock` is held once `ready` resolves. */
export function help(port: MessagePort, tasks: Tasks, lock: string, ready: Promise<unknown>): void {
  let idle: ReturnType<typeof setTimeout> | undefined;
  const tell = (message: FromHelper): void => {
    port.postMessage(message);
    clearTimeout(idle);
    idle = setTimeout(() => self.close(), IDLE);
  };
  const failed = (cause: unknown): void => tell({ kind: "failed", reason: String(cause) });
  const work = async ({ id, task, input }: Task): Promise<void> => {
    try {
      await ready;
      const value = await (tasks[task] as (...input: unknown[]) => unknown)(...input);
      tell({ kind: "done", id, value });
    } finally {
      // They may be a password's.
      for (const bytes of input) if (bytes instanceof Uint8Array) bytes.fill(0);
    }
  };
  port.onmessage = ({ data }: MessageEvent<ToHelper>) => {
    if (data.kind === "end") self.close();
    else work(data).catch(failed);
  };
  ready.then(() => tell({ kind: "ready", lock })).catch(failed);
}
