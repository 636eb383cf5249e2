// The floor's worker, and a way to it without the service worker: over a MessagePort.

const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });

/** A port to the worker. */
export function openPort() {
  const { port1, port2 } = new MessageChannel();
  worker.postMessage(undefined, [port2]);
  return port1;
}

/** What a request says that is to be stored. */
export const message = JSON.stringify({ msgtype: "m.text", body: "A message of ordinary length." });

const waiting = new Map();
let next = 0;
const port = openPort();
port.onmessage = ({ data }) => {
  waiting.get(data.id)(data.body);
  waiting.delete(data.id);
};

/** One request, answered at once or, with `put`, after that. */
export function overPort({ put }) {
  const body = new TextEncoder().encode(message).buffer;
  const id = next++;
  const answer = new Promise((resolve) => waiting.set(id, resolve));
  port.postMessage({ id, put, body }, [body]);
  return answer;
}
