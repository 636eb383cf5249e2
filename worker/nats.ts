// A NATS client of the queue: `neurite/nats`. The client is the official one, @nats-io/nats-core,
// which the app brings along.

import { wsconnect, type ConnectionOptions, type NatsConnection } from "@nats-io/nats-core";

import type { FromNatsClient, ToNatsClient } from "./messages.js";

/** What has a queue: a homeserver, or the queue alone. */
export interface QueueSource {
  queue(): Promise<MessagePort>;
  addEventListener(type: "close", listener: () => void): void;
  removeEventListener(type: "close", listener: () => void): void;
}

/** After how many bytes the worker is told that they were taken; it bounds what is on the way. */
const TOLD_EVERY = 256 * 1024;

/**
 * Connects a client to the queue of `source`. When the worker that it speaks to goes, with its tab
 * or by a crash, the client connects again to the next one; `options` are nats-core's own.
 */
export async function connect(source: QueueSource, options: ConnectionOptions = {}): Promise<NatsConnection> {
  let connection: NatsConnection | undefined;
  let ended = false;
  const end = (): void => {
    ended = true;
    void connection?.close();
  };
  source.addEventListener("close", end);
  const connecting = wsconnect({
    // The next worker is there at once or is waited for: there is no server to be spared.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 0,
    ...options,
    // Only a name: a server has to have one.
    servers: "ws://neurite",
    wsFactory: async () => {
      const socket = new PortSocket(await source.queue());
      // Of a WebSocket it has what is used.
      return { socket: socket as unknown as WebSocket, encrypted: false };
    },
  });
  try {
    connection = await connecting;
  } catch (cause) {
    source.removeEventListener("close", end);
    throw cause;
  }
  void connection.closed().then(() => source.removeEventListener("close", end));
  if (ended) void connection.close();
  return connection;
}

type MessageListener = (event: { data: ArrayBuffer }) => void;

/** Of WebSocket's interface, what nats-core uses, over a port. */
class PortSocket {
  binaryType = "arraybuffer";
  /** What was posted needs no more of us. */
  readonly bufferedAmount = 0;
  onopen = null;
  onerror = null;
  onclose: ((event: { wasClean: boolean; reason: string }) => void) | null = null;
  #onmessage: MessageListener | null = null;
  #port: MessagePort;
  #taken = 0;
  #told = 0;
  #closed = false;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  get onmessage(): MessageListener | null {
    return this.#onmessage;
  }

  /** Delivery begins when somebody listens: nothing is lost before. */
  set onmessage(listener: MessageListener | null) {
    this.#onmessage = listener;
    this.#port.onmessage = ({ data }: MessageEvent<ToNatsClient>) => this.#receive(data);
  }

  /** A copy goes: nats-core sends some of its buffers again and again. */
  send(frame: ArrayBuffer): void {
    this.#post(frame);
  }

  close(): void {
    if (this.#closed) return;
    this.#post(null);
    this.#end({ wasClean: true, reason: "" });
  }

  #post(message: FromNatsClient): void {
    this.#port.postMessage(message);
  }

  #receive(message: ToNatsClient): void {
    if (typeof message === "string") return this.#end({ wasClean: false, reason: message });
    this.#onmessage?.({ data: message.buffer });
    this.#taken += message.byteLength;
    if (this.#taken - this.#told < TOLD_EVERY) return;
    this.#told = this.#taken;
    this.#post(this.#taken);
  }

  #end(event: { wasClean: boolean; reason: string }): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#port.close();
    // As a WebSocket's, which closes in its own time.
    queueMicrotask(() => this.onclose?.(event));
  }
}
