// Notices that a page's service worker has gone: the site's data was deleted, somebody has
// unregistered it, or another has taken its place.

/** How often the page looks: browsers tell of a worker's end, but not of a registration's. */
const LOOK_EVERY = 2000;

/**
 * Resolves to true when `worker` is no longer the active one of `registration`; to false when it still
 * is as `signal` aborts.
 */
export function isGone(
  container: ServiceWorkerContainer,
  registration: ServiceWorkerRegistration,
  worker: ServiceWorker,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const watch = new AbortController();
    const end = (gone: boolean): void => {
      watch.abort();
      clearInterval(timer);
      resolve(gone);
    };
    const look = async (): Promise<void> => {
      try {
        // By its scope, and not by this page's address, for which there may be a narrower one.
        const present = await container.getRegistration(registration.scope);
        if (present?.active !== worker) end(true);
      } catch {
        // A document that was put aside can't look.
      }
      if (signal.aborted) end(false);
    };
    const timer = setInterval(() => void look(), LOOK_EVERY);
    const options = { signal: watch.signal };
    worker.addEventListener("statechange", () => worker.state === "redundant" && end(true), options);
    container.addEventListener("controllerchange", () => void look(), options);
    signal.addEventListener("abort", () => void look(), options);
  });
}

/** Resolves after a pause, at the end of which it may be tried again to get one. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
}
