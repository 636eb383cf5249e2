// Requests of one context to the homeserver, whichever worker it is in at the moment.

import type { Channel } from "./channel.js";
import { networkError } from "./errors.js";
import { whenReleased } from "./locks.js";
import type { LogSettings } from "./log.js";
import type { Answer, CommandMessage, FromHomeserver, Question, RequestMessage, ToHomeserver, Welcome } from "./messages.js";
import { PROTOCOL } from "./messages.js";
import { NatsPorts } from "./nats-port.js";
import { Pulse } from "./pulse.js";
import { isRepeatable } from "./repeatable.js";

type HomeserverChannel = Channel<ToHomeserver, FromHomeserver>;
type Unnumbered<Message> = Message extends unknown ? Omit<Message, "id"> : never;

interface Waiting {
  question: Question;
  repeatable: boolean;
  /** How often it was sent; what two workers did not survive is not given to a third. */
  sent: number;
  underWay: boolean;
  resolve(answer: Answer): void;
  reject(reason: unknown): void;
}

/** How often a request is sent at most. */
const ATTEMPTS = 2;
/** After how many records of the log the worker is told that they have come. */
const LOGGED = 64;

/**
 * Numbers questions, sends them when there is a worker to send them to, and sends them again to
 * the next worker when the first ends, where that is safe.
 */
export class Connection {
  /** The worker that answers at the moment. */
  welcome: Welcome | undefined;
  /** Whether the browser gives the worker no more room, as far as is known. */
  full = false;
  /** The last homeserver that answered: another one's name, when the site's data was deleted beneath. */
  homeserver: Welcome["homeserver"];
  /** A worker has begun to answer. */
  onwelcome: (welcome: Welcome) => void = () => {};
  /** The worker is of a version that speaks another protocol. */
  onstranger: (version: string) => void = () => {};
  /** The worker is gone; another one must be found. */
  onlost: (why: "crashed" | "stopped" | "destroyed") => void = () => {};
  /** What `full` says has changed. */
  onfull: () => void = () => {};
  /** Somebody waits for the worker, and it does not answer any more; called as long as that is so. */
  onsilent: () => void = () => {};

