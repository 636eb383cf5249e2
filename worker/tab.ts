// A tab's part in the election: one tab of an origin leads and owns the worker, the others follow
// and reach that worker through ports.

import { version } from "../package.json";
import { broadcastChannel, portChannel } from "./channel.js";
import { Connection } from "./connection.js";
import { StartError } from "./errors.js";
import { hasLocks, hold, uniqueName } from "./locks.js";
import type { Announcement, Welcome, WorkerConfig } from "./messages.js";
import { announcements, leaderLock } from "./names.js";
import { OwnedWorker, workersAreShared, type MakeWorker, type WorkerPlace } from "./owned-worker.js";
import type { ServiceWorkerLink } from "./service-worker-link.js";

export type Role = "leader" | "follower";

/** What is led. */
export interface Contest {
  what: "homeserver" | "queue";
  storage: string;
  makeWorker: MakeWorker;
  /** What the worker of a leader is told. */
  config(): WorkerConfig;
}

/** How long to wait for a worker's welcome before asking another way. */
const ASK_AGAIN_AFTER = 1000;
/** Workers that end before they have ever answered are not replaced more often than this. */
const MAX_STILLBORN = 3;
/** A worker that lived longer than this is replaced at once, others after a pause that doubles. */
const LONG_LIFE = 10_000;
const SHORTEST_PAUSE = 20;
const LONGEST_PAUSE = 5000;

export class Tab {
  role: Role = "follower";
  readonly connection: Connection;
  onrole: (role: Role) => void = () => {};
  /** What is led has ended for this tab. */
  onend: (reason: Error) => void = () => {};

  #lock = uniqueName("neurite:context");
  #releaseLock = (): void => {};
  #bus: BroadcastChannel;
  #leading = false;
  /** This tab's, while it leads; not in the pause after one has crashed. */
  #worker: OwnedWorker | undefined;
  #wasm: WebAssembly.Module | undefined;
  /** When the worker was made, and how many in a row before it ended early or unborn. */
  #born = 0;
  #shortLived = 0;
  #stillborn = 0;
  #candidacy = new AbortController();
  #resign = (): void => {};
  /** Until the next attempt to reach or make a worker. */
  #again: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #ended = false;

  constructor(
    private readonly contest: Contest,
    private readonly place: WorkerPlace,
    private readonly serviceWorker: ServiceWorkerLink,
  ) {
    this.connection = new Connection(this.#lock);
    this.connection.onlost = (why) => this.#lost(why);
    this.connection.onstranger = (other) => {
      const message = `Another tab of this site runs version ${other} of Neurite, this one ${version}`;
      this.#end(new StartError("BlockedError", message));
    };
    this.#bus = new BroadcastChannel(announcements(contest.storage));
    this.#bus.onmessage = ({ data }: MessageEvent<Announcement>) => {
      if (data.kind === "leading" && data.lock !== this.connection.welcome?.lock) this.#follow();
    };
    serviceWorker.onfind = () => this.#worker?.connect();
  }

