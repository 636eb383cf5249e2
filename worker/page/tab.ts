// A tab's part in the election: one tab of an origin leads and owns the worker, the others follow
// and reach that worker through ports.

import { version } from "../../package.json";
import { broadcastChannel, portChannel } from "../shared/channel.js";
import { Connection } from "../shared/connection.js";
import { Election } from "../shared/election.js";
import { StartError } from "../shared/errors.js";
import { hasLocks, uniqueName } from "../shared/locks.js";
import type { LogSettings } from "../shared/log.js";
import type { Announcement, Welcome, WorkerConfig } from "../shared/messages.js";
import { announcements, leaderLock } from "../shared/names.js";
import type { Role } from "../shared/status.js";
import { watchLifecycle } from "./lifecycle.js";
import { OwnedWorker, workersAreShared, type MakeWorker, type WorkerPlace } from "./owned-worker.js";
import { Presence } from "./presence.js";
import type { ServiceWorkerLink } from "./service-worker-link.js";

/** What is led. */
export interface Contest {
  what: "homeserver" | "queue";
  storage: string;
  makeWorker: MakeWorker;
  log: LogSettings;
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
  /** What it takes to take part, until it is put aside or leaves. */
  #presence: Presence | undefined;
  #election: Election;
  #leading = false;
  /** Everything is being deleted by this tab's worker: nobody is to lead before that has ended. */
  #deleting = false;
  /** This tab's, while it leads; not in the pause after one has crashed. */
  #worker: OwnedWorker | undefined;
  #wasm: WebAssembly.Module | undefined;
  /** When the worker was made, and how many in a row before it ended early or unborn. */
  #born = 0;
  #shortLived = 0;
  #stillborn = 0;
  /** Until the next attempt to reach or make a worker. */
  #again: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  /** The service worker waits in vain for who leads. */
  #urged = false;
  /** Aborts when this tab leaves. */
  #ended = new AbortController();

  constructor(
    private readonly contest: Contest,
    private readonly place: WorkerPlace,
    private readonly serviceWorker: ServiceWorkerLink,
  ) {
    this.connection = new Connection(this.#lock, contest.log);
    this.connection.onlost = (why) => this.#lost(why);
    this.connection.onsilent = () => this.#election.doubt();
    this.connection.onstranger = (other) => {
      const message = `Another tab of this site runs version ${other} of Neurite, this one ${version}`;
      this.#end(new StartError("BlockedError", message));
    };
    this.#election = new Election(leaderLock(contest.storage), {
      elected: () => this.#lead(),
      defeated: () => this.#follow(),
      deposed: () => this.#deposed(),
      failed: (reason) => this.#end(reason),
      doubts: () => hasLocks && (!this.connection.welcome || this.connection.silent || this.#urged),
      ask: () => this.#presence?.announce({ kind: "who" }),
    });
    serviceWorker.onfind = (urgent) => {
      if (urgent && this.#presence) {
        this.#urged = true;
        this.#election.doubt();
      }
      return this.#worker?.way();
    };
  }

  /** Resolves when a homeserver answers, in this tab's worker or another's. */
  async join(): Promise<Welcome> {
    if (!hasLocks && !workersAreShared) {
      throw new StartError("UnsupportedError", "This page has neither Web Locks nor shared workers");
    }
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
    watchLifecycle(() => this.#withdraw(), () => void this.#enter(), this.#ended.signal);
    await this.#enter();
    return welcome;
  }

  /** Leaves: whoever is next takes over. */
  leave(reason: Error): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort();
    this.connection.close(reason);
    this.serviceWorker.onfind = () => undefined;
    this.#withdraw();
  }

  /** Takes part: stands for election, and follows whoever leads until it is elected. */
  async #enter(): Promise<void> {
    if (this.#presence) return;
    const presence = (this.#presence = new Presence());
    await presence.hold(this.#lock);
    if (this.#presence !== presence) return;
    presence.listen(announcements(this.contest.storage), (message) => this.#hear(message));
    // Without locks the browser itself sees to it that there is one worker: a shared one.
    if (hasLocks) this.#election.stand();
    else this.#lead();
  }

  /** Takes no part any longer: who is put aside lets go of everything, for others to take over. */
  #withdraw(): void {
    this.#presence?.end();
    this.#presence = undefined;
    this.#stepDown();
    if (!this.#deleting) this.#election.withdraw();
  }

  #deposed(): void {
    if (!this.#presence) return;
    this.#stepDown();
    this.#election.stand();
  }

  #stepDown(): void {
    clearTimeout(this.#again);
    this.#leading = false;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.connection.leave();
    this.#turn("follower");
  }

  #turn(role: Role): void {
    if (this.role === role) return;
    this.role = role;
    if (!this.#ended.signal.aborted) this.onrole(role);
  }

  #hear(message: Announcement): void {
    if (message.kind === "leading" && message.lock !== this.connection.welcome?.lock) this.#follow();
    if (message.kind === "present") {
      this.#urged = false;
      this.#election.heard();
    }
    // A worker that has begun to speak answers by itself.
    const speaks = !this.#leading || this.#worker?.speaks;
    if (message.kind === "who" && !speaks) this.#presence?.announce({ kind: "present" });
  }

  #lead(): void {
    this.#leading = true;
    clearTimeout(this.#again);
    const { makeWorker, config } = this.contest;
    try {
      const worker = new OwnedWorker(makeWorker, config(), this.#lock, this.place, this.#wasm);
      this.#worker = worker;
      this.#born = performance.now();
      worker.onfailed = (reason) => this.#end(reason);
      // The connection knows only of a worker that has said welcome.
      worker.ongone = () => this.#restart(worker);
      this.connection.open(portChannel(worker.connect()));
      this.serviceWorker.lead(worker.way());
    } catch (cause) {
      this.#end(new StartError("WorkerError", "The worker can't be made", cause));
    }
  }

  #elected(worker: OwnedWorker): void {
    // What goes wrong in a homeserver that runs has been told to those who asked for it.
    worker.onfailed = () => {};
    this.#stillborn = 0;
    this.#urged = false;
    // A shared worker is no tab's own.
    if (hasLocks) this.#turn("leader");
  }

  /** Asks the leader's worker for a channel; again when there is no welcome. */
  #follow(): void {
    if (!this.#presence || this.#leading) return;
    clearTimeout(this.#again);
    this.#asked += 1;
    if (this.#asked > 1) this.#election.doubt();
    const { port1, port2 } = new MessageChannel();
    // A service worker hands on a port. Without one, or when it does not answer, there is another way.
    if (this.#asked % 2 === 1 && this.serviceWorker.connect(port2)) {
      this.connection.open(portChannel(port1));
    } else {
      const name = uniqueName(announcements(this.contest.storage));
      this.connection.open(broadcastChannel(name, "asker"));
      this.#presence.announce({ kind: "connect", name });
    }
    this.#again = setTimeout(() => this.#follow(), ASK_AGAIN_AFTER);
  }

  #lost(why: "crashed" | "stopped" | "destroyed"): void {
    if (!this.#presence) return;
    if (why === "destroyed") {
      if (this.#worker) {
        this.#deleting = true;
        this.#worker.ongone = () => this.#election.withdraw();
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
    if (this.#ended.signal.aborted) return;
    this.leave(reason);
    this.onend(reason);
  }
}
