// Members of the room. They are guests, who cost no hash of a password to register, and are in a
// room what others are.

import { fill } from "../../homeserver/fill.js";

export default {
  what: "members of the room",
  sizes: [10, 100, 1_000, 10_000],
  most: { send: 1.5 },
  async grow(home, from, to) {
    const join = async () => (await home.guest()).join(home.kept.roomId);
    // There are two already.
    await fill("members", to - Math.max(from, 2), join);
  },
};