  /** Resolves when a homeserver answers, in this tab's worker or another's. */
  async join(): Promise<Welcome> {
    if (!hasLocks && !workersAreShared) {
      throw new StartError("UnsupportedError", "This page has neither Web Locks nor shared workers");
    }
    this.#releaseLock = (await hold(this.#lock)).release;
    const welcome = new Promise<Welcome>((resolve, reject) => {
      this.connection.onwelcome = (welcome) => {
        clearTimeout(this.#again);
        this.#asked = 0;
        if (this.#worker) this.#elected(this.#worker);
        resolve(welcome);
      };
      const { onend } = this;
      this.onend = (reason) => {
        reject(reason);
        onend(reason);
      };
    });
    this.#stand();
    return welcome;
  }

  /** Leaves: whoever is next takes over. */
  leave(reason: Error): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#again);
    this.connection.close(reason);
    this.#bus.close();
    this.serviceWorker.onfind = () => undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#resign();
    this.#candidacy.abort();
    this.#releaseLock();
  }

  /** Stands for election, and follows whoever leads until it is elected. */
  #stand(): void {
    // Without locks the browser itself sees to it that there is one worker: a shared one.
    if (!hasLocks) return this.#lead();
    const name = leaderLock(this.contest.storage);
    const lead = (): Promise<void> =>
      new Promise((resign) => {
        this.#resign = resign;
        this.#lead();
      });
    // Asked first whether it is free, so that the usual only tab does not look for others.
    void navigator.locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock && !this.#ended) return lead();
      if (this.#ended) return undefined;
      navigator.locks
        .request(name, { signal: this.#candidacy.signal }, () => (this.#ended ? undefined : lead()))
        .catch((error: unknown) => {
          if (!this.#ended) this.#end(error as Error);
        });
      this.#follow();
      return undefined;
    });
  }

  #lead(): void {
    this.#leading = true;
    clearTimeout(this.#again);
    const { makeWorker, config } = this.contest;
    try {
      const worker = new OwnedWorker(makeWorker, config(), this.place, this.#wasm);
      this.#worker = worker;
      this.#born = performance.now();
      worker.onfailed = (reason) => this.#end(reason);
      // The connection knows only of a worker that has said welcome.
      worker.ongone = () => this.#restart(worker);
      this.connection.open(portChannel(worker.connect()));
      this.serviceWorker.lead(worker.connect());
    } catch (cause) {
      this.#end(new StartError("WorkerError", "The worker can't be made", cause));
    }
  }

  #elected(worker: OwnedWorker): void {
    // What goes wrong in a homeserver that runs has been told to those who asked for it.
    worker.onfailed = () => {};
    this.#stillborn = 0;
    // A shared worker is no tab's own.
    if (this.role === "leader" || !hasLocks) return;
    this.role = "leader";
    this.onrole("leader");
  }

  /** Asks the leader's worker for a channel; again when there is no welcome. */
  #follow(): void {
    if (this.#ended || this.#leading) return;
    clearTimeout(this.#again);
    this.#asked += 1;
    const { port1, port2 } = new MessageChannel();
    // A service worker hands on a port. Without one, or when it does not answer, there is another way.
    if (this.#asked % 2 === 1 && this.serviceWorker.connect(port2)) {
      this.connection.open(portChannel(port1));
    } else {
      const name = uniqueName(announcements(this.contest.storage));
      this.connection.open(broadcastChannel(name, "asker"));
      this.#bus.postMessage({ kind: "connect", name } satisfies Announcement);
    }
    this.#again = setTimeout(() => this.#follow(), ASK_AGAIN_AFTER);
  }

  #lost(why: "crashed" | "stopped" | "destroyed"): void {
    if (this.#ended) return;
    if (why === "destroyed") {
      // The worker has still to delete everything and then ends itself; nobody is to lead before.
      if (this.#worker) {
        this.#worker.ongone = this.#resign;
        this.#resign = () => {};
        this.#worker = undefined;
      }
      return this.#end(new Error(`The ${this.contest.what} was destroyed.`));
    }
    if (this.#worker) this.#restart(this.#worker);
    else this.#follow();
  }

  #restart(worker: OwnedWorker): void {
    if (this.#worker !== worker) return;
    this.#wasm = worker.wasm;
    worker.terminate();
    this.#worker = undefined;
    this.#stillborn += 1;
    if (this.#stillborn > MAX_STILLBORN) {
      return this.#end(new StartError("WorkerError", "The worker crashes again and again"));
    }
    this.#shortLived = performance.now() - this.#born < LONG_LIFE ? this.#shortLived + 1 : 0;
    const pause = Math.min(SHORTEST_PAUSE * 2 ** this.#shortLived, LONGEST_PAUSE);
    this.#again = setTimeout(() => this.#lead(), pause);
  }

  #end(reason: Error): void {
    if (this.#ended) return;
    this.leave(reason);
    this.onend(reason);
  }
}
