// From Alice's send until Bob's waiting sync has the event.

import { middle } from "../../measure.js";

export default {
  what: "send until another's sync has it",
  doors: ["service worker", "homeserver.fetch"],
  samples: 50,
  async measure(home, door, samples) {
    const { roomId } = home.kept;
    const [alice, bob] = [home.person(home.kept.alice), home.person(home.kept.bob)];
    const has = (answer, eventId) =>
      answer.rooms?.join?.[roomId]?.timeline?.events.some(({ event_id }) => event_id === eventId);
    let { next_batch: since } = await bob.sync();
    const times = [];
    while (times.length < samples) {
      // What came of the last round (unread counts) is not to end this round's wait.
      for (;;) {
        const caughtUp = await bob.sync({ since, timeout: 50 }, door);
        since = caughtUp.next_batch;
        if (!Object.keys(caughtUp.rooms?.join ?? {}).length) break;
      }
      const waiting = bob.sync({ since, timeout: 30_000 }, door);
      const begin = performance.now();
      const [eventId, first] = await Promise.all([alice.send(roomId, door), waiting]);
      let answer = first;
      while (!has(answer, eventId)) answer = await bob.sync({ since: answer.next_batch, timeout: 30_000 }, door);
      times.push(performance.now() - begin);
      since = answer.next_batch;
    }
    return { time: middle(times) };
  },
};
