// What a worker runs: the homeserver, or the queue alone.

import type { FetchResponse, NatsConnection } from "../../dist/neurite.js";
import type { Body, HeaderList } from "../shared/messages.js";

/** What wasm-bindgen makes of it. */
export interface Engine {
  /** Serves a NATS client; what it is sent is its own. */
  connect(send: (bytes: Uint8Array<ArrayBuffer>) => void, closed: (reason: string) => void): NatsConnection;
  status(): Promise<object>;
  /** Whether the browser gives no more room, and who is told when that changes. */
  full(): boolean;
  watchFull(changed: (full: boolean) => void): void;
  /** Why it can't go on, if that is so. */
  closed(): string | undefined;
  /** Resolves once that is so. */
  ended(): Promise<string>;
  stop(): Promise<void>;
  /** The homeserver's. */
  readonly serverName?: string;
  /** The homeserver's; `number` is what it can be aborted by. */
  fetch?(
    number: number,
    method: string,
    path: string,
    headers: HeaderList,
    body: Body | undefined,
  ): Promise<FetchResponse>;
  abort?(number: number): void;
}
