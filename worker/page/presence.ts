// What shows others that a page takes part: its own lock, which is free once the page has gone, and
// its ear for what is announced.

import { hold } from "../shared/locks.js";
import type { Announcement } from "../shared/messages.js";

export class Presence {
  #over = new AbortController();
  #bus: BroadcastChannel | undefined;

  /** Resolves when it holds `lock`. */
  async hold(lock: string): Promise<void> {
    const { release } = await hold(lock);
    if (this.#over.signal.aborted) release();
    else this.#over.signal.addEventListener("abort", release);
  }

  listen(channel: string, hear: (message: Announcement) => void): void {
    this.#bus = new BroadcastChannel(channel);
    this.#bus.onmessage = ({ data }) => hear(data as Announcement);
  }

  announce(message: Announcement): void {
    this.#bus?.postMessage(message);
  }

  end(): void {
    this.#over.abort();
    this.#bus?.close();
    this.#bus = undefined;
  }
}
