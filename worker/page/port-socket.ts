// A NATS client's socket, over a port to whichever worker runs.

import type { FromNatsClient, ToNatsClient } from "../shared/messages.js";

/** After how many bytes the worker is told that they were taken; it bounds what is on the way. */
const TOLD_EVERY = 256 * 1024;

type MessageListener = (event: { data: ArrayBuffer }) => void;

/**
 * Of WebSocket's interface, what nats-core uses. Until client and server have greeted one another it
 * outlives the worker, since nats-core would not notice its end: the next one is greeted instead.
 */
export class PortSocket {
  binaryType = "arraybuffer";
  /** What was posted needs no more of us. */
  readonly bufferedAmount = 0;
  onopen = null;
  onerror: ((event: { message: string }) => void) | null = null;
  onclose: ((event: { wasClean: boolean; reason: string }) => void) | null = null;
  onmessage: MessageListener | null = null;
  #port: MessagePort | undefined;
  /** What the client has said, until the worker has answered it. */
  #greeting: FromNatsClient[] | undefined = [];
  /** Whether the client has been sent the INFO that a worker begins with, and whether this one has begun. */
  #informed = false;
  #begun = false;
  #taken = 0;
  #told = 0;
  #closed = new AbortController();

  /** `find` resolves with a port to a worker, once one runs. */
  constructor(private readonly find: (signal: AbortSignal) => Promise<MessagePort>) {
    void this.#open();
  }

  /** A copy goes: nats-core sends some of its buffers again and again. */
  send(frame: ArrayBuffer): void {
    this.#greeting?.push(frame);
    this.#post(frame);
  }

  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#post(null);
    this.#end({ wasClean: true, reason: "" });
  }

  async #open(): Promise<void> {
    try {
      const port = await this.find(this.#closed.signal);
      if (this.#closed.signal.aborted) {
        port.postMessage(null satisfies FromNatsClient);
        return port.close();
      }
      this.#port = port;
      this.#begun = false;
      this.#taken = this.#told = 0;
      // Delivery begins when somebody listens: nothing is lost before.
      port.onmessage = ({ data }: MessageEvent<ToNatsClient>) => this.#receive(data);
    } catch (error) {
      if (this.#closed.signal.aborted) return;
      this.#closed.abort();
      const reason = (error as Error).message;
      // In its own time and both, as a WebSocket does: nobody may listen yet, or only to one.
      setTimeout(() => {
        this.onerror?.({ message: reason });
        this.onclose?.({ wasClean: false, reason });
      });
    }
  }

  #post(message: FromNatsClient): void {
    this.#port?.postMessage(message);
  }

  #receive(message: ToNatsClient): void {
    if (typeof message === "string") return this.#lose(message);
    if (this.#begun) this.#greeting = undefined;
    if (this.#begun || !this.#informed) this.onmessage?.({ data: message.buffer });
    else for (const said of this.#greeting ?? []) this.#post(said);
    this.#begun = this.#informed = true;
    this.#taken += message.byteLength;
    if (this.#taken - this.#told < TOLD_EVERY) return;
    this.#told = this.#taken;
    this.#post(this.#taken);
  }

  #lose(reason: string): void {
    if (!this.#greeting) return this.#end({ wasClean: false, reason });
    this.#port?.close();
    this.#port = undefined;
    void this.#open();
  }

  #end(event: { wasClean: boolean; reason: string }): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#port?.close();
    // As a WebSocket's, which closes in its own time.
    queueMicrotask(() => this.onclose?.(event));
  }
}
