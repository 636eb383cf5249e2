// What start() is told.

import { normalizeBaseUrl } from "../shared/base-url.js";
import { StartError } from "../shared/errors.js";
import type { LogOption } from "../shared/log.js";
import type { Config, Support } from "../shared/messages.js";
import type { ServiceWorkerOption } from "./service-worker-link.js";

export interface StartOptions {
  /** The part after the colon in user ids. Default: made up for a new homeserver, and kept with its data. */
  serverName?: string | undefined;
  /**
   * Where clients reach the homeserver: requests for its `/_matrix/` and `/.well-known/matrix/` are
   * answered by it. It may be on another origin, even one that does not exist. Default: this origin.
   */
  baseUrl?: string | URL | undefined;
  /** Who may register: everybody (default), who knows `registrationToken`, or nobody. */
  registration?: "open" | "token" | "closed" | undefined;
  registrationToken?: string | undefined;
  /** Default: "12". */
  defaultRoomVersion?: string | undefined;
  /** Whether an answered write has reached the disk ("strict", default) or the operating system. */
  durability?: "strict" | "relaxed" | undefined;
  /** The database's name, so that several can exist side by side. Default: "neurite". */
  storage?: string | undefined;
  /** The localparts of the users who administer it: they can lock and suspend accounts. Default: none. */
  admins?: readonly string[] | undefined;
  /** Default: "on". */
  rateLimits?: "on" | "off" | undefined;
  /** Whom people can turn to: what `/.well-known/matrix/support` answers. Default: 404. */
  support?: Support | undefined;
  /** What is logged, and where to. Default: "warn", to the worker's console. */
  log?: LogOption | undefined;
  /**
   * `false`: none, only `homeserver.fetch`. `"own"`: the app's, which imports
   * `neurite/service-worker`. Otherwise the package's own file is registered, at `url` if given.
   */
  serviceWorker?: ServiceWorkerOption | undefined;
  /** Where the package's worker.js is. Default: beside this script. */
  workerUrl?: string | URL | undefined;
  /** Where the package's neurite_bg.wasm is. Default: beside worker.js. */
  wasmUrl?: string | URL | undefined;
}

export const DEFAULT_STORAGE = "neurite";

/** The homeserver's options, complete. */
export type Settings = Omit<Config, "newServerName" | "log">;

/** Checks the options and fills in the defaults. */
export function settle(options: StartOptions): Settings {
  return {
    serverName: options.serverName === undefined ? undefined : nonEmpty("serverName", options.serverName),
    baseUrl: baseUrl(options.baseUrl),
    registration: oneOf("registration", ["open", "token", "closed"], options.registration),
    registrationToken: registrationToken(options),
    defaultRoomVersion: nonEmpty("defaultRoomVersion", options.defaultRoomVersion ?? "12"),
    durability: oneOf("durability", ["strict", "relaxed"], options.durability),
    admins: (options.admins ?? []).map((admin) => nonEmpty("admins", admin)),
    rateLimits: oneOf("rateLimits", ["on", "off"], options.rateLimits),
    support: options.support,
    storage: nonEmpty("storage", options.storage ?? DEFAULT_STORAGE),
  };
}

function baseUrl(given: string | URL | undefined): string {
  try {
    return normalizeBaseUrl(given ?? location.origin, location.href);
  } catch (cause) {
    throw new StartError("ConfigError", `The option baseUrl is not an http(s) URL: ${String(given)}`, cause);
  }
}

function registrationToken({ registration, registrationToken: token }: StartOptions): string | undefined {
  if (registration === "token") return nonEmpty("registrationToken", token ?? "");
  if (token === undefined) return undefined;
  throw new StartError("ConfigError", 'The option registrationToken needs `registration: "token"`');
}

/** The first of `values` is the default. */
export function oneOf<T extends string>(name: string, values: readonly [T, ...T[]], given: T | undefined): T {
  if (given === undefined) return values[0];
  if (values.includes(given)) return given;
  throw new StartError("ConfigError", `The option ${name} is one of ${values.join(", ")}, not ${String(given)}`);
}

export function nonEmpty(name: string, given: string): string {
  if (typeof given === "string" && given !== "") return given;
  throw new StartError("ConfigError", `The option ${name} is an empty string or none`);
}
