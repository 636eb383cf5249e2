// Those who ask the homeserver: pages and service workers, each over a channel.

import { broadcastChannel, portChannel, type Channel } from "../shared/channel.js";
import { whenReleased } from "../shared/locks.js";
import { PROTOCOL } from "../shared/messages.js";
import type { CommandMessage, FromHomeserver, RequestMessage, ToHomeserver, Welcome } from "../shared/messages.js";
import { ERROR_HEADERS } from "../shared/response.js";
import type { RequestStatus } from "../shared/status.js";
import type { Engine } from "./engine.js";
import type { Listener, Logger } from "./logger.js";
import { serve } from "./nats-client.js";
import { Twins } from "./twins.js";

export type HomeserverChannel = Channel<FromHomeserver, ToHomeserver>;
type Ending = Extract<FromHomeserver, { kind: "ended" }>["why"];

/** Told to the router and trusted by it, so nobody else may send it. */
const MEDIA_ELEMENT = "x-neurite-same-origin-media";
/** How many of the last requests are remembered. */
const REMEMBERED = 50;
/** How long all may take to take note of an end, and the last to take its answer: a page may be frozen. */
const NOTE_WITHIN = 1000;
const ANSWER_WITHIN = 10_000;

interface Caller {
  channel: HomeserverChannel;
  /** Held as long as it lives. */
  lock?: string;
  /** What it has asked and may abort: the engine's number of each. */
  underWay: Map<number, number>;
  /** Ends what was begun for it. */
  gone: AbortController;
  /** When it wants what is logged. */
  log?: Listener;
  /** Called when it has left. */
  onleft?: () => void;
}

