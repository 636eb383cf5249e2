// The floor's page: the same requests as the homeserver's, answered by next to nothing.

import { atATime, median } from "./measure.js";

const worker = new Worker("worker.js");

function openPort() {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(undefined, [port2]);
  return port1;
}

const waiting = new Map();
let next = 0;
const port = openPort();
port.onmessage = ({ data }) => {
  waiting.get(data.id)(data.body);
  waiting.delete(data.id);
};

function overPort(put) {
  const body = new TextEncoder().encode(message).buffer;
  const id = next++;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  port.postMessage({ id, put, body }, [body]);
  return answer;
}

const message = JSON.stringify({ msgtype: "m.text", body: "A message of ordinary length." });

const requests = {
  none: async () => (await fetch("/floor/none")).json(),
  hop: async () => (await fetch("/floor/hop")).json(),
  put: async () => (await fetch("/floor/put", { method: "PUT", body: message })).json(),
  "port hop": () => overPort(false),
  "port put": () => overPort(true),
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
