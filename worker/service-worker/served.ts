// Which base URLs the service worker answers for. Kept in IndexedDB, since a browser may end the
// service worker at any time, and in a cache an app's own service worker would sweep it away.

import { pathBelow } from "../shared/base-url.js";

const DATABASE = "neurite:service-worker";
/** A record for each storage, so that two service workers of one origin don't undo each other. */
const STORE = "homeservers";
const VERSION = 2;

interface Entry {
  storage: string;
  baseUrl: string;
  /** When it was added, in milliseconds since the Unix epoch. */
  at: number;
}

/** The homeservers of this origin, newest last. */
export class Served {
  #entries: Entry[] | undefined;
  #loading: Promise<Entry[]> | undefined;

  /** `ask` has those who know add what they know; it resolves when they have. */
  constructor(private readonly ask: () => Promise<void>) {}

  /** Whether that is known already. */
  get known(): boolean {
    return this.#entries !== undefined;
  }

  /** The storages whose homeserver `url` may belong to, newest first, and the path there. */
  async find(url: string): Promise<{ storages: string[]; path: string } | undefined> {
    return match(url, this.#entries ?? (await this.load()));
  }

  /** The same with what is known; undefined too when nothing is. */
  findKnown(url: string): { storages: string[]; path: string } | undefined {
    return match(url, this.#entries ?? []);
  }

  async load(): Promise<Entry[]> {
    // A failure is not kept: the next request tries again.
    this.#loading ??= this.#read().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #read(): Promise<Entry[]> {
    let stored = await change(() => {});
    if (stored.length === 0) {
      await this.ask();
      stored = await change(() => {});
    }
    return (this.#entries = stored);
  }

  /** Always on disk, too: what was written before may have been deleted with the site's data. */
  async add(storage: string, baseUrl: string): Promise<void> {
    const known = this.#entries ?? [];
    this.#entries = await change((store, stored) => {
      if (stored.length === 0) for (const entry of known) store.put(entry);
      store.put({ storage, baseUrl, at: Date.now() } satisfies Entry);
    });
  }

  async remove(storage: string): Promise<void> {
    this.#entries = await change((store) => store.delete(storage));
  }
}

function match(url: string, entries: Entry[]): { storages: string[]; path: string } | undefined {
  let path: string | undefined;
  const storages: string[] = [];
  for (const entry of entries) {
    const below = pathBelow(entry.baseUrl, url);
    if (below === undefined) continue;
    path = below;
    storages.unshift(entry.storage);
  }
  return path === undefined ? undefined : { storages, path };
}

/** Does something with the records that are there, and resolves with all once that is on disk. */
async function change(act: (store: IDBObjectStore, stored: Entry[]) => unknown): Promise<Entry[]> {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, "readwrite");
      const store = transaction.objectStore(STORE);
      let all: IDBRequest<Entry[]> = store.getAll();
      all.onsuccess = () => {
        act(store, all.result);
        all = store.getAll();
      };
      transaction.oncomplete = () => resolve(all.result.sort((a, b) => a.at - b.at));
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, VERSION);
    request.onupgradeneeded = () => {
      // What was there before is told again by the pages.
      for (const name of request.result.objectStoreNames) request.result.deleteObjectStore(name);
      request.result.createObjectStore(STORE, { keyPath: "storage" });
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