export class Callers {
  #callers = new Set<Caller>();
  #twins = new Twins();
  #requests: RequestStatus[] = [];
  /** The engine's number of the last request. */
  #last = 0;
  /** What comes now is refused. */
  #ended = false;
  /** What everybody has been told. */
  #ending: Ending | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly about: {
      lock: string;
      homeserver: Welcome["homeserver"];
      version: string;
      /** Its database was gone. */
      dataLost: boolean;
    },
    private readonly logger: Logger,
    private readonly actions: {
      connect(channel: HomeserverChannel): void;
      destroy(): Promise<unknown>;
      close(): void;
      /** The homeserver can't go on, another worker can. */
      restart(reason: string): void;
    },
  ) {
    engine.watchFull((full) => {
      for (const { channel } of this.#callers) channel.post({ kind: "storage", full });
    });
    void engine.ended().then((reason) => {
      // It was stopped.
      if (this.#ended) return;
      this.#ended = true;
      actions.restart(reason);
    });
  }

  /** Serves whoever is at the other end. */
  add(channel: HomeserverChannel): void {
    const caller: Caller = { channel, underWay: new Map(), gone: new AbortController() };
    this.#callers.add(caller);
    channel.listen((message) => this.#receive(caller, message));
    const { lock, homeserver, version } = this.about;
    const full = this.engine.full();
    channel.post({ kind: "welcome", protocol: PROTOCOL, version, lock, homeserver, full });
    if (this.#ending) channel.post({ kind: "ended", why: this.#ending });
  }

  /** Tells everybody but `except` that this worker ends; resolves when they have taken note. */
  async end(why: Ending, except?: Caller): Promise<void> {
    this.#ended = true;
    this.#ending = why;
    const others = [...this.#callers].filter((caller) => caller !== except);
    for (const { channel } of others) channel.post({ kind: "ended", why });
    await this.#leaving(others, NOTE_WITHIN);
  }

  /** Resolves when these have left, or have had the time to. */
  async #leaving(callers: Caller[], limit: number): Promise<void> {
    const left = callers.map((caller) => new Promise<void>((resolve) => (caller.onleft = resolve)));
    await Promise.race([Promise.all(left), new Promise((late) => setTimeout(late, limit))]);
  }

  #receive(caller: Caller, message: ToHomeserver): void {
    switch (message.kind) {
      case "hello":
        caller.lock = message.lock;
        if (message.log) {
          caller.log = this.logger.listen(message.log, (record) => caller.channel.post({ kind: "log", record }));
        }
        return whenReleased(message.lock, caller.gone.signal, () => {
          this.#twins.leave(caller);
          this.#remove(caller);
        });
      case "ping":
        return caller.channel.post({ kind: "pong" });
      case "logged":
        return caller.log?.took(message.count);
      case "goodbye":
        this.#twins.forget(caller);
        return this.#remove(caller);
      case "connect":
        return this.actions.connect(portChannel(message.port));
      case "queue": {
        if (this.#ended) return;
        const client = "port" in message ? portChannel(message.port) : broadcastChannel(message.name, "answerer");
        return serve(this.engine, client as Parameters<typeof serve>[1], caller.gone.signal);
      }
      case "abort":
        this.#twins.taken(caller, message.id);
        return this.#abort(caller, message.id);
      case "request":
        if (this.#ended || !this.engine.fetch) return caller.channel.post({ kind: "refused", id: message.id });
        return void this.#answer(caller, message);
      case "status":
        if (this.#ended) return caller.channel.post({ kind: "refused", id: message.id });
        return this.#obey(caller, message);
      default:
        return this.#obey(caller, message);
    }
  }

  #obey(caller: Caller, { kind, id }: CommandMessage): void {
    void this.#command(caller, kind)
      .then(
        (value) => caller.channel.post({ kind: "value", id, value }),
        (error: unknown) => caller.channel.post({ kind: "failed", id, reason: String(error) }),
      )
      .finally(() => kind !== "status" && this.#close(caller));
  }

  async #answer(caller: Caller, request: RequestMessage): Promise<void> {
    const { id, method, path, headers, body, mediaElement, client } = request;
    const at = Date.now();
    const begun = performance.now();
    const number = ++this.#last;
    // What may be asked for a second time goes on when its caller leaves, and its answer is kept.
    const mayHaveTwin = client !== undefined;
    if (!mayHaveTwin) caller.underWay.set(id, number);
    let status = 500;
    try {
      const trusted = withMediaElement(headers, mediaElement === true);
      const act = () => this.engine.fetch!(number, method, path, trusted, body);
      const response = await (mayHaveTwin ? this.#twins.answer(caller, request, act) : act());
      status = response.status;
      // It is not the request's fault. The next worker answers, or the connection fails.
      if (status === 500 && (this.#ended || this.engine.closed() !== undefined)) return;
      // Bytes that are ours alone can be given away.
      const transfer = response.body instanceof Uint8Array && !mayHaveTwin ? [response.body.buffer] : undefined;
      caller.channel.post({ kind: "response", id, ...response }, transfer);
    } catch (error) {
      if ((error as Error).name === "AbortError") return;
      caller.channel.post({ kind: "response", id, ...INTERNAL_ERROR });
      // What comes after the path may hold a token.
      this.logger.error(`${method} ${path.replace(/\?.*/s, "")}`, error);
    } finally {
      caller.underWay.delete(id);
      this.#requests.push({ method, path, status, at, duration: performance.now() - begun });
      if (this.#requests.length > REMEMBERED) this.#requests.shift();
    }
  }

  #abort(caller: Caller, id: number): void {
    const number = caller.underWay.get(id);
    if (number === undefined) return;
    caller.underWay.delete(id);
    this.engine.abort?.(number);
  }

  async #command(caller: Caller, kind: "status" | "stop" | "destroy"): Promise<unknown> {
    if (kind === "status") {
      const { version, homeserver, dataLost } = this.about;
      // WebKitGTK has no navigator.storage.
      const { usage = 0, quota = 0 } = (await navigator.storage?.estimate?.()) ?? {};
      return {
        version,
        storage: { usage, quota, full: this.engine.full(), lost: dataLost },
        ...(await this.engine.status()),
        ...(homeserver && { ...homeserver, requests: this.#requests }),
      };
    }
    // From now on requests are refused, for the next worker to answer.
    this.#ended = true;
    await this.engine.stop();
    if (kind === "destroy") {
      // Before its end is known nobody is to take over, which would make everything anew.
      await this.end("destroyed", caller);
      await this.actions.destroy();
    } else {
      void this.end("stopped", caller);
    }
    return undefined;
  }

  /** The worker's end must not be noticed before the last answer has come. */
  async #close(last: Caller): Promise<void> {
    await this.#leaving([last], ANSWER_WITHIN);
    this.actions.close();
  }

  #remove(caller: Caller): void {
    caller.gone.abort();
    this.#callers.delete(caller);
    if (caller.log) this.logger.leave(caller.log);
    caller.onleft?.();
    for (const id of [...caller.underWay.keys()]) this.#abort(caller, id);
    caller.channel.close();
  }
}

/** What is answered when the homeserver failed where it should not. */
const INTERNAL_ERROR = {
  status: 500,
  headers: Object.entries(ERROR_HEADERS).flat(),
  body: new TextEncoder().encode('{"errcode":"M_UNKNOWN","error":"Internal server error"}'),
};

/** The headers, with the mark of a media element exactly when it is one. */
function withMediaElement(headers: string[], mediaElement: boolean): string[] {
  const clean = headers.includes(MEDIA_ELEMENT)
    ? headers.filter((_, index) => headers[index - (index % 2)] !== MEDIA_ELEMENT)
    : headers;
  return mediaElement ? [...clean, MEDIA_ELEMENT, "1"] : clean;
}
