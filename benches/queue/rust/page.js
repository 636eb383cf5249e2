// A page with a worker that measures the queue by its Rust API.

import { offer } from "/work.js";

const worker = new Worker("worker.js", { type: "module" });

/** Has the worker do one thing, the page asking for no other meanwhile. */
function ask(call, ...args) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => ("error" in data ? reject(new Error(data.error)) : resolve(data.result));
    worker.onerror = ({ message }) => reject(new Error(message));
    worker.postMessage({ call, args });
  });
}

offer({
  open: () => ask("open"),
  measure: (name, count) => ask("measure", name, count),
  finish: () => ask("finish"),
});
