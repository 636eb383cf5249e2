// What the contexts of one origin say to each other. Everything crosses by structured clone.

import type { StartErrorName } from "./errors.js";
import type { LogRecord, LogWanted } from "./log.js";

/** Pages, service worker and homeserver's worker understand each other when this is equal. */
export const PROTOCOL = 2;

/** Names and values in turn: a flat list is the cheapest to clone. */
export type HeaderList = string[];

/** Text and bytes are cloned; a blob is passed by reference. */
export type Body = string | Uint8Array<ArrayBuffer> | Blob;

export interface RequestMessage {
  kind: "request";
  id: number;
  method: string;
  /** Path and query below the base URL: `/_matrix/client/versions`. */
  path: string;
  headers: HeaderList;
  body?: Body | undefined;
  /** A media element of this origin asks, which can send no token. Only our service worker says so. */
  mediaElement?: boolean;
  /**
   * The page that asks, by its client id. Only our service worker says so, and only of what is to be
   * done and answered once: the browser may give it to the next service worker too.
   */
  client?: string;
}

export interface ResponseMessage {
  kind: "response";
  id: number;
  status: number;
  headers: HeaderList;
  body?: Uint8Array<ArrayBuffer> | Blob | undefined;
}

/** Commands to the homeserver that are not HTTP. */
export interface CommandMessage {
  kind: "status" | "stop" | "destroy";
  id: number;
}

/** What expects an answer with the same id. */
export type Question = RequestMessage | CommandMessage;

export interface ValueMessage {
  kind: "value";
  id: number;
  value: unknown;
}

/** The question could not be answered; a request fails as when the network breaks. */
export interface FailedMessage {
  kind: "failed";
  id: number;
  reason: string;
}

/** Nothing was done about the question, since the worker ends: it may be asked elsewhere. */
export interface RefusedMessage {
  kind: "refused";
  id: number;
}

export type Answer = ResponseMessage | ValueMessage | FailedMessage;

/** To the homeserver's worker, over a channel. */
export type ToHomeserver =
  /** The answer to a welcome; `lock` is held as long as the speaker lives, who wants `log`. */
  | { kind: "hello"; lock: string; log?: LogWanted | undefined }
  /** How many records have come in all, told now and then: not many more come before. */
  | { kind: "logged"; count: number }
  | Question
  /** Whether it still runs; answered by a pong. */
  | { kind: "ping" }
  /** A NATS client at the other end of this port, or of a pair of BroadcastChannels of that name. */
  | { kind: "queue"; port: MessagePort }
  | { kind: "queue"; name: string }
  /** Nobody waits for this answer any longer, or it has been passed on. */
  | { kind: "abort"; id: number }
  /** A channel for somebody else, who can't reach the worker. */
  | { kind: "connect"; port: MessagePort }
  | { kind: "goodbye" };

/** First on each channel, once the homeserver, or the queue alone, has started. */
export interface Welcome {
  kind: "welcome";
  /** Which protocol the worker speaks; nothing more is said to one that speaks another. */
  protocol: number;
  /** Of the package that the worker is from. */
  version: string;
  /** Held as long as the worker lives; also tells one worker from the next. */
  lock: string;
  /** Nothing of the queue alone. */
  homeserver: { serverName: string; baseUrl: string } | undefined;
  /** Whether the browser gives no more room; older workers do not say. */
  full?: boolean;
}

/**
 * From a NATS client: bytes of its protocol; how many bytes of what it was sent it has taken in all,
 * told now and then; null when it leaves.
 */
export type FromNatsClient = Uint8Array<ArrayBuffer> | ArrayBuffer | number | null;

/** To a NATS client: bytes of the protocol; why nothing more comes, last. */
export type ToNatsClient = Uint8Array<ArrayBuffer> | string;

/** From the homeserver's worker, over a channel. */
export type FromHomeserver =
  | Welcome
  | Answer
  | RefusedMessage
  | { kind: "pong" }
  /** Whether the browser gives no more room is another than it was. */
  | { kind: "storage"; full: boolean }
  /** Something was logged that the hello asked for. */
  | { kind: "log"; record: LogRecord }
  /** Last on a channel. After a crash or stop somebody else takes over, after destruction nobody. */
  | { kind: "ended"; why: "crashed" | "stopped" | "destroyed" };

