// How times are taken, for the floor and the homeserver alike.

/** Runs `request` `count` times, one after the other; the times in milliseconds. */
export async function timesOf(count, request) {
  const times = [];
  for (let index = 0; index < count; index++) {
    const begin = performance.now();
    await request(index);
    times.push(performance.now() - begin);
  }
  return times;
}

/** The median of these times. */
export const median = async (count, request) => middle(await timesOf(count, request));

/** Runs `request` `count` times, `width` at a time; how many are answered in a second. */
export async function atATime(count, width, request) {
  let index = 0;
  const begin = performance.now();
  const lane = async () => {
    while (index < count) await request(index++);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return (count * 1000) / (performance.now() - begin);
}

/** The middle of some numbers. */
export function middle(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** What 99 of 100 of some numbers are at most. */
export function p99(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * 0.99) - 1];
}
