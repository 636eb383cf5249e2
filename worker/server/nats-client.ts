// A NATS client that the worker serves: its bytes, carried from a channel to the wasm and back.

import type { Channel } from "../shared/channel.js";
import type { FromNatsClient, ToNatsClient } from "../shared/messages.js";
import type { Engine } from "./engine.js";

/** Serves the client at the other end until it leaves, breaks the protocol, or `gone` aborts. */
export function serve(engine: Engine, channel: Channel<ToNatsClient, FromNatsClient>, gone: AbortSignal): void {
  let open = true;
  const leave = (): void => connection.close("Client Closed");
  const closed = (reason: string): void => {
    open = false;
    gone.removeEventListener("abort", leave);
    channel.post(reason);
    // The wasm is still at work on it.
    queueMicrotask(() => {
      channel.close();
      connection.free();
    });
  };
  const connection = engine.connect((bytes) => channel.post(bytes, [bytes.buffer]), closed);
  gone.addEventListener("abort", leave);
  channel.listen((message) => {
    if (!open) return;
    if (message instanceof Uint8Array) connection.receive(message);
    else if (message instanceof ArrayBuffer) connection.receive(new Uint8Array(message));
    else if (typeof message === "number") connection.took(message);
    else leave();
  });
}
