// A client's own service worker, as web clients have one: it fetches media itself, and answers a
// path of its own.

importScripts("/service-worker.js");

addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === "/own") event.respondWith(new Response("own"));
  if (pathname === "/own-fetch") event.respondWith(fetch("/_matrix/client/versions"));
});
