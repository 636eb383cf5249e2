// What an account's requests take, whatever the homeserver or the account has become.

import { median, middle } from "../measure.js";
import { tell } from "../work.js";

/** The median time in which Alice's sync tells of a message that Bob has just sent. */
export async function incrementalSync(home, samples) {
  const { roomId } = home.kept;
  const [alice, bob] = [home.person(home.kept.alice), home.person(home.kept.bob)];
  let { next_batch: since } = await alice.sync();
  const times = [];
  while (times.length < samples) {
    const eventId = await bob.send(roomId);
    const begin = performance.now();
    const answer = await alice.sync({ since });
    times.push(performance.now() - begin);
    since = answer.next_batch;
    const { timeline } = answer.rooms.join[roomId];
    if (!timeline.events.some(({ event_id }) => event_id === eventId)) throw new Error("A sync without the message");
  }
  return middle(times);
}

/** The median time of a sync that tells Alice everything. */
export function initialSync(home, samples) {
  const alice = home.person(home.kept.alice);
  return median(samples, (index) => {
    tell(`initial sync ${index + 1} of ${samples}`);
    return alice.sync();
  });
}
