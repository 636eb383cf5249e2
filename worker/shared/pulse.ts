// Whether somebody still answers. A browser may freeze a page with its workers, and what is frozen
// keeps its locks: a lock that is held is no sign of life.

/** How often it is asked. */
const EVERY = 1000;
/** So many questions in a row without an answer are too many. */
const TOO_MANY = 2;

/**
 * Asks as long as somebody waits. Questions are counted, not the time: who was asleep itself, or
 * has its timers throttled in a hidden tab, finds the answers there before it asks again.
 */
export class Pulse {
  #timer: ReturnType<typeof setTimeout> | undefined;
  #unanswered = 0;

  constructor(
    private readonly actions: {
      /** Whether anybody waits for the other side. */
      wanted(): boolean;
      /** `first`: all that was asked before was answered. */
      ask(first: boolean): void;
      /** Too many questions were not answered; called again as long as that is so. */
      silent(): void;
    },
  ) {}

  get silent(): boolean {
    return this.#unanswered >= TOO_MANY;
  }

  /** Begins, unless it has; asks for the first time after so many milliseconds. */
  start(after = EVERY): void {
    this.#timer ??= setTimeout(() => this.#beat(), after);
  }

  /** The other side has said something. */
  heard(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unanswered = 0;
  }

  #beat(): void {
    if (!this.actions.wanted()) return this.stop();
    if (this.silent) this.actions.silent();
    // That may have ended it.
    if (this.#timer === undefined) return;
    this.actions.ask(this.#unanswered === 0);
    this.#unanswered += 1;
    this.#timer = setTimeout(() => this.#beat(), EVERY);
  }
}
