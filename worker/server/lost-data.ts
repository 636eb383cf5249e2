// Whether a database that was there is gone. Chromium removes the databases of an origin when it can't
// read them, and tells only the first page that opens one of them; people delete databases with the
// browser's tools. So a mark beside the databases remembers that this one was made. Who clears the
// site's data clears the mark too.

const mark = (storage: string): string => `neurite:made:${storage}`;

/** To be asked before the database is opened. */
export async function isLost(storage: string): Promise<boolean> {
  try {
    const [made, databases] = await Promise.all([caches.has(mark(storage)), indexedDB.databases()]);
    return made && !databases.some(({ name }) => name === storage);
  } catch {
    // This browser, or a private window of it, has no such thing.
    return false;
  }
}

/** The database has been made. */
export async function rememberMade(storage: string): Promise<void> {
  await globalThis.caches?.open(mark(storage)).catch(() => {});
}

/** The database is deleted on purpose. */
export async function forgetMade(storage: string): Promise<void> {
  await globalThis.caches?.delete(mark(storage)).catch(() => {});
}
