// The page's side of the service worker.

import { version } from "../../package.json";
import type { FromServiceWorker, Serving, ToServiceWorker, Way } from "../shared/messages.js";
import { PROTOCOL } from "../shared/messages.js";
import { isGone, pause } from "./service-worker-watch.js";

export type ServiceWorkerOption =
  | false
  | "own"
  | {
      /** Where the package's service-worker.js is. Default: beside this script. */
      url?: string | URL | undefined;
      /** Which pages it serves. Default: those in its folder. */
      scope?: string | undefined;
    };

/** How long a service worker may take to be there, and one to answer. */
const ACTIVE_WITHIN = 15_000;
const ANSWER_WITHIN = 5000;
const CONTROL_WITHIN = 3000;

/** One homeserver's dealings with the page's service worker, which may not exist. */
export class ServiceWorkerLink {
  /** The way to the homeserver's worker, if this page owns it; `urgent`: its owner does not answer. */
  onfind: (urgent: boolean) => Way | undefined = () => undefined;

  /** Undefined on insecure origins and in some private modes. */
  readonly #container: ServiceWorkerContainer | undefined;
  #registration: ServiceWorkerRegistration | undefined;
  /** That there is none has been said. */
  #warned = false;
  #stopped = new AbortController();

  constructor(
    private readonly option: ServiceWorkerOption | undefined,
    private readonly storage: string,
    private readonly baseUrl: string,
  ) {
    this.#container = option === false ? undefined : offered();
    if (!this.#container) return;
    // Before the first await: the service worker may ask at any time.
    this.#container.addEventListener("message", (event) => this.#receive(event), { signal: this.#stopped.signal });
    this.#container.startMessages();
  }

  /**
   * Resolves when the service worker answers this page's requests, or when it is known that none
   * will, which is then said once on the console.
   */
  async ready(): Promise<void> {
    const worker = await this.#tryToEngage();
    if (worker) void this.#keep(worker);
  }

  /** Engages another service worker each time that there is none any more. */
  async #keep(worker: ServiceWorker | undefined): Promise<void> {
    const { signal } = this.#stopped;
    do {
      if (!worker) await pause();
      // Also when this page has just left: what it still asks for must not reach the network.
      else if (!(await isGone(this.#container!, this.#registration!, worker, signal))) return;
      worker = await this.#tryToEngage();
    } while (!signal.aborted);
  }

  async #tryToEngage(): Promise<ServiceWorker | undefined> {
    try {
      const worker = await this.#engage();
      this.#warned = false;
      return worker;
    } catch (cause) {
      this.#registration = undefined;
      if (!this.#stopped.signal.aborted && !this.#warned) {
        this.#warned = true;
        console.warn(
          `Neurite runs without a service worker: ${String(cause instanceof Error ? cause.message : cause)} ` +
            "homeserver.fetch() works; fetch(), XMLHttpRequest and <img> reach the network instead.",
        );
      }
      return undefined;
    }
  }

  /** Has the service worker hand `port` to the homeserver's worker; false when there is none. */
  connect(port: MessagePort): boolean {
    return this.#post({ kind: "neurite:connect", storage: this.storage, port }, [port]);
  }

  /** Tells the service worker the way to the homeserver's worker, before it has to ask. */
  lead(way: Way): void {
    this.#post({ kind: "neurite:leading", storage: this.storage, ...way }, [way.port]);
  }

  /** This page has no more to do with the homeserver. */
  leave(): void {
    this.#stopped.abort();
  }

  /** No page's requests are. */
  forget(): void {
    this.#post({ kind: "neurite:forget", storage: this.storage });
  }

  #post(message: ToServiceWorker, transfer: Transferable[] = []): boolean {
    const worker = this.#container?.controller ?? this.#registration?.active;
    worker?.postMessage(message, transfer);
    return worker != null;
  }

  #receive(event: MessageEvent<FromServiceWorker>): void {
    const { data, source } = event;
    switch (data?.kind) {
      case "neurite:find": {
        if (data.storage !== this.storage) return;
        const way = this.onfind(data.urgent);
        if (!way) return;
        const answer: ToServiceWorker = { kind: "neurite:leading", storage: this.storage, ...way };
        (source as ServiceWorker).postMessage(answer, [way.port]);
        return;
      }
      case "neurite:whose":
        data.port.postMessage(this.storage);
        return;
      case "neurite:tell":
        // One that has gone before it could answer is missed by nobody.
        void this.#serve(source as ServiceWorker).then(
          () => data.port.postMessage(undefined),
          () => {},
        );
    }
  }

  async #engage(): Promise<ServiceWorker | undefined> {
    if (this.option === false) return undefined;
    const container = this.#container;
    if (!container) {
      throw new Error(
        isSecureContext
          ? "this browser offers none here, as some do in private mode."
          : `${location.origin} is not a secure origin; use https: or localhost.`,
      );
    }
    const registration = await this.#register(container);
    const worker = await within(ACTIVE_WITHIN, active(registration), "it did not become active.");
    const serving = await this.#serve(worker);
    if (serving.protocol !== PROTOCOL) {
      throw new Error(
        `${worker.scriptURL} is of version ${serving.version}, this page of ${version}; ` +
          "build both from one version and reload.",
      );
    }
    this.#registration = registration;
    if (!container.controller) {
      const controlled = new Promise((resolve) =>
        container.addEventListener("controllerchange", resolve, { once: true, signal: this.#stopped.signal }),
      );
      await within(CONTROL_WITHIN, controlled, "it does not control this page; reload.");
    }
    return worker;
  }

  async #register(container: ServiceWorkerContainer): Promise<ServiceWorkerRegistration> {
    if (this.option === "own") {
      // `ready` is for good the first that there was.
      return (
        (await container.getRegistration()) ??
        within(ACTIVE_WITHIN, container.ready, "this page has registered none.")
      );
    }
    const { url: given, scope } = this.option || {};
    const url = given ? new URL(given, location.href) : new URL("./service-worker.js", import.meta.url);
    const present = await container.getRegistration();
    if (present?.active && present.active.scriptURL !== url.href && scope === undefined) {
      // The app's own: registering ours in its place would break the app.
      const imports = await this.#serve(present.active).catch(() => undefined);
      if (imports) return present;
      throw new Error(
        `this page has one that does not serve it, ${present.active.scriptURL}; ` +
          'begin that with `import "neurite/service-worker"`.',
      );
    }
    const options = { updateViaCache: "none" as const, ...(scope !== undefined && { scope }) };
    let registration;
    try {
      registration = await container.register(url, options);
    } catch (cause) {
      throw new Error(`${url.href} could not be registered (${String(cause)}).`, { cause });
    }
    if (!location.href.startsWith(registration.scope)) {
      throw new Error(
        `${url.href} serves pages under ${registration.scope} only, not this one; ` +
          "put the file into this page's folder or one above.",
      );
    }
    return registration;
  }

  /** Tells `worker` which requests are the homeserver's. */
  async #serve(worker: ServiceWorker): Promise<Serving> {
    const { port1, port2 } = new MessageChannel();
    const answer = new Promise<Serving>((resolve) => (port1.onmessage = ({ data }) => resolve(data as Serving)));
    const { storage, baseUrl } = this;
    const message: ToServiceWorker = { kind: "neurite:serve", storage, baseUrl, port: port2 };
    worker.postMessage(message, [port2]);
    return within(ANSWER_WITHIN, answer, `${worker.scriptURL} does not answer.`).finally(() => port1.close());
  }
}

function offered(): ServiceWorkerContainer | undefined {
  try {
    return navigator.serviceWorker;
  } catch {
    // In a sandboxed frame even to ask is refused.
    return undefined;
  }
}

/** The registration's service worker, once it is active. */
async function active(registration: ServiceWorkerRegistration): Promise<ServiceWorker> {
  if (registration.active) return registration.active;
  const coming = registration.installing ?? registration.waiting;
  if (!coming) throw new Error("its registration is empty.");
  await new Promise<void>((resolve, reject) => {
    coming.addEventListener("statechange", () => {
      if (coming.state === "activating" || coming.state === "activated") resolve();
      if (coming.state === "redundant") reject(new Error(`${coming.scriptURL} failed to install.`));
    });
  });
  return coming;
}

/** `promise`, or an error when it takes longer than that many milliseconds. */
async function within<T>(limit: number, promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(otherwise)), limit);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
