import type { Homeserver } from "neurite";

/** Deletes the homeserver and what this page's clients keep, then begins anew. */
export async function eraseEverything(homeserver: Homeserver): Promise<void> {
  await homeserver.destroy();
  for (const storage of [localStorage, sessionStorage]) {
    for (const key of Object.keys(storage)) {
      // The second are the SDK's, about filters.
      if (/^(neurite-demo:|mxjssdk_)/.test(key)) storage.removeItem(key);
    }
  }
  // Deleted once the clients that have them open end with the page.
  for (const { name } of await indexedDB.databases()) {
    if (name?.includes("neurite-demo:")) indexedDB.deleteDatabase(name);
  }
  location.reload();
}
