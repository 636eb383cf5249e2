// What homeserver.status() tells.

/** Whether this tab owns the worker. */
export type Role = "leader" | "follower";

/** A durable consumer of a stream. */
export interface ConsumerStatus {
  name: string;
  /** Messages not yet delivered. */
  pending: number;
  /** Messages delivered and not yet acknowledged. */
  ackPending: number;
  /** Messages given up since the worker started: each delivery of them failed or ended a worker. */
  setAside: number;
  /** The stream sequence of the last delivery. */
  delivered: number;
  /** All up to this stream sequence are acknowledged. */
  ackFloor: number;
}

/** A stream of the queue. */
export interface StreamStatus {
  name: string;
  messages: number;
  bytes: number;
  firstSeq: number;
  lastSeq: number;
  consumers: ConsumerStatus[];
  /** Those whose configuration can't be read. */
  offlineConsumers: OfflineStatus[];
}

/** A stream or consumer whose configuration can't be read; nothing of it is touched. */
export interface OfflineStatus {
  /** `stream <id>` or `consumer <id>` when its name can't be read either. */
  name: string;
  cause: string;
}

/** One of the last requests. */
export interface RequestStatus {
  method: string;
  path: string;
  status: number;
  /** When it came, in milliseconds since the Unix epoch. */
  at: number;
  /** How long it took, in milliseconds. */
  duration: number;
}

export interface Status {
  /** Of the package. */
  version: string;
  serverName: string;
  baseUrl: string;
  /** Whether this tab's worker holds the homeserver. */
  role: Role;
  /**
   * Of the whole origin, in bytes, as the browser reckons it; whether it gives no more room, so that
   * what is stored can be read and removed only; and whether the database was gone when this worker
   * started, and has begun anew.
   */
  storage: { usage: number; quota: number; full: boolean; lost: boolean };
  streams: StreamStatus[];
  /** Streams whose configuration can't be read. */
  offline: OfflineStatus[];
  /** How many there are. */
  rooms: number;
  users: number;
  /** The last 50, newest last. */
  requests: RequestStatus[];
}
