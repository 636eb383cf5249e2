// The page's end of a NATS client's conversation with a worker.

import { broadcastChannel, type Channel } from "./channel.js";
import { uniqueName } from "./locks.js";
import type { FromHomeserver, FromNatsClient, ToHomeserver, ToNatsClient } from "./messages.js";

/** The ports to one worker. */
export class NatsPorts {
  // Weak, since nobody tells when a port is given up; one that somebody listens to stays.
  #ports = new Set<WeakRef<MessagePort>>();

  /** Whether somebody may speak over one. */
  get inUse(): boolean {
    for (const known of this.#ports) if (!known.deref()) this.#ports.delete(known);
    return this.#ports.size > 0;
  }

  /** A port to the worker at the other end of `channel`. */
  open(channel: Channel<ToHomeserver, FromHomeserver>): MessagePort {
    const { port1, port2 } = new MessageChannel();
    if (channel.carriesPorts) {
      channel.post({ kind: "queue", port: port2 }, [port2]);
    } else {
      const name = uniqueName("neurite:nats");
      bridge(port2, broadcastChannel(name, "asker"));
      channel.post({ kind: "queue", name });
    }
    this.#ports.add(new WeakRef(port1));
    return port1;
  }

  /** The worker has gone, which a port does not tell: so that clients look for the next one. */
  end(reason: string): void {
    for (const known of this.#ports) {
      const port = known.deref();
      port?.dispatchEvent(new MessageEvent<ToNatsClient>("message", { data: reason }));
      port?.close();
    }
    this.#ports.clear();
  }
}

/** Carries what is said between `port` and `far`. */
function bridge(port: MessagePort, far: Channel<FromNatsClient, ToNatsClient>): void {
  // The other end listens once it has spoken, which it does first.
  let early: FromNatsClient[] | undefined = [];
  port.onmessage = ({ data }: MessageEvent<FromNatsClient>) => {
    if (early) early.push(data);
    else far.post(data);
    if (data === null) far.close();
  };
  far.listen((message) => {
    port.postMessage(message);
    for (const waiting of early ?? []) far.post(waiting);
    early = undefined;
    if (typeof message !== "string") return;
    far.close();
    port.close();
  });
}
