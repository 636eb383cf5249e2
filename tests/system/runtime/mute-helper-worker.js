// The homeserver's worker, whose helpers never say a word.

import "/worker.js";

if (self.name.endsWith(":helper")) MessagePort.prototype.postMessage = () => {};
