// The floor: what a service worker costs that does as little as it can.
//
//   /floor/none   answered here
//   /floor/hop    handed to a dedicated worker over a MessagePort, answered there
//   /floor/put    the same, with one strict IndexedDB put in the worker

let port;
let waiting = new Map();
let next = 0;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

addEventListener("message", (event) => {
  const [given, taken] = event.ports;
  port = given;
  waiting = new Map();
  port.onmessage = ({ data }) => {
    waiting.get(data.id)(data.body);
    waiting.delete(data.id);
  };
  taken.postMessage(undefined);
});

addEventListener("fetch", (event) => {
  const { pathname } = new URL(event.request.url);
  if (pathname === "/floor/none") event.respondWith(json("{}"));
  else if (pathname.startsWith("/floor/")) event.respondWith(hop(event.request, pathname));
});

async function hop(request, pathname) {
  const body = request.method === "GET" ? undefined : await request.arrayBuffer();
  const id = next++;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  port.postMessage({ id, put: pathname === "/floor/put", body }, body ? [body] : []);
  return json(await answer);
}

function json(body) {
  return new Response(body, { headers: { "content-type": "application/json" } });
}
