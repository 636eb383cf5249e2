// Who leads: the one context that holds a lock. One that waits for it takes it from a leader that
// does not answer any more, since the browser may have frozen that.

import { Pulse } from "./pulse.js";

/** What a context does in an election that it stands in. */
export interface Candidate {
  /** It leads, until it withdraws or is deposed. `taken`: from one who did not answer. */
  elected(taken: boolean): void;
  /** Somebody else leads; its turn may come. */
  defeated(): void;
  /** Somebody else took the lead, since this one did not answer. */
  deposed(): void;
  failed(reason: Error): void;
  /** Whether it waits for a sign of life of who leads. */
  doubts(): boolean;
  /** Asks for one, which is then told to `heard`. */
  ask(): void;
}

export class Election {
  /** Aborts when the candidate withdraws. */
  #term = new AbortController();
  #leads = false;
  #pulse: Pulse;
  /** Who led when the silence began. */
  #suspect: Promise<string | undefined> | undefined;

  constructor(
    private readonly lock: string,
    private readonly candidate: Candidate,
  ) {
    this.#pulse = new Pulse({
      wanted: () => !this.#leads && !this.#term.signal.aborted && candidate.doubts(),
      ask: (first) => {
        if (first) this.#suspect = this.#leader();
        candidate.ask();
      },
      silent: () => void this.#take(),
    });
  }

  stand(): void {
    const { signal } = (this.#term = new AbortController());
    // Asked first whether it is free, so that the usual only candidate does not look for others.
    this.#request({ ifAvailable: true }, signal, () => {
      this.#request({ signal }, signal);
      this.candidate.defeated();
    });
  }

  /** Neither leads nor wants to. */
  withdraw(): void {
    this.#term.abort();
    this.#leads = false;
    this.#pulse.stop();
  }

  /** Asks who leads for a sign of life, as long as the candidate doubts. */
  doubt(): void {
    if (!this.#leads) this.#pulse.start(0);
  }

  /** Who leads lives. */
  heard(): void {
    this.#pulse.heard();
  }

  async #take(): Promise<void> {
    const { signal } = this.#term;
    const [suspect, leader] = await Promise.all([this.#suspect, this.#leader()]);
    if (signal.aborted || this.#leads || !this.#pulse.silent) return;
    // Somebody else was quicker, or it has ended by itself.
    if (leader === undefined || leader !== suspect) return this.#pulse.heard();
    this.withdraw();
    this.#term = new AbortController();
    this.#request({ steal: true }, this.#term.signal);
  }

  /** The browser's id of the context that holds the lock. */
  async #leader(): Promise<string | undefined> {
    const { held = [] } = await navigator.locks.query();
    return held.find(({ name }) => name === this.lock)?.clientId;
  }

  #request(options: LockOptions, term: AbortSignal, otherwise = (): void => {}): void {
    let elected = false;
    navigator.locks
      .request(this.lock, options, (lock) => {
        if (term.aborted) return undefined;
        if (!lock) return otherwise();
        elected = true;
        this.#leads = true;
        this.#pulse.stop();
        const over = new Promise<void>((resolve) => term.addEventListener("abort", () => resolve()));
        this.candidate.elected(options.steal === true);
        return over;
      })
      .catch((error: unknown) => {
        if (term.aborted) return;
        this.withdraw();
        if (elected) this.candidate.deposed();
        else this.candidate.failed(error as Error);
      });
  }
}
