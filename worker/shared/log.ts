// What the log is asked for: the option `log` of start(), and what of it crosses to the worker.

import { StartError } from "./errors.js";

/** From nothing to everything. */
const LEVELS = ["off", "error", "warn", "info", "debug", "trace"] as const;
/** The parts that log: `worker` is the worker's script, `ruma` the crates of that name; see `PARTS` of src/log/mod.rs. */
export const QUEUE_PARTS = ["queue", "store", "worker"] as const;
export const PARTS = [
  ...QUEUE_PARTS,
  "client_api",
  "homeserver",
  "http",
  "media",
  "push",
  "rooms",
  "ruma",
  "search",
  "sync",
  "users",
] as const;
const DEFAULT: LogLevel = "warn";

/** A level lets itself and the levels before it through. */
export type LogLevel = (typeof LEVELS)[number];
export type LogPart = (typeof PARTS)[number];
/** What a message or span tells beside its text or name. */
export type LogFields = Record<string, string | number | boolean>;

export interface LogRecord {
  /** When, in milliseconds since the Unix epoch. */
  at: number;
  level: Exclude<LogLevel, "off">;
  part: LogPart;
  message: string;
  fields?: LogFields | undefined;
}

export interface LogOptions<Part extends LogPart = LogPart> {
  /** The level of all parts, or of some and, as `default`, of the others. Default: "warn". */
  levels?: LogLevel | { [Name in Part | "default"]?: LogLevel | undefined } | undefined;
  /** Called with each message that `levels` let through, whichever tab the worker is in. */
  to?: ((record: LogRecord) => void) | undefined;
  /** Whether the worker's performance timeline shows requests, commits and the like. Default: false. */
  spans?: boolean | undefined;
}

/** A level is short for `{ levels }`. */
export type LogOption<Part extends LogPart = LogPart> = LogLevel | LogOptions<Part>;

/** A level for each part, and whether spans are measured. */
export interface LogWanted {
  levels: Record<string, LogLevel>;
  spans: boolean;
}

/** The option `log`, complete. */
export interface LogSettings {
  /** What the worker of this page tells its console. */
  console: LogWanted;
  /** What this page wants of any worker, if anything. */
  heard: LogWanted | undefined;
  to(record: LogRecord): void;
}

/** Checks the option, for what has these parts, and fills in the defaults. */
export function settleLog<Part extends LogPart>(given: LogOption<Part> | undefined, parts: readonly Part[]): LogSettings {
  const options: LogOptions<Part> = typeof given === "string" ? { levels: given } : (given ?? {});
  checkNames("log", options, ["levels", "to", "spans"]);
  const { to, spans = false } = options;
  if (to !== undefined && typeof to !== "function") throw wrong("log.to is a function");
  if (typeof spans !== "boolean") throw wrong("log.spans is true or false");
  const levels = settleLevels(options.levels, parts);
  const heard = to ? levels : settleLevels("off", parts);
  return {
    console: { levels, spans },
    heard: to || spans ? { levels: heard, spans } : undefined,
    to: (record) => to?.(record),
  };
}

function settleLevels(given: LogOptions["levels"], parts: readonly string[]): LogWanted["levels"] {
  const named: Record<string, LogLevel | undefined> = typeof given === "object" ? { ...given } : { default: given };
  checkNames("log.levels", named, ["default", ...parts]);
  for (const [part, level] of Object.entries(named)) {
    if (level !== undefined && !LEVELS.includes(level)) {
      throw wrong(`log.levels: the level of ${part} is one of ${LEVELS.join(", ")}, not ${String(level)}`);
    }
  }
  return Object.fromEntries(parts.map((part) => [part, named[part] ?? named.default ?? DEFAULT]));
}

function checkNames(option: string, given: object | null, known: string[]): void {
  if (typeof given !== "object" || given === null) throw wrong(`${option} is a level or an object`);
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown !== undefined) throw wrong(`${option} has no ${unknown}, but ${known.join(", ")}`);
}

function wrong(what: string): StartError {
  return new StartError("ConfigError", `The option ${what}`);
}

/** Whether these levels let a record through. */
export function lets(levels: LogWanted["levels"], { level, part }: Pick<LogRecord, "level" | "part">): boolean {
  return LEVELS.indexOf(level) <= LEVELS.indexOf(levels[part] ?? "off");
}

/** What somebody of these wants. */
export function union(first: LogWanted, ...others: LogWanted[]): LogWanted {
  const levels = { ...first.levels };
  for (const other of others) {
    for (const part in levels) {
      const theirs = other.levels[part] ?? "off";
      if (LEVELS.indexOf(theirs) > LEVELS.indexOf(levels[part]!)) levels[part] = theirs;
    }
  }
  return { levels, spans: [first, ...others].some(({ spans }) => spans) };
}

/** What a message or span tells, on one line. */
export function line(text: string, fields: LogFields = {}): string {
  return [text, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(" ");
}
