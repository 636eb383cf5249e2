// Rooms that the account is in.

import { fill } from "../../homeserver/fill.js";

export default {
  what: "rooms of the account",
  sizes: [10, 100, 1_000, 5_000],
  most: { incremental: 1.5 },
  async grow(home, from, to) {
    const alice = home.person(home.kept.alice);
    // The account is in one already.
    await fill("rooms", to - Math.max(from, 1), () => alice.createRoom(), 16);
  },
};
