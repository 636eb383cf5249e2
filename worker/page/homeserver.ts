// The handle that start() gives.

import { normalizeBaseUrl, pathBelow } from "../shared/base-url.js";
import { networkError } from "../shared/errors.js";
import type { Welcome } from "../shared/messages.js";
import { readArguments } from "../shared/request.js";
import { toResponse } from "../shared/response.js";
import type { Status } from "../shared/status.js";
import { Handle } from "./handle.js";
import type { ServiceWorkerLink } from "./service-worker-link.js";
import type { Tab } from "./tab.js";

/** A homeserver of this origin: in this tab's worker, or reached through another tab's. */
export class Homeserver extends Handle {
  /** Where clients reach it; what a client is told as its homeserver's address. */
  readonly baseUrl: string;
  #started: NonNullable<Welcome["homeserver"]>;

  /** Made by start(). */
  constructor(started: NonNullable<Welcome["homeserver"]>, tab: Tab, serviceWorker: ServiceWorkerLink) {
    super("homeserver", tab, serviceWorker);
    this.#started = started;
    this.baseUrl = normalizeBaseUrl(started.baseUrl, location.href);
    // So that it can be passed on by itself, as a client's fetch function.
    this.fetch = this.fetch.bind(this);
  }

  /** The part after the colon in user ids; another one after the site's data was deleted. */
  get serverName(): string {
    return (this.tab.connection.homeserver ?? this.#started).serverName;
  }

  /**
   * The same as fetch(), but straight to the worker. A relative address that is the homeserver's is
   * relative to `baseUrl`; what is not the homeserver's goes to the network as it is.
   */
  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const url = this.#resolve(input);
    const path = pathBelow(this.baseUrl, url);
    if (path === undefined) return fetch(input, init);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    const content = await readArguments(input, init, url, path);
    const answer = await this.tab.connection.ask({ kind: "request", ...content }, signal);
    if (answer.kind !== "response") throw networkError(answer.kind === "failed" ? answer.reason : "no response");
    const response = toResponse(content, answer);
    // A made-up response has no address; clients that look for one expect it.
    Object.defineProperty(response, "url", { value: url });
    return response;
  }

  /** How the homeserver is. */
  async status(): Promise<Status> {
    const status = (await this.command("status")) as Omit<Status, "role">;
    return { ...status, role: this.role };
  }

  /**
   * A port that speaks the NATS client protocol with the homeserver's queue; `connect` of
   * `neurite/nats` makes a client of it. It carries bytes both ways; a number from the client tells
   * how many bytes it has taken in all, which it has to now and then, and null that it leaves; a
   * string from the worker, which comes last, why it ends, as when another tab takes over. The port
   * comes once a worker runs; nobody waits for it any longer when `signal` aborts.
   */
  queue(signal?: AbortSignal): Promise<MessagePort> {
    return this.tab.connection.queue(signal);
  }

  /** Ends it for all tabs and deletes everything that it has stored. */
  override async destroy(): Promise<void> {
    await super.destroy();
    this.serviceWorker.forget();
  }

  #resolve(input: RequestInfo | URL): string {
    if (input instanceof Request) return input.url;
    // A path is below the base URL, also when that has a path itself.
    if (typeof input === "string" && input.startsWith("/")) return new URL(this.baseUrl + input).href;
    return new URL(input, `${this.baseUrl}/`).href;
  }
}
