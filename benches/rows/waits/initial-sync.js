// What a client that has just logged in waits for: ten rooms, each with twenty messages.

import { fill } from "../../homeserver/fill.js";
import { median } from "../../measure.js";

export default {
  what: "initial sync of 10 rooms",
  doors: ["service worker", "homeserver.fetch"],
  samples: 20,
  async measure(home, door, samples) {
    const alice = home.person(home.kept.alice);
    const carol = await home.register();
    await fill("rooms", 10, async () => {
      const roomId = await alice.createRoom();
      await carol.join(roomId);
      await fill("messages", 20, () => alice.send(roomId));
    });
    await home.quiet();
    return { time: await median(samples, () => carol.sync({}, door)) };
  },
};
