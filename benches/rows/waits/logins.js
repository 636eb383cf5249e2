// Whether those who log in hold up those who write: a password's hash is made to take long. The
// messages are sent every 10 ms, whether or not those before are answered.

import { p99 } from "../../measure.js";
import { tell } from "../../work.js";

const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

/** The times of the sends while `underWay` is, again and again until there are `count`. */
async function times(count, underWay, send) {
  const all = [];
  const timed = async () => {
    const begin = performance.now();
    await send();
    all.push(performance.now() - begin);
  };
  while (all.length < count) {
    tell(`${all.length} of ${count} sends`);
    const sends = [];
    let over = false;
    const end = underWay().finally(() => (over = true));
    while (!over) {
      sends.push(timed());
      await pause(10);
    }
    await Promise.all([end, ...sends]);
  }
  return all;
}

export default {
  what: "send while ten people log in, p99",
  doors: ["homeserver.fetch"],
  samples: 500,
  beside: "without them",
  most: 3,
  async measure(home, door, samples) {
    const alice = home.person(home.kept.alice);
    const send = () => alice.send(home.kept.roomId, door);
    const people = await Promise.all(Array.from({ length: 10 }, () => home.register()));
    const without = await times(samples, () => pause(1000), send);
    const logIn = () => Promise.all(people.map(({ login }) => home.login(login.user_id)));
    return { time: p99(await times(samples, logIn, send)), beside: p99(without) };
  },
};
