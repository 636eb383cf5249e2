// Which base URLs the service worker answers for. Kept in IndexedDB, since a browser may end the
// service worker at any time, and in a cache an app's own service worker would sweep it away.

import { pathBelow } from "./base-url.js";

const DATABASE = "neurite:service-worker";
const STORE = "served";

interface Entry {
  storage: string;
  baseUrl: string;
}

/** The homeservers of this origin, newest last. */
export class Served {
  #entries: Entry[] | undefined;
  #loading: Promise<Entry[]> | undefined;

  /** Whether that is known already. */
  get known(): boolean {
    return this.#entries !== undefined;
  }

  /** The storages whose homeserver `url` may belong to, newest first, and the path there. */
  async find(url: string): Promise<{ storages: string[]; path: string } | undefined> {
    return this.match(url, this.#entries ?? (await this.load()));
  }

  /** The same with what is known; undefined too when nothing is. */
  findKnown(url: string): { storages: string[]; path: string } | undefined {
    return this.match(url, this.#entries ?? []);
  }

  async load(): Promise<Entry[]> {
    this.#loading ??= readAll();
    const stored = await this.#loading;
    return (this.#entries ??= stored);
  }

  async add(entry: Entry): Promise<void> {
    const entries = await this.load();
    const newest = entries.at(-1);
    if (newest?.storage === entry.storage && newest.baseUrl === entry.baseUrl) return;
    const others = entries.filter(({ storage }) => storage !== entry.storage);
    await this.#replace([...others, entry]);
  }

  async remove(storage: string): Promise<void> {
    await this.#replace((await this.load()).filter((entry) => entry.storage !== storage));
  }

  async #replace(entries: Entry[]): Promise<void> {
    this.#entries = entries;
    await write(entries);
  }

  private match(url: string, entries: Entry[]): { storages: string[]; path: string } | undefined {
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
}

async function readAll(): Promise<Entry[]> {
  const database = await open();
  try {
    const store = database.transaction(STORE).objectStore(STORE);
    return ((await done(store.get("entries"))) as Entry[] | undefined) ?? [];
  } finally {
    database.close();
  }
}

async function write(entries: Entry[]): Promise<void> {
  const database = await open();
  try {
    await done(database.transaction(STORE, "readwrite").objectStore(STORE).put(entries, "entries"));
  } finally {
    database.close();
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return done(request);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
