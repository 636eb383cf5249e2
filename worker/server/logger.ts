// The worker's log: what the wasm and this script have to tell goes to the console and to the pages
// that want it.

import { lets, line, union } from "../shared/log.js";
import type { LogFields, LogPart, LogRecord, LogWanted } from "../shared/log.js";

/** Has the wasm log this. */
export type SetLog = (wanted: LogWanted, sink: Logger) => void;

/** How many records a page may leave untaken: a frozen one takes nothing, and they are kept for it. */
const UNTAKEN = 512;
/** How many records are kept for the first who listens: a page is there only when all has started. */
const EARLY = 128;
/** How many spans the performance timeline keeps at most. A recording of the browser's tools has all. */
const SPANS = 5000;

/** A page that wants records. */
export class Listener {
  #sent = 0;
  #taken = 0;
  #missed = 0;

  constructor(
    readonly wanted: LogWanted,
    private readonly post: (record: LogRecord) => void,
  ) {}

  /** The page has taken this many records in all. */
  took(count: number): void {
    this.#taken = count;
  }

  send(record: LogRecord): void {
    if (!lets(this.wanted.levels, record)) return;
    if (this.#sent - this.#taken >= UNTAKEN) {
      this.#missed += 1;
      return;
    }
    if (this.#missed > 0) {
      const message = "messages are missing here: they came faster than they were taken";
      this.#post({ at: record.at, level: "warn", part: "worker", message, fields: { count: this.#missed } });
      this.#missed = 0;
    }
    this.#post(record);
  }

  #post(record: LogRecord): void {
    this.#sent += 1;
    this.post(record);
  }
}

export class Logger {
  #console: LogWanted | undefined;
  #listeners = new Set<Listener>();
  #early: LogRecord[] | undefined = [];
  #setLog: SetLog | undefined;
  #spans = 0;

  /** What the page that owns this worker wants on the console. */
  start(wanted: LogWanted): void {
    this.#console ??= wanted;
  }

  /** The wasm is there; it throws when it has other parts. */
  attach(setLog: SetLog): void {
    this.#setLog = setLog;
    this.#apply();
  }

  /** The wasm can't be called any more. */
  detach(): void {
    this.#setLog = undefined;
  }

  listen(wanted: LogWanted, post: (record: LogRecord) => void): Listener {
    const listener = new Listener(wanted, post);
    this.#listeners.add(listener);
    for (const record of this.#early ?? []) listener.send(record);
    this.#early = undefined;
    this.#apply();
    return listener;
  }

  leave(listener: Listener): void {
    this.#listeners.delete(listener);
    this.#apply();
  }

  /** Logs a message, as the wasm does too. */
  message(level: string, part: string, text: string, fields?: LogFields): void {
    const record = { at: Date.now(), level, part, message: text, ...(fields && { fields }) } as LogRecord;
    if (this.#console && lets(this.#console.levels, record)) tell(record);
    if (this.#early && this.#early.length < EARLY) this.#early.push(record);
    for (const listener of this.#listeners) listener.send(record);
  }

  /** Notes a span of the wasm, which has just ended. */
  span(name: string, part: string, fields: LogFields | undefined, duration: number): void {
    if (++this.#spans % SPANS === 0) performance.clearMeasures();
    const end = performance.now();
    const properties = Object.entries(fields ?? {}).map(([field, value]) => [field, String(value)]);
    // How Chromium's tools give each part a track of its own.
    const devtools = { dataType: "track-entry", track: part, trackGroup: "Neurite", properties };
    performance.measure(line(name, fields), { start: Math.max(0, end - duration), end, detail: { devtools } });
  }

  /** The script's own messages. */
  warn(text: string): void {
    this.message("warn", "worker" satisfies LogPart, text);
  }

  error(text: string, cause?: unknown): void {
    const stack = cause instanceof Error ? cause.stack : undefined;
    const whole = cause === undefined ? text : `${text}: ${String(cause)}`;
    this.message("error", "worker" satisfies LogPart, whole, stack ? { stack } : undefined);
  }

  #apply(): void {
    if (!this.#console || !this.#setLog) return;
    const wanted = union(this.#console, ...[...this.#listeners].map(({ wanted }) => wanted));
    const { worker: _, ...levels } = wanted.levels;
    this.#setLog({ ...wanted, levels }, this);
  }
}

function tell({ level, part, message, fields }: LogRecord): void {
  // console.trace() would tell where this script is.
  console[level === "trace" ? "debug" : level](line(`Neurite ${part}: ${message}`, fields));
}