/** The options that the homeserver itself sees, complete. */
export interface Config {
  /** Undefined: that of the database, which has to be the same otherwise. */
  serverName: string | undefined;
  /** The name of a homeserver that is new and was given none. */
  newServerName: string;
  baseUrl: string;
  registration: "open" | "token" | "closed";
  registrationToken?: string | undefined;
  defaultRoomVersion: string;
  durability: "strict" | "relaxed";
  admins: string[];
  rateLimits: "on" | "off";
  support?: Support | undefined;
  storage: string;
  /** What the worker tells its console. */
  log: LogWanted;
}

/** The answer of `GET /.well-known/matrix/support`: contacts, a page, or both. */
export interface Support {
  contacts?: SupportContact[] | undefined;
  support_page?: string | undefined;
}

/** With a `matrix_id`, an `email_address`, or both. */
export interface SupportContact {
  role: "m.role.admin" | "m.role.security" | (string & {});
  matrix_id?: string | undefined;
  email_address?: string | undefined;
}

/** The options that the queue alone sees. */
export type QueueConfig = Pick<Config, "durability" | "storage" | "log">;

export type WorkerConfig = Config | QueueConfig;

/** From the page that owns a worker to that worker. */
export type ToWorker =
  | {
      kind: "start";
      config: WorkerConfig;
      /** Held by the page as long as it takes part. */
      lock: string;
      wasmUrl?: string | undefined;
      wasm?: WebAssembly.Module | undefined;
    }
  | { kind: "connect"; port: MessagePort }
  /** Be a helper of who is at the other end, and nothing else. */
  | { kind: "help"; port: MessagePort; wasm: WebAssembly.Module };

/** From a worker to the page that owns it. */
export type FromWorker =
  /** It runs, and holds `lock` as long as it lives. */
  | { kind: "alive"; lock: string }
  /** The compiled module, so that the next worker need not compile it again. */
  | { kind: "compiled"; wasm: WebAssembly.Module }
  /** Make a helper that speaks over this port. */
  | { kind: "help"; port: MessagePort }
  | { kind: "failed"; error: { name: StartErrorName; message: string; stack?: string | undefined } };

/** Between all pages and workers with one storage, over a BroadcastChannel, which carries no ports. */
export type Announcement =
  /** A new worker answers. */
  | { kind: "leading"; lock: string }
  /** A page without a service worker asks for a channel, made of two BroadcastChannels. */
  | { kind: "connect"; name: string }
  /** Who leads or has the database is to say that it is present: it is not known whether it still runs. */
  | { kind: "who" }
  | { kind: "present" };

/** A way to a worker; `worker` tells it from others. */
export interface Way {
  port: MessagePort;
  worker: string;
}

/** From a page to the service worker. */
export type ToServiceWorker =
  /** Requests below `baseUrl` belong to the homeserver in `storage`; answered on `port`. */
  | { kind: "neurite:serve"; storage: string; baseUrl: string; port: MessagePort }
  /** No longer. */
  | { kind: "neurite:forget"; storage: string }
  /** This leads to the homeserver's worker. */
  | ({ kind: "neurite:leading"; storage: string } & Way)
  /** Hand this port on to the homeserver's worker. */
  | { kind: "neurite:connect"; storage: string; port: MessagePort };

/** The service worker's answer to `neurite:serve`. */
export interface Serving {
  kind: "neurite:serving";
  version: string;
  protocol: number;
}

/** From the service worker to pages. */
export type FromServiceWorker =
  /** Who leads `storage` is to answer `neurite:leading`; when `urgent`, it does not seem to run any more. */
  | { kind: "neurite:find"; storage: string; urgent: boolean }
  /** Which storages does this page use? Answered on `port` with their names. */
  | { kind: "neurite:whose"; port: MessagePort }
  /** It knows of no homeserver: pages are to send `neurite:serve` again, and then something on `port`. */
  | { kind: "neurite:tell"; port: MessagePort };
