// Filling, as quickly as the door that everybody has lets it be done.

import { atATime } from "../measure.js";
import { tell } from "../work.js";

/** Does `work` for each number below `count`, many at a time, and shows how far that is. */
export async function fill(what, count, work, width = 64) {
  let done = 0;
  const told = async (index) => {
    await work(index);
    tell(`${++done} of ${count} ${what}`);
  };
  await atATime(count, width, told);
}
