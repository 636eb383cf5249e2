// The queue alone: `neurite/queue`.

import { startError } from "../shared/errors.js";
import { QUEUE_PARTS, settleLog, type LogOption } from "../shared/log.js";
import type { Status } from "../shared/status.js";
import { Handle } from "./handle.js";
import { DEFAULT_STORAGE, nonEmpty, oneOf } from "./options.js";
import { workersAreShared } from "./owned-worker.js";
import { ServiceWorkerLink } from "./service-worker-link.js";
import { Tab } from "./tab.js";

export { StartError, type StartErrorName } from "../shared/errors.js";
export type { EndEvent, HandleEventMap } from "./handle.js";
export type { LogFields, LogLevel, LogOption, LogOptions, LogPart, LogRecord } from "../shared/log.js";
export type { ConsumerStatus, OfflineStatus, StreamStatus } from "../shared/status.js";
export type { Role } from "../shared/status.js";

export interface QueueOptions {
  /** The database's name, so that several can exist side by side. Default: "neurite". */
  storage?: string | undefined;
  /** Whether what was acknowledged has reached the disk ("strict", default) or the operating system. */
  durability?: "strict" | "relaxed" | undefined;
  /** What is logged, and where to. Default: "warn", to the worker's console. */
  log?: LogOption<(typeof QUEUE_PARTS)[number]> | undefined;
  /** Where the package's queue-worker.js is. Default: beside this script. */
  workerUrl?: string | URL | undefined;
  /** Where the package's neurite_queue_bg.wasm is. Default: beside queue-worker.js. */
  wasmUrl?: string | URL | undefined;
}

export type QueueStatus = Pick<Status, "version" | "role" | "storage" | "streams" | "offline">;

/** The queue of this origin: in this tab's worker, or reached through another tab's. */
export class Queue extends Handle {
  /** A port that speaks the NATS client protocol; see `Homeserver.queue`. */
  queue(signal?: AbortSignal): Promise<MessagePort> {
    return this.tab.connection.queue(signal);
  }

  /** How the queue is. */
  async status(): Promise<QueueStatus> {
    const status = (await this.command("status")) as Omit<QueueStatus, "role">;
    return { ...status, role: this.role };
  }
}

/**
 * Starts the queue of this origin in `options.storage`, or joins the one that another tab has
 * started. Rejects with a StartError, whose `name` and `message` say what is wrong and what to do.
 */
export async function start(options: QueueOptions = {}): Promise<Queue> {
  const durability = oneOf("durability", ["strict", "relaxed"], options.durability);
  // Beside a homeserver's of the same name, in a database of its own.
  const storage = `queue:${nonEmpty("storage", options.storage ?? DEFAULT_STORAGE)}`;
  const serviceWorker = new ServiceWorkerLink(false, storage, location.origin);
  const log = settleLog(options.log, QUEUE_PARTS);
  const config = () => ({ storage, durability, log: log.console });
  const tab = new Tab({ what: "queue", storage, makeWorker, config, log }, options, serviceWorker);
  try {
    await tab.join();
    return new Queue("queue", tab, serviceWorker);
  } catch (cause) {
    tab.leave(new Error("The queue did not start."));
    throw startError(cause);
  }
}

function makeWorker(url: string | URL | undefined, name: string): Worker | SharedWorker {
  // Written out each time, since bundlers look for exactly this: the address and `type` as literals.
  if (workersAreShared) {
    return url
      ? new SharedWorker(url, { type: "module", name })
      : new SharedWorker(new URL("./queue-worker.js", import.meta.url), { type: "module", name });
  }
  return url
    ? new Worker(url, { type: "module", name })
    : new Worker(new URL("./queue-worker.js", import.meta.url), { type: "module", name });
}
