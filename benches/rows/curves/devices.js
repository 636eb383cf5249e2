// Devices that the account is logged in on.

import { fill } from "../../homeserver/fill.js";

export default {
  what: "devices of the account",
  sizes: [1, 10, 100],
  async grow(home, from, to) {
    const { user_id: user } = home.kept.alice;
    await fill("devices", to - Math.max(from, 1), () => home.login(user));
  },
};