  #channel: HomeserverChannel | undefined;
  /** Ends what was begun for the channel. */
  #ended = new AbortController();
  #waiting = new Map<number, Waiting>();
  #natsPorts = new NatsPorts();
  /** Those who want a port once there is a worker. */
  #wanting = new Set<{ resolve(port: MessagePort): void; reject(reason: Error): void }>();
  #pulse = new Pulse({
    wanted: () => this.busy || this.#natsPorts.inUse,
    ask: () => this.#channel?.post({ kind: "ping" }),
    silent: () => this.onsilent(),
  });
  #lastId = 0;
  /** How many records have come over the channel. */
  #logged = 0;
  #closed: Error | undefined;

  /** `lock` is held by this context as long as it lives. */
  constructor(
    private readonly lock: string,
    private readonly log?: LogSettings,
  ) {}

  /** Whether anybody waits for an answer. */
  get busy(): boolean {
    return this.#waiting.size > 0;
  }

  /** Whether the worker does not answer any more. */
  get silent(): boolean {
    return this.#pulse.silent;
  }

  /** Speaks over `channel` from now on. Nothing is sent before the worker there says welcome. */
  open(channel: HomeserverChannel): void {
    this.leave();
    this.#channel = channel;
    this.#logged = 0;
    channel.listen((message) => {
      if (this.#channel === channel) this.#receive(message, channel);
    });
  }

  /** Asks, and resolves with the answer; rejects with the reason of `signal` when that aborts. */
  ask(question: Unnumbered<RequestMessage | CommandMessage>, signal?: AbortSignal | null): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw networkError(this.#closed.message);
      signal?.throwIfAborted();
      const id = ++this.#lastId;
      const waiting: Waiting = {
        question: { ...question, id } as Question,
        repeatable: question.kind === "request" && isRepeatable(question.method, question.path),
        sent: 0,
        underWay: false,
        resolve,
        reject,
      };
      if (signal) {
        const abort = (): void => {
          this.#waiting.delete(id);
          if (waiting.underWay) this.#channel?.post({ kind: "abort", id });
          reject(signal.reason);
        };
        signal.addEventListener("abort", abort, { once: true });
        waiting.resolve = (answer) => {
          signal.removeEventListener("abort", abort);
          resolve(answer);
        };
        waiting.reject = (reason) => {
          signal.removeEventListener("abort", abort);
          reject(reason);
        };
      }
      this.#waiting.set(id, waiting);
      this.#send(waiting);
    });
  }

  /**
   * A port for a NATS client, to the worker that answers, once one does; it ends with that worker.
   * Nobody waits for it any longer when `signal` aborts.
   */
  async queue(signal?: AbortSignal): Promise<MessagePort> {
    if (this.#closed) throw this.#closed;
    signal?.throwIfAborted();
    if (this.#channel && this.welcome) return this.#openQueue(this.#channel);
    return new Promise((resolve, reject) => {
      const wanting = { resolve, reject };
      this.#wanting.add(wanting);
      signal?.addEventListener("abort", () => {
        if (this.#wanting.delete(wanting)) reject(signal.reason);
      });
    });
  }

  /** The answer to this question has been passed on. */
  passedOn(id: number): void {
    this.#channel?.post({ kind: "abort", id });
  }

  /** Hands a port on to the worker; false when there is none. */
  hand(port: MessagePort): boolean {
    if (!this.welcome) return false;
    this.#channel?.post({ kind: "connect", port }, [port]);
    return true;
  }

  /** Fails all who wait, and everything asked from now on. */
  close(reason: Error): void {
    this.#closed = reason;
    this.#leave();
    for (const { reject } of this.#wanting) reject(reason);
    this.#wanting.clear();
    this.fail(reason.message);
  }

  /** Fails all who wait, as when the network breaks. */
  fail(reason: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(networkError(reason));
    this.#waiting.clear();
  }

  /** Speaks to nobody until the next `open`; what may be asked a second time waits for that. */
  leave(): void {
    this.#leave();
    this.#requeue();
  }

  #leave(): void {
    this.#channel?.post({ kind: "goodbye" });
    this.#channel?.close();
    this.#forget();
  }

  #forget(): void {
    this.#channel = undefined;
    this.welcome = undefined;
    this.#pulse.stop();
    this.#natsPorts.end("the worker has gone");
    this.#ended.abort();
    this.#ended = new AbortController();
  }

  #send(waiting: Waiting): void {
    if (!this.#channel || !this.welcome) return;
    waiting.sent += 1;
    waiting.underWay = true;
    this.#channel.post(waiting.question);
    this.#pulse.start();
  }

  #openQueue(channel: HomeserverChannel): MessagePort {
    this.#pulse.start();
    return this.#natsPorts.open(channel);
  }

  #receive(message: FromHomeserver, channel: HomeserverChannel): void {
    this.#pulse.heard();
    switch (message.kind) {
      case "welcome":
        if (message.protocol !== PROTOCOL) {
          this.#leave();
          return this.onstranger(message.version);
        }
        this.welcome = message;
        this.#setFull(message.full ?? false);
        this.homeserver = message.homeserver;
        channel.post({ kind: "hello", lock: this.lock, log: this.log?.heard });
        whenReleased(message.lock, this.#ended.signal, () => this.#lose("crashed"));
        for (const waiting of this.#waiting.values()) this.#send(waiting);
        for (const { resolve } of this.#wanting) resolve(this.#openQueue(channel));
        this.#wanting.clear();
        this.onwelcome(message);
        return;
      case "pong":
        return;
      case "storage":
        return this.#setFull(message.full);
      case "log":
        if (++this.#logged % LOGGED === 0) channel.post({ kind: "logged", count: this.#logged });
        try {
          return this.log?.to(message.record);
        } catch (error) {
          // It is the app's own.
          return reportError(error);
        }
      case "ended":
        this.#lose(message.why);
        return;
      case "refused": {
        const waiting = this.#waiting.get(message.id);
        if (!waiting) return;
        waiting.underWay = false;
        waiting.sent -= 1;
        return;
      }
      default: {
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        waiting?.resolve(message);
      }
    }
  }

  #setFull(full: boolean): void {
    if (this.full === full) return;
    this.full = full;
    this.onfull();
  }

  #lose(why: "crashed" | "stopped" | "destroyed"): void {
    if (!this.#channel) return;
    this.leave();
    this.onlost(why);
  }

  /** Of what was sent and not answered, keeps what may be sent again and fails the rest. */
  #requeue(): void {
    for (const [id, waiting] of this.#waiting) {
      if (!waiting.underWay) continue;
      waiting.underWay = false;
      if (waiting.repeatable && waiting.sent < ATTEMPTS) continue;
      this.#waiting.delete(id);
      waiting.reject(networkError("the homeserver's worker ended before it answered"));
    }
  }
}
