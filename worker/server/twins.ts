// Requests that come a second time.
//
// A browser may end a service worker while requests are under way there. Chromium gives each to the
// next service worker, where nothing tells it from a new one. What changes something is done once all
// the same: the second takes the answer of the first.

import type { FetchResponse } from "../../dist/neurite.js";
import type { Body, RequestMessage } from "../shared/messages.js";

/** How long the answers are kept that an ended service worker has left behind, and how many. */
const KEPT_FOR = 10_000;
const MOST = 100;
const MOST_BYTES = 16 * 1024 * 1024;
/** How much of two blobs is compared at a time. */
const SLICE = 1024 * 1024;

/** A service worker that asks. */
interface Asker {
  /** Held as long as it lives. */
  lock?: string;
}

interface Entry {
  asker: Asker;
  request: RequestMessage;
  answer: Promise<FetchResponse>;
  /** The asker has ended before it took the answer. */
  left: boolean;
  bytes: number;
}

/**
 * The requests that are to be done once and whose answers have not been taken. A request takes the
 * answer of one that an ended service worker has left; never that of one whose asker lives, since a
 * client may mean to ask the same twice.
 */
export class Twins {
  /** Oldest first. */
  #entries = new Set<Entry>();

  /** The answer to a request of `asker`: what `act` gives, unless the same was asked before. */
  answer(asker: Asker, request: RequestMessage, act: () => Promise<FetchResponse>): Promise<FetchResponse> {
    const like = [...this.#entries].filter((other) => other.asker !== asker && sameHead(other.request, request));
    const answer = like.length === 0 ? act() : this.#take(like, request).then((first) => first?.answer ?? act());
    const entry: Entry = { asker, request, answer, left: false, bytes: sizeOf(request.body) };
    this.#entries.add(entry);
    answer.then(
      ({ body }) => {
        entry.bytes += sizeOf(body);
        if (entry.left) this.#trim();
      },
      () => this.#entries.delete(entry),
    );
    return answer;
  }

  /** `asker` has taken the answer to its request `id`. */
  taken(asker: Asker, id: number): void {
    for (const entry of this.#of(asker)) if (entry.request.id === id) this.#entries.delete(entry);
  }

  /** `asker` has ended, and its requests may come a second time. */
  leave(asker: Asker): void {
    const left = this.#of(asker);
    if (left.length === 0) return;
    for (const entry of left) entry.left = true;
    this.#trim();
    setTimeout(() => this.forget(asker), KEPT_FOR);
  }

  /** Nothing that `asker` has asked comes a second time. */
  forget(asker: Asker): void {
    for (const entry of this.#of(asker)) this.#entries.delete(entry);
  }

  #of(asker: Asker): Entry[] {
    return [...this.#entries].filter((entry) => entry.asker === asker);
  }

  /** The first of these that is the same request and was left; it is nobody else's from then on. */
  async #take(like: Entry[], request: RequestMessage): Promise<Entry | undefined> {
    for (const entry of like) {
      if (!entry.left && !(await hasEnded(entry.asker))) continue;
      if (!(await sameBody(entry.request.body, request.body))) continue;
      // Meanwhile another may have taken it.
      if (this.#entries.delete(entry)) return entry;
    }
    return undefined;
  }

  /** Of what was left, keeps the newest. */
  #trim(): void {
    let [count, bytes] = [0, 0];
    for (const entry of [...this.#entries].reverse()) {
      if (!entry.left) continue;
      count += 1;
      bytes += entry.bytes;
      if (count > MOST || bytes > MOST_BYTES) this.#entries.delete(entry);
    }
  }
}

/** Whether it is gone: the next service worker may ask before its lock is seen to be free. */
async function hasEnded({ lock }: Asker): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return !held.some(({ name }) => name === lock);
}

/** Whether the same page asks for the same with the same token. */
function sameHead(one: RequestMessage, other: RequestMessage): boolean {
  return (
    one.client === other.client &&
    one.method === other.method &&
    one.path === other.path &&
    one.headers.length === other.headers.length &&
    one.headers.every((entry, index) => entry === other.headers[index])
  );
}

async function sameBody(one: Body | undefined, other: Body | undefined): Promise<boolean> {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return sameBytes(one, other);
  if (!(one instanceof Blob && other instanceof Blob)) return one === other;
  if (one.size !== other.size || one.type !== other.type) return false;
  for (let at = 0; at < one.size; at += SLICE) {
    const slices = [one, other].map((blob) => blob.slice(at, at + SLICE).arrayBuffer());
    // A blob whose bytes went with its service worker can't be read, and is nobody's twin.
    const [first, second] = await Promise.all(slices).catch(() => []);
    if (!first || !second || !sameBytes(new Uint8Array(first), new Uint8Array(second))) return false;
  }
  return true;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

/** What it takes of the memory; a blob is the browser's. */
function sizeOf(body: Body | undefined): number {
  return body === undefined || body instanceof Blob ? 0 : body.length;
}
