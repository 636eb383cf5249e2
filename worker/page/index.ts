// The package's entry: a Matrix homeserver for the page that asks for one.

import { startError, StartError } from "../shared/errors.js";
import { PARTS, settleLog } from "../shared/log.js";
import { Homeserver } from "./homeserver.js";
import { settle, type StartOptions } from "./options.js";
import { workersAreShared } from "./owned-worker.js";
import { newServerName } from "./server-name.js";
import { ServiceWorkerLink } from "./service-worker-link.js";
import { Tab } from "./tab.js";

export { StartError, type StartErrorName } from "../shared/errors.js";
export type { EndEvent, HandleEventMap } from "./handle.js";
export type { Homeserver } from "./homeserver.js";
export type { LogFields, LogLevel, LogOption, LogOptions, LogPart, LogRecord } from "../shared/log.js";
export type { Support, SupportContact } from "../shared/messages.js";
export type { StartOptions } from "./options.js";
export type { ServiceWorkerOption } from "./service-worker-link.js";
export type { ConsumerStatus, OfflineStatus, RequestStatus, Status, StreamStatus } from "../shared/status.js";
export type { Role } from "../shared/status.js";

/**
 * Starts the homeserver of this origin in `options.storage`, or joins the one that another tab has
 * started. Rejects with a StartError, whose `name` and `message` say what is wrong and what to do.
 */
export async function start(options: StartOptions = {}): Promise<Homeserver> {
  const settings = settle(options);
  const log = settleLog(options.log, PARTS);
  const serviceWorker = new ServiceWorkerLink(options.serviceWorker, settings.storage, settings.baseUrl);
  // Another name for each homeserver, should the data of this one be deleted beneath it.
  const config = () => ({ ...settings, newServerName: newServerName(), log: log.console });
  const tab = new Tab({ what: "homeserver", storage: settings.storage, makeWorker, config, log }, options, serviceWorker);
  try {
    const [{ homeserver }] = await Promise.all([tab.join(), serviceWorker.ready()]);
    if (!homeserver) throw new StartError("WorkerError", "The worker has no homeserver");
    return new Homeserver(homeserver, tab, serviceWorker);
  } catch (cause) {
    serviceWorker.leave();
    tab.leave(new Error("The homeserver did not start."));
    throw startError(cause);
  }
}

function makeWorker(url: string | URL | undefined, name: string): Worker | SharedWorker {
  // Written out each time, since bundlers look for exactly this: the address and `type` as literals.
  if (workersAreShared) {
    return url
      ? new SharedWorker(url, { type: "module", name })
      : new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name });
  }
  return url
    ? new Worker(url, { type: "module", name })
    : new Worker(new URL("./worker.js", import.meta.url), { type: "module", name });
}
