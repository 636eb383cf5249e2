// The floor's page: the same requests as the homeserver's, answered by next to nothing.

import { atATime, median } from "../measure.js";
import { offer } from "../work.js";
import { message, openPort, overPort } from "./port.js";

const requests = {
  none: async () => (await fetch("/floor/none")).json(),
  hop: async () => (await fetch("/floor/hop")).json(),
  put: async () => (await fetch("/floor/put", { method: "PUT", body: message })).json(),
  "port hop": () => overPort({ put: false }),
  "port put": () => overPort({ put: true }),
};

/** Gives the service worker a port to the worker; since the last one it may have been ended. */
async function handPort() {
  const { active } = await navigator.serviceWorker.ready;
  const { port1, port2 } = new MessageChannel();
  const taken = new Promise((resolve) => (port1.onmessage = resolve));
  active.postMessage(undefined, [openPort(), port2]);
  await taken;
}

await navigator.serviceWorker.register("service-worker.js");
await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller) {
  await new Promise((resolve) => {
    navigator.serviceWorker.addEventListener("controllerchange", resolve, { once: true });
  });
}

offer({
  /** The median time of one request of a kind, in milliseconds. */
  one: async (kind, count) => {
    await handPort();
    return median(count, requests[kind]);
  },

  /** How many requests of a kind are answered in a second, `width` at a time. */
  many: async (kind, count, width) => {
    await handPort();
    return atATime(count, width, requests[kind]);
  },
});
