// Events of the homeserver, in ten rooms.

import { fill } from "../../homeserver/fill.js";

export default {
  what: "events",
  sizes: [1_000, 10_000, 100_000],
  async grow(home, from, to) {
    const alice = home.person(home.kept.alice);
    const rooms = (home.kept.rooms ??= [home.kept.roomId]);
    while (rooms.length < 10) rooms.push(await alice.createRoom());
    await fill("events", to - from, (index) => alice.send(rooms[index % rooms.length]));
  },
};
