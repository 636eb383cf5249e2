// A service worker that knows of no homeserver asks the pages: it may be new, or the site's data was
// deleted, with what the pages had told it before.

import type { FromServiceWorker } from "../shared/messages.js";

/** How long pages may take; one that uses no homeserver never answers. */
const TELL_WITHIN = 2000;

/** Resolves when all pages have told which homeservers they use, or have had the time. */
export async function askPages(clients: Clients): Promise<void> {
  // Also those that are not controlled, as a page is after its first load.
  const pages = await clients.matchAll({ type: "window", includeUncontrolled: true });
  const told = pages.map((page) => {
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<void>((resolve) => (port1.onmessage = () => resolve()));
    page.postMessage({ kind: "neurite:tell", port: port2 } satisfies FromServiceWorker, [port2]);
    return answer.finally(() => port1.close());
  });
  await Promise.race([Promise.all(told), new Promise((late) => setTimeout(late, TELL_WITHIN))]);
}
