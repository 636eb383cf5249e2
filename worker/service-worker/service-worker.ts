// The service worker: hands requests for the homeserver's base URL to the homeserver's worker.
//
// Either registered as it is, or imported by an app's own service worker as its first line, so that
// this listener comes before the app's:
//
//   import "neurite/service-worker";            // or importScripts("…/service-worker.js")

import { version } from "../../package.json";
import { looksLikeMatrix } from "../shared/base-url.js";
import { hold, uniqueName } from "../shared/locks.js";
import type { FromServiceWorker, Serving, ToServiceWorker } from "../shared/messages.js";
import { PROTOCOL } from "../shared/messages.js";
import { isAnsweredOnce } from "../shared/repeatable.js";
import { readRequest } from "../shared/request.js";
import { ERROR_HEADERS, toResponse } from "../shared/response.js";
import { beganHere, foreignFormRefused, isForeignForm } from "./navigations.js";
import { Route } from "./route.js";
import { Served } from "./served.js";
import { askPages } from "./tell.js";

const worker = self as unknown as ServiceWorkerGlobalScope;

const lock = uniqueName("neurite:service-worker");
const held = hold(lock);
const served = new Served(() => askPages(worker.clients));
const routes = new Map<string, Route>();
/** The storage that a page uses, by the page's client id. */
const usedBy = new Map<string, string>();
/** How long a page may take to say which it uses; one that uses none never does. */
const SAYS_WITHIN = 2000;
/** How many pages are remembered; the oldest are asked again. */
const REMEMBERED = 100;
/** Begun at once, since the first request is probably there already. */
const loaded = served.load();
loaded.catch((error: unknown) => console.error("Neurite's service worker can't read its settings.", error));

function routeTo(storage: string): Route {
  let route = routes.get(storage);
  if (!route) routes.set(storage, (route = new Route(storage, lock, held, worker.clients)));
  return route;
}

/** Whether a request is to be held back: it is the homeserver's, or that is not known yet. */
function mayBeOurs(url: string): boolean {
  return looksLikeMatrix(url) && (!served.known || served.findKnown(url) !== undefined);
}

/** The homeserver's answer, or else the network's. */
async function answer(request: Request, clientId: string, network: () => Promise<Response>): Promise<Response> {
  const found = await served.find(request.url);
  if (!found) return network();
  if (isForeignForm(request, worker.location.origin)) return foreignFormRefused();
  const content = await readRequest(request, found.path);
  if (isMediaElement(request, found.path)) content.mediaElement = true;
  if (clientId && isAnsweredOnce(content.method, found.path)) content.client = clientId;
  const storage = await choose(found.storages, clientId);
  try {
    const answer = await routeTo(storage).ask(content, request.signal);
    if (answer.kind === "response") return toResponse(content, answer);
  } catch (error) {
    if (request.signal.aborted) throw error;
  }
  return request.mode === "navigate" ? unavailable() : Response.error();
}

/** Where several homeservers have one base URL, the page's own. */
async function choose(storages: string[], clientId: string): Promise<string> {
  const newest = storages[0]!;
  const known = usedBy.get(clientId);
  if (known !== undefined && storages.includes(known)) return known;
  const client = storages.length > 1 && clientId ? await worker.clients.get(clientId) : undefined;
  if (!client) return newest;
  const { port1, port2 } = new MessageChannel();
  const own = new Promise<string>((resolve) => {
    port1.onmessage = ({ data }) => {
      if (storages.includes(data as string)) resolve(data as string);
    };
    setTimeout(resolve, SAYS_WITHIN, newest);
  });
  client.postMessage({ kind: "neurite:whose", port: port2 } satisfies FromServiceWorker, [port2]);
  const storage = await own.finally(() => port1.close());
  remember(clientId, storage);
  return storage;
}

function remember(clientId: string, storage: string): void {
  usedBy.delete(clientId);
  usedBy.set(clientId, storage);
  const [oldest] = usedBy.keys();
  if (usedBy.size > REMEMBERED) usedBy.delete(oldest!);
}

const MEDIA = /^\/_matrix\/(client\/(v1|unstable\/[^/]+)\/media|media\/[^/]+)\/(download|thumbnail)\//;
const MEDIA_DESTINATIONS = new Set(["image", "audio", "video", "track", "object", "embed"]);

/**
 * Whether an element of a page asks for media. It can send no token, and needs none: the page is of
 * this origin, which may read everything that is stored here.
 */
function isMediaElement(request: Request, path: string): boolean {
  if (request.method !== "GET" || !MEDIA.test(path)) return false;
  if (request.headers.has("authorization") || /[?&]access_token=/.test(path)) return false;
  // A link to a download navigates; from elsewhere it is a stranger's.
  if (request.mode === "navigate") return beganHere(request, worker.location.origin);
  return MEDIA_DESTINATIONS.has(request.destination);
}

/** For a person who opens an address of the homeserver while no page runs it. */
function unavailable(): Response {
  const error = "No open page runs this homeserver. Open one, then reload.";
  return new Response(JSON.stringify({ errcode: "M_UNKNOWN", error }), { status: 503, headers: ERROR_HEADERS });
}

worker.addEventListener("fetch", (event) => {
  if (!mayBeOurs(event.request.url)) return;
  event.respondWith(answer(event.request, event.clientId, () => network(event.request)));
});

// What the app's own service worker fetches does not come by the listener.
const network = worker.fetch.bind(worker);
worker.fetch = async (input, init) => {
  const url = input instanceof Request ? input.url : new URL(input, worker.location.href).href;
  if (!mayBeOurs(url)) return network(input, init);
  if (!(await served.find(url))) return network(input, init);
  return answer(new Request(input, init), "", () => network(input, init));
};

// At once, so that page and service worker are of one version.
worker.addEventListener("install", () => void worker.skipWaiting());
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));

worker.addEventListener("message", (event) => {
  const message = event.data as ToServiceWorker | undefined;
  switch (message?.kind) {
    case "neurite:serve":
      if (event.source instanceof Client) remember(event.source.id, message.storage);
      return event.waitUntil(serve(message));
    case "neurite:forget":
      return event.waitUntil(served.remove(message.storage));
    case "neurite:leading":
      return event.waitUntil(routeTo(message.storage).open(message));
    case "neurite:connect":
      return event.waitUntil(routeTo(message.storage).hand(message.port));
  }
});

async function serve({ storage, baseUrl, port }: Extract<ToServiceWorker, { kind: "neurite:serve" }>): Promise<void> {
  await served.add(storage, baseUrl);
  // A page that was loaded before, or loaded again by force, is not controlled.
  await worker.clients.claim();
  port.postMessage({ kind: "neurite:serving", version, protocol: PROTOCOL } satisfies Serving);
}
