// The floor's worker: answers at once, or after one strict IndexedDB put.

import { put } from "./put.js";

const answer = new TextEncoder().encode("{}");

addEventListener("message", (event) => {
  const port = event.ports[0];
  port.onmessage = async ({ data }) => {
    if (data.put) await put();
    const body = answer.slice().buffer;
    port.postMessage({ id: data.id, body }, [body]);
  };
});
