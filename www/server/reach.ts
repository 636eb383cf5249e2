// How this page's clients reach the homeserver.

import { start, type Homeserver } from "neurite";

let started: Homeserver | undefined;

/** Starts the homeserver, with the demo's own service worker in front of it. */
export async function startHomeserver(): Promise<Homeserver> {
  // Where there can be none (some private modes), `start` says so and clientFetch goes round it.
  const registered = await navigator.serviceWorker
    ?.register("demo-service-worker.js", { updateViaCache: "none" })
    .catch((refused: unknown) => console.warn(refused));
  started = await start({ serviceWorker: registered ? "own" : false });
  return started;
}

export const homeserverUrl = (): string => homeserver().baseUrl;

/** Whether the service worker answers this page; after a forced reload, for one, it does not. */
export const intercepted = (): boolean => navigator.serviceWorker?.controller != null;

/**
 * The ordinary fetch wherever the service worker takes it: to the client this is any homeserver.
 * Else the same request straight to the worker.
 */
export const clientFetch: typeof fetch = (input, init) =>
  intercepted() ? fetch(input, init) : homeserver().fetch(input, init);

function homeserver(): Homeserver {
  if (!started) throw new Error("The homeserver has not started yet.");
  return started;
}
