// A page with nothing but a homeserver, for tests, benchmarks and other people's tools. The options
// of start() are taken from the query string.

import { start, type Homeserver, type StartOptions } from "../worker/page/index.js";

declare global {
  var neurite: Homeserver | undefined;
  var neuriteReady: Promise<Homeserver>;
}

const query = new URLSearchParams(location.search);
const state = document.querySelector("#state");

function option(name: string): string | undefined {
  return query.get(name) ?? undefined;
}

// start() checks what the query says.
const options = {
  serverName: option("server_name"),
  baseUrl: option("base_url"),
  registration: option("registration"),
  registrationToken: option("registration_token"),
  defaultRoomVersion: option("default_room_version"),
  durability: option("durability"),
  storage: option("storage"),
  admins: option("admins")?.split(","),
  rateLimits: option("rate_limits"),
  serviceWorker: { off: false, own: "own" }[option("service_worker") ?? ""],
  workerUrl: option("worker_url"),
  log: option("log"),
} as StartOptions;

globalThis.neuriteReady = start(options);
globalThis.neuriteReady.then(
  (homeserver) => {
    globalThis.neurite = homeserver;
    const show = (): void => {
      state!.textContent = `${homeserver.serverName} at ${homeserver.baseUrl}, as ${homeserver.role}.`;
    };
    homeserver.addEventListener("rolechange", show);
    homeserver.addEventListener("close", ({ reason }) => (state!.textContent = reason.message));
    show();
  },
  (error: unknown) => (state!.textContent = String(error)),
);
