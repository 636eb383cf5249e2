// Why a homeserver does not start.

/** The `name` of an error from `start()`. */
export type StartErrorName =
  /** An option has no meaning. */
  | "ConfigError"
  /** The browser lacks, for this page, what keeps two pages from opening one database. */
  | "UnsupportedError"
  /** The worker or its wasm could not be loaded. */
  | "WorkerError"
  /** The database can't be opened, is not Neurite's, or is damaged. */
  | "StorageError"
  /** A newer version of Neurite wrote the database. */
  | "SchemaTooNewError"
  /** Another page keeps the database from being opened. */
  | "BlockedError"
  /** The browser gives this origin no more room. */
  | "QuotaExceededError"
  /** All data of the site was deleted, and this page is of before that. */
  | "ClearedError";

const NEXT_STEP: Record<StartErrorName, string> = {
  ConfigError: "Correct the option and call start() again.",
  UnsupportedError: "Serve the page over https or from localhost, or use a newer browser.",
  WorkerError:
    "Check that the files of the package are served at that address as text/javascript and application/wasm, " +
    "or pass `workerUrl` and `wasmUrl` to start().",
  StorageError:
    "Nothing was changed. Check that this site may store data, or choose another `storage` name.",
  SchemaTooNewError:
    "Nothing was changed. Reload the page to get the newest version, or choose another `storage` name.",
  BlockedError: "Close the other tabs of this site, then try again.",
  QuotaExceededError:
    "What was stored is kept. Free disk space, delete other data of this site, or ask for more with navigator.storage.persist().",
  ClearedError: "Reload this page to begin anew.",
};

/** Thrown by `start()`; `name` says which kind it is, `message` also what to do. */
export class StartError extends Error {
  declare readonly name: StartErrorName;

  constructor(name: StartErrorName, message: string, cause?: unknown) {
    super(`${message.replace(/\.?$/, ".")} ${NEXT_STEP[name]}`, { cause });
    Object.defineProperty(this, "name", { value: name, configurable: true });
  }
}

/** What `start()` throws for whatever went wrong in this page. */
export function startError(cause: unknown): StartError {
  if (cause instanceof StartError) return cause;
  // The browser refuses this origin its storage or its locks.
  const name = cause instanceof DOMException ? startErrorName(cause) : "WorkerError";
  return new StartError(name, String(cause), cause);
}

/** What an error of any kind from the homeserver is called here. */
export function startErrorName(cause: unknown): StartErrorName {
  const name = cause instanceof Error || cause instanceof DOMException ? cause.name : "";
  return name in NEXT_STEP ? (name as StartErrorName) : "StorageError";
}

/** A request that fails as fetch() does when the network breaks. */
export function networkError(reason: string): TypeError {
  return new TypeError(`Failed to fetch: ${reason}`);
}
