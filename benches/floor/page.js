// The floor's page: the same requests as the homeserver's, answered by next to nothing.

import { atATime, median } from "../measure.js";
import { message, openPort, overPort } from "./port.js";

const requests = {
  none: async () => (await fetch("/floor/none")).json(),
  hop: async () => (await fetch("/floor/hop")).json(),
  put: async () => (await fetch("/floor/put", { method: "PUT", body: message })).json(),
  "port hop": () => overPort({ put: false }),
  "port put": () => overPort({ put: true }),
};

/** The median time of one request of a kind, in milliseconds. */
globalThis.one = (kind, count) => median(count, requests[kind]);

/** How many requests of a kind are answered in a second, `width` at a time. */
globalThis.many = (kind, count, width) => atATime(count, width, requests[kind]);

await navigator.serviceWorker.register("service-worker.js");
const { active } = await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller) {
  await new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });
}
active.postMessage(undefined, [openPort()]);
globalThis.ready = true;
