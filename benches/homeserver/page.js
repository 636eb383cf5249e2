// The homeserver's page: a client's requests, through the service worker and straight.

import { start } from "/index.js";
import { atATime, median, middle } from "../measure.js";

let homeserver;
let alice;
let bob;
let transaction = 0;

const doors = {
  "service worker": (path, init) => fetch(path, init),
  "homeserver.fetch": (path, init) => homeserver.fetch(path, init),
};

async function call(door, user, method, path, body) {
  const headers = user ? { authorization: `Bearer ${user.access_token}` } : {};
  const init = { method, headers };
  if (body) init.body = JSON.stringify(body);
  const response = await doors[door](`/_matrix/client/${path}`, init);
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${answer.error}`);
  return answer;
}

const straight = (user, method, path, body) => call("homeserver.fetch", user, method, path, body);

function register(username) {
  const password = "correct horse battery staple";
  const auth = { type: "m.login.dummy" };
  return straight(undefined, "POST", "v3/register", { username, password, auth });
}

async function room(...invited) {
  const { room_id } = await straight(alice, "POST", "v3/createRoom", { preset: "public_chat" });
  for (const user of invited) await straight(user, "POST", `v3/join/${room_id}`, {});
  return room_id;
}

const text = { msgtype: "m.text", body: "A message of ordinary length." };

function send(door, user, roomId) {
  const path = `v3/rooms/${roomId}/send/m.room.message/t${transaction++}`;
  return call(door, user, "PUT", path, text);
}

/** Starts a homeserver over `storage`; the time from there to the first answer, in milliseconds. */
globalThis.startUp = async (storage) => {
  const begin = performance.now();
  homeserver = await start({ storage, serverName: "bench.test", rateLimits: "off" });
  await straight(undefined, "GET", "versions");
  return performance.now() - begin;
};

globalThis.stop = () => homeserver.stop();
globalThis.destroy = () => homeserver.destroy();

/** Two people and a room with both. */
globalThis.prepare = async () => {
  alice = await register("alice");
  bob = await register("bob");
  globalThis.roomId = await room(bob);
};

const requests = {
  versions: (door) => call(door, undefined, "GET", "versions"),
  send: (door) => send(door, alice, globalThis.roomId),
};

globalThis.one = (kind, door, count) => median(count, () => requests[kind](door));
globalThis.many = (kind, door, count, width) =>
  atATime(count, width, () => requests[kind](door));

/** The median time from Alice's send until Bob's waiting sync has the event. */
globalThis.sendToSync = async (door, count) => {
  const filter = encodeURIComponent(JSON.stringify({ presence: { types: [] } }));
  const sync = (since, timeout) =>
    call(door, bob, "GET", `v3/sync?filter=${filter}&since=${since}&timeout=${timeout}`);
  let { next_batch: since } = await straight(bob, "GET", `v3/sync?filter=${filter}`);
  const has = (answer, eventId) =>
    answer.rooms?.join?.[globalThis.roomId]?.timeline?.events.some(
      ({ event_id }) => event_id === eventId,
    );
  const times = [];
  for (let index = 0; index < count; index++) {
    // What came of the last round (unread counts) is not to end this round's wait.
    for (;;) {
      const caughtUp = await sync(since, 50);
      since = caughtUp.next_batch;
      if (!Object.keys(caughtUp.rooms?.join ?? {}).length) break;
    }
    const waiting = sync(since, 30000);
    const begin = performance.now();
    const [{ event_id }, first] = await Promise.all([send(door, alice, globalThis.roomId), waiting]);
    let answer = first;
    while (!has(answer, event_id)) answer = await sync(answer.next_batch, 30000);
    times.push(performance.now() - begin);
    since = answer.next_batch;
  }
  return middle(times);
};

/** The median time of an initial sync of an account in `rooms` rooms of 20 messages. */
globalThis.initialSync = async (door, rooms, count) => {
  const carol = await register(`carol${transaction++}`);
  for (let index = 0; index < rooms; index++) {
    const roomId = await room(carol);
    await atATime(20, 20, () => send("homeserver.fetch", alice, roomId));
  }
  await quiet();
  return median(count, () => call(door, carol, "GET", "v3/sync"));
};

/** Resolves when what events cause (unread counts, the search index) is done. */
async function quiet() {
  const busy = ({ pending, ackPending }) => pending + ackPending > 0;
  while ((await homeserver.status()).streams.some(({ consumers }) => consumers.some(busy)));
}

/** Fills the homeserver until it has `events` events in `rooms` rooms; how many it really has. */
globalThis.fill = async (rooms, events) => {
  const roomIds = [];
  await atATime(rooms, 16, async () => {
    roomIds.push(await room());
  });
  // A room begins with the events of its creation.
  const { chunk } = await straight(alice, "GET", `v3/rooms/${roomIds[0]}/messages?dir=b&limit=100`);
  const left = events - rooms * chunk.length;
  await atATime(left, 64, (index) => send("homeserver.fetch", alice, roomIds[index % rooms]));
};

globalThis.ready = true;
