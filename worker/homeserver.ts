// The handle that start() gives.

import { normalizeBaseUrl, pathBelow } from "./base-url.js";
import { networkError } from "./errors.js";
import type { Welcome } from "./messages.js";
import { readArguments } from "./request.js";
import { toResponse } from "./response.js";
import { forgetServerName } from "./server-name.js";
import type { ServiceWorkerLink } from "./service-worker-link.js";
import type { Status } from "./status.js";
import type { Role, Tab } from "./tab.js";

export interface HomeserverEventMap {
  /** This tab leads from now on: its worker holds the homeserver. */
  rolechange: Event;
  /** The homeserver has ended for this tab; `reason` says why. */
  close: HomeserverCloseEvent;
}

/** Why a homeserver has ended. */
export class HomeserverCloseEvent extends Event {
  constructor(readonly reason: Error) {
    super("close");
  }
}

/** A homeserver of this origin: in this tab's worker, or reached through another tab's. */
export class Homeserver extends EventTarget {
  /** The part after the colon in user ids. */
  readonly serverName: string;
  /** Where clients reach it; what a client is told as its homeserver's address. */
  readonly baseUrl: string;
  #storage: string;
  #tab: Tab;
  #serviceWorker: ServiceWorkerLink;

  /** Made by start(). */
  constructor(welcome: Welcome, storage: string, tab: Tab, serviceWorker: ServiceWorkerLink) {
    super();
    this.serverName = welcome.serverName;
    this.baseUrl = normalizeBaseUrl(welcome.baseUrl, location.href);
    this.#storage = storage;
    this.#tab = tab;
    this.#serviceWorker = serviceWorker;
    tab.onrole = () => this.dispatchEvent(new Event("rolechange"));
    tab.onend = (reason) => {
      serviceWorker.leave();
      this.dispatchEvent(new HomeserverCloseEvent(reason));
    };
    // So that it can be passed on by itself, as a client's fetch function.
    this.fetch = this.fetch.bind(this);
  }

  /** Whether this tab's worker holds the homeserver. */
  get role(): Role {
    return this.#tab.role;
  }

  /**
   * The same as fetch(), but straight to the worker. Relative addresses are relative to `baseUrl`;
   * what is not the homeserver's goes to the network.
   */
  async fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
    const url = this.#resolve(input);
    const path = pathBelow(this.baseUrl, url);
    if (path === undefined) return fetch(input, init);
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    const content = await readArguments(input, init, url, path);
    const answer = await this.#tab.connection.ask({ kind: "request", ...content }, signal);
    if (answer.kind !== "response") throw networkError(answer.kind === "failed" ? answer.reason : "no response");
    const response = toResponse(content, answer);
    // A made-up response has no address; clients that look for one expect it.
    Object.defineProperty(response, "url", { value: url });
    return response;
  }

  /** How the homeserver is. */
  async status(): Promise<Status> {
    const status = (await this.#command("status")) as Omit<Status, "role">;
    return { ...status, role: this.role };
  }

  /** Ends it for this tab. What is stored stays; if other tabs use it, one of them goes on. */
  async stop(): Promise<void> {
    if (this.role === "leader") await this.#command("stop");
    this.#leave(new Error("The homeserver was stopped."));
  }

  /** Ends it for all tabs and deletes everything that it has stored. */
  async destroy(): Promise<void> {
    await this.#command("destroy");
    this.#serviceWorker.forget();
    forgetServerName(this.#storage);
    this.#leave(new Error("The homeserver was destroyed."));
  }

  #resolve(input: RequestInfo | URL): string {
    if (input instanceof Request) return input.url;
    // A path is below the base URL, also when that has a path itself.
    if (typeof input === "string" && input.startsWith("/")) return new URL(this.baseUrl + input).href;
    return new URL(input, `${this.baseUrl}/`).href;
  }

  async #command(kind: "status" | "stop" | "destroy"): Promise<unknown> {
    const answer = await this.#tab.connection.ask({ kind });
    if (answer.kind === "value") return answer.value;
    throw new Error(answer.kind === "failed" ? answer.reason : "The homeserver gave another answer.");
  }

  #leave(reason: Error): void {
    this.#tab.leave(reason);
    this.#serviceWorker.leave();
    this.dispatchEvent(new HomeserverCloseEvent(reason));
  }

  declare addEventListener: <Type extends keyof HomeserverEventMap>(
    type: Type,
    listener: (event: HomeserverEventMap[Type]) => void,
    options?: AddEventListenerOptions | boolean,
  ) => void;
  declare removeEventListener: <Type extends keyof HomeserverEventMap>(
    type: Type,
    listener: (event: HomeserverEventMap[Type]) => void,
    options?: EventListenerOptions | boolean,
  ) => void;
}
