// A NATS client of the queue: `neurite/nats`. The client is the official one, @nats-io/nats-core,
// which the app brings along.

import { wsconnect, type ConnectionOptions, type NatsConnection } from "@nats-io/nats-core";

import { PortSocket } from "./port-socket.js";

/** What has a queue: a homeserver, or the queue alone. */
export interface QueueSource {
  /** Nobody waits for the port any longer when `signal` aborts. */
  queue(signal?: AbortSignal): Promise<MessagePort>;
  addEventListener(type: "close", listener: () => void): void;
  removeEventListener(type: "close", listener: () => void): void;
}

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
    // At once, also when no worker runs yet: nats-core can't give up a connection without a socket.
    wsFactory: async () => {
      const socket = new PortSocket((signal) => source.queue(signal));
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
