// Tells the room that this user types. spec: client-server §Typing notifications

import type { MatrixClient } from "matrix-js-sdk";

/** How long the homeserver believes it, and how often it is told again, in milliseconds. */
const TIMEOUT = 15_000;
const REPEAT = 8000;

export class TypingNotice {
  #saidAt = 0;

  constructor(
    private readonly client: MatrixClient,
    private readonly roomId: string,
  ) {}

  typed(empty: boolean): void {
    if (empty) return this.stopped();
    if (Date.now() - this.#saidAt < REPEAT) return;
    this.#saidAt = Date.now();
    this.#say(true);
  }

  stopped(): void {
    if (this.#saidAt === 0) return;
    this.#saidAt = 0;
    this.#say(false);
  }

  #say(typing: boolean): void {
    // Of no account if it fails.
    this.client.sendTyping(this.roomId, typing, TIMEOUT).catch(() => undefined);
  }
}
