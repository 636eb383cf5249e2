// What the handles have in common that the two start()s give.

import type { Role } from "../shared/status.js";
import type { ServiceWorkerLink } from "./service-worker-link.js";
import type { Tab } from "./tab.js";

export interface HandleEventMap {
  /** `role` is another: this tab's worker holds what the handle stands for from now on, or no longer does. */
  rolechange: Event;
  /** `storageFull` is another. */
  storagechange: Event;
  /** It has ended for this tab; `reason` says why. */
  close: EndEvent;
}

/** Why something has ended. */
export class EndEvent extends Event {
  constructor(readonly reason: Error) {
    super("close");
  }
}

/** Something of this origin: in this tab's worker, or reached through another tab's. */
export class Handle extends EventTarget {
  #stopping: Promise<unknown> | undefined;
  #left = false;

  /** Made by start(); `what` is what it stands for. */
  constructor(
    private readonly what: "homeserver" | "queue",
    protected readonly tab: Tab,
    protected readonly serviceWorker: ServiceWorkerLink,
  ) {
    super();
    tab.onrole = () => this.dispatchEvent(new Event("rolechange"));
    tab.connection.onfull = () => this.dispatchEvent(new Event("storagechange"));
    tab.onend = (reason) => {
      this.#left = true;
      serviceWorker.leave();
      this.dispatchEvent(new EndEvent(reason));
    };
  }

  /** Whether this tab's worker holds it. */
  get role(): Role {
    return this.tab.role;
  }

  /**
   * Whether the browser gives no more room. What is stored can be read and removed, and nothing can
   * be added until there is some again.
   */
  get storageFull(): boolean {
    return this.tab.connection.full;
  }

  /** Ends it for this tab. What is stored stays; if other tabs use it, one of them goes on. */
  async stop(): Promise<void> {
    if (this.#left) return;
    // Between two workers there is none to be stopped.
    const runs = this.role === "leader" && this.tab.connection.welcome;
    this.#stopping ??= runs ? this.command("stop") : Promise.resolve();
    try {
      await this.#stopping;
    } finally {
      // Also when the worker crashed meanwhile: this tab makes no other.
      this.#leave(new Error(`The ${this.what} was stopped.`));
    }
  }

  /** Ends it for all tabs and deletes everything that it has stored. */
  async destroy(): Promise<void> {
    await this.command("destroy");
    this.#leave(new Error(`The ${this.what} was destroyed.`));
  }

  protected async command(kind: "status" | "stop" | "destroy"): Promise<unknown> {
    const answer = await this.tab.connection.ask({ kind });
    if (answer.kind === "value") return answer.value;
    throw new Error(answer.kind === "failed" ? answer.reason : `The ${this.what} gave another answer.`);
  }

  #leave(reason: Error): void {
    if (this.#left) return;
    this.#left = true;
    this.tab.leave(reason);
    this.serviceWorker.leave();
    this.dispatchEvent(new EndEvent(reason));
  }

  declare addEventListener: <Type extends keyof HandleEventMap>(
    type: Type,
    listener: (event: HandleEventMap[Type]) => void,
    options?: AddEventListenerOptions | boolean,
  ) => void;
  declare removeEventListener: <Type extends keyof HandleEventMap>(
    type: Type,
    listener: (event: HandleEventMap[Type]) => void,
    options?: EventListenerOptions | boolean,
  ) => void;
}
