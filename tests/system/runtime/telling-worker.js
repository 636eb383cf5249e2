// The homeserver's worker, which tells what it writes to its console and its performance timeline.

import "/worker.js";

const channel = new BroadcastChannel("telling");

for (const level of ["error", "warn", "info", "debug"]) {
  console[level] = (text) => channel.postMessage({ level, text });
}
const observer = new PerformanceObserver((list) => {
  for (const { name, duration, detail } of list.getEntries()) {
    channel.postMessage({ span: name, track: detail.devtools.track, duration });
  }
});
observer.observe({ type: "measure" });
