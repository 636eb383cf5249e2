// The homeserver's page. What is measured here is in the rows, which it loads by name.

import { atATime, median } from "../measure.js";
import { offer } from "../work.js";
import { incrementalSync, initialSync } from "./account.js";
import { fill } from "./fill.js";
import { Home } from "./home.js";

let home;

/** A row's declaration: `name` is `section/name`. */
const row = async (name) => (await import(`/rows/${name}.js`)).default;

/** Starts a homeserver; how long it took from the page's beginning, and from `start()`. */
async function visit(storage) {
  const begin = performance.now();
  home = await Home.start(storage);
  const end = performance.now();
  return { sinceLoad: end, sinceStart: end - begin };
}

// A page that is told where by its address starts as it is loaded, like any app.
const storage = new URLSearchParams(location.search).get("start");
const visited = storage && visit(storage);

offer({
  visited: () => visited,

  /** Starts a homeserver with two people and a room that both are in. */
  prepare: async (storage) => {
    await visit(storage);
    const [alice, bob] = [await home.register("alice"), await home.register("bob")];
    const roomId = await alice.createRoom();
    await bob.join(roomId);
    home.kept = { alice: alice.login, bob: bob.login, roomId };
    return home.kept;
  },

  /** Goes on with what another page has kept. */
  resume: (kept) => void (home.kept = kept),

  stop: () => home.stop(),
  destroy: () => home.destroy(),
  quiet: () => home.quiet(),

  /** The median time of a row's request, in milliseconds. */
  one: async (name, door, count) => {
    const { request } = await row(name);
    return median(count, () => request(home, door));
  },

  /** How many of a row's requests are answered in a second, `width` at a time. */
  many: async (name, door, count, width) => {
    const { request } = await row(name);
    return atATime(count, width, () => request(home, door));
  },

  /** Whatever else a row does, by the name of the function; what it kept then. */
  call: async (name, what, ...args) => {
    const result = await (await row(name))[what](home, ...args);
    return { result, kept: home.kept };
  },

  incrementalSync: (samples) => incrementalSync(home, samples),
  initialSync: (samples) => initialSync(home, samples),

  /** Fills the homeserver until it has about `events` events in `rooms` rooms. */
  fill: async (rooms, events) => {
    const alice = home.person(home.kept.alice);
    const roomIds = [];
    await fill("rooms", rooms, async () => roomIds.push(await alice.createRoom()), 16);
    // A room begins with the events of its creation.
    const { chunk } = await alice.get(`v3/rooms/${roomIds[0]}/messages?dir=b&limit=100`);
    await fill("events", events - rooms * chunk.length, (index) => alice.send(roomIds[index % rooms]));
    await home.quiet();
  },
});
