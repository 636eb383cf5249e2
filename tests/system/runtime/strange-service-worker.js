// A service worker that knows nothing of homeservers.

addEventListener("install", () => skipWaiting());
addEventListener("fetch", () => {});
