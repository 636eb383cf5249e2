// The demo's own service worker, written as the author of a client would: Neurite's first, which
// answers the homeserver's requests, then what the app needs itself. Here that is to load offline.

import "neurite/service-worker";

const worker = self as unknown as ServiceWorkerGlobalScope;
const CACHES = "neurite-demo:";
const cacheName = CACHES + BUILD;

// All of a build or nothing of it, so that what is served offline fits together.
worker.addEventListener("install", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(cacheName);
      await cache.addAll(ASSETS.map((path) => new Request(path, { cache: "no-cache" })));
      await worker.skipWaiting();
    })(),
  );
});

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const old = (await caches.keys()).filter((name) => name.startsWith(CACHES) && name !== cacheName);
      await Promise.all(old.map((name) => caches.delete(name)));
      await worker.clients.claim();
    })(),
  );
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== location.origin || pathname.includes("/_matrix/")) return;
  event.respondWith(freshOrKept(request));
});

/** A new build shows at the next load; without a network the kept one does. */
async function freshOrKept(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (offline) {
    const cache = await caches.open(cacheName);
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept) return kept;
    throw offline;
  }
}
