// A conversation between two contexts: a MessagePort, or where none can be handed over a pair of
// BroadcastChannels.

/** One end of a conversation. */
export interface Channel<Out, In> {
  post(message: Out, transfer?: Transferable[]): void;
  /** Begins delivery; what came before is delivered too. */
  listen(receive: (message: In) => void): void;
  close(): void;
  /** Whether ports can be posted. */
  readonly carriesPorts: boolean;
}

/** A channel over a port. */
export function portChannel<Out, In>(port: MessagePort): Channel<Out, In> {
  return {
    post: (message, transfer) => (transfer ? port.postMessage(message, transfer) : port.postMessage(message)),
    listen: (receive) => {
      port.onmessage = (event) => receive(event.data as In);
    },
    close: () => port.close(),
    carriesPorts: true,
  };
}

/** A channel over two BroadcastChannels, one for each direction; the asker and the answerer name it. */
export function broadcastChannel<Out, In>(name: string, end: "asker" | "answerer"): Channel<Out, In> {
  const outward = new BroadcastChannel(`${name}:${end}`);
  const inward = new BroadcastChannel(`${name}:${end === "asker" ? "answerer" : "asker"}`);
  return {
    post: (message) => outward.postMessage(message),
    listen: (receive) => {
      inward.onmessage = (event) => receive(event.data as In);
    },
    close: () => {
      outward.close();
      inward.close();
    },
    carriesPorts: false,
  };
}
