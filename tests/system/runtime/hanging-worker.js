// The homeserver's worker, which hangs when it is told to: it holds its locks, and does nothing more.

import "/worker.js";

new BroadcastChannel("hang").onmessage = () => {
  for (;;);
};
