// The service worker's way to the homeserver of one storage.

import { portChannel } from "../shared/channel.js";
import { Connection } from "../shared/connection.js";
import type { Answer, FromHomeserver, FromServiceWorker, ToHomeserver, Way } from "../shared/messages.js";
import { leaderLock } from "../shared/names.js";
import type { RequestContent } from "../shared/request.js";

/** After what time pages are asked again who leads: at first, and at most, as the time doubles. */
const ASK_AGAIN_AFTER = 250;
const ASK_AGAIN_WITHIN = 4000;
/** After what time without an answer pages are to see whether the one that leads still runs. */
const URGENT_AFTER = 2000;
/** How long requests wait when no page leads or wants to. */
const GIVE_UP_AFTER = 10_000;
/** How long they wait for a page that leads but does not answer yet. */
const GIVE_UP_ON_LEADER_AFTER = 60_000;

/**
 * Holds a port to the homeserver's worker. The port may be dead, and this object may vanish with
 * the service worker at any time: a new one asks the pages.
 */
export class Route {
  #connection: Connection;
  /** The worker that it leads to, or soon will. */
  #worker: string | undefined;
  #finding = false;
  /** Ports of followers that wait for a way to the worker. */
  #handing: { port: MessagePort; done(): void }[] = [];

  /** `lock` is the service worker's; `held` resolves when it holds it. */
  constructor(
    private readonly storage: string,
    lock: string,
    private readonly held: Promise<unknown>,
    private readonly clients: Clients,
  ) {
    this.#connection = new Connection(lock);
    this.#connection.onwelcome = () => {
      for (const { port, done } of this.#handing) {
        this.#connection.hand(port);
        done();
      }
      this.#handing = [];
    };
    this.#connection.onstranger = (version) => {
      this.#connection.fail(`the page that runs the homeserver is of version ${version}; reload it`);
    };
    this.#connection.onsilent = () => void this.#find();
    this.#connection.onlost = (why) => {
      if (why === "destroyed") this.#connection.fail("the homeserver was destroyed");
      else if (this.#connection.busy) void this.#find();
    };
  }

  /** Passes a request on, and its answer back, which is to be used at once. */
  async ask(content: RequestContent, signal: AbortSignal): Promise<Answer> {
    const asked = this.#connection.ask({ kind: "request", ...content }, signal);
    if (!this.#connection.welcome) void this.#find();
    const answer = await asked;
    if (content.client !== undefined) this.#connection.passedOn(answer.id);
    return answer;
  }

  /** Passes a follower's port on. */
  async hand(port: MessagePort): Promise<void> {
    if (this.#connection.hand(port)) return;
    const handed = new Promise<void>((done) => this.#handing.push({ port, done }));
    void this.#find();
    await handed;
  }

  /**
   * A page gives a port to its worker. A page that was busy answers several times; what is under
   * way stays where it is, unless another worker has taken the place of that one.
   */
  async open({ port, worker }: Way): Promise<void> {
    await this.held;
    const channel = portChannel<ToHomeserver, FromHomeserver>(port);
    if (!this.#connection.welcome || this.#worker !== worker) {
      this.#worker = worker;
      return this.#connection.open(channel);
    }
    channel.post({ kind: "goodbye" });
    channel.close();
  }

  async #find(): Promise<void> {
    if (this.#finding) return;
    this.#finding = true;
    try {
      await this.#search();
    } catch (error) {
      console.error("Neurite's service worker can't look for pages.", error);
      this.#giveUp();
    } finally {
      this.#finding = false;
    }
  }

  /** Asks the pages until one has led to its worker, or none will. */
  async #search(): Promise<void> {
    const begun = performance.now();
    let pause = ASK_AGAIN_AFTER;
    while (this.#lost && (this.#connection.busy || this.#handing.length > 0)) {
      const waited = performance.now() - begun;
      if (waited > GIVE_UP_ON_LEADER_AFTER || (waited > GIVE_UP_AFTER && !(await this.#isLed()))) {
        return this.#giveUp();
      }
      const urgent = this.#connection.silent || waited > URGENT_AFTER;
      // Also those that are not controlled, as a page is after its first load.
      for (const client of await this.clients.matchAll({ type: "window", includeUncontrolled: true })) {
        client.postMessage({ kind: "neurite:find", storage: this.storage, urgent } satisfies FromServiceWorker);
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, ASK_AGAIN_WITHIN);
    }
  }

  /** Whether there is no worker, or one that does not answer any more. */
  get #lost(): boolean {
    return !this.#connection.welcome || this.#connection.silent;
  }

  async #isLed(): Promise<boolean> {
    const { held = [], pending = [] } = await navigator.locks.query();
    const name = leaderLock(this.storage);
    return [...held, ...pending].some((lock) => lock.name === name);
  }

  #giveUp(): void {
    console.warn(`No open page runs the homeserver "${this.storage}": call start() in one.`);
    this.#connection.fail("no open page runs the homeserver");
    for (const { done } of this.#handing) done();
    this.#handing = [];
  }
}
