// The package's entry: a Matrix homeserver for the page that asks for one.

import { StartError } from "./errors.js";
import { Homeserver } from "./homeserver.js";
import { settle, type StartOptions } from "./options.js";
import { ServiceWorkerLink } from "./service-worker-link.js";
import { Tab } from "./tab.js";

export { StartError, type StartErrorName } from "./errors.js";
export type { HomeserverCloseEvent, Homeserver, HomeserverEventMap } from "./homeserver.js";
export type { StartOptions } from "./options.js";
export type { ServiceWorkerOption } from "./service-worker-link.js";
export type { ConsumerStatus, RequestStatus, Status, StreamStatus } from "./status.js";
export type { Role } from "./tab.js";

/**
 * Starts the homeserver of this origin in `options.storage`, or joins the one that another tab has
 * started. Rejects with a StartError, whose `name` and `message` say what is wrong and what to do.
 */
export async function start(options: StartOptions = {}): Promise<Homeserver> {
  const settings = settle(options);
  const serviceWorker = new ServiceWorkerLink(options.serviceWorker, settings.storage, settings.baseUrl);
  const tab = new Tab(settings, options, serviceWorker);
  try {
    const [welcome] = await Promise.all([tab.join(), serviceWorker.ready()]);
    return new Homeserver(welcome, settings.storage, tab, serviceWorker);
  } catch (cause) {
    serviceWorker.leave();
    tab.leave(new Error("The homeserver did not start."));
    throw cause instanceof StartError ? cause : new StartError("WorkerError", String(cause), cause);
  }
}
