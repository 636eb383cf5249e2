// Assertions for pages, and what else tests there need.

export function ok(value, message = "is not so") {
  if (!value) throw new Error(message);
}

/** Compares by structure, as JSON shows it. */
export function equal(actual, expected, message = "") {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`${message} ${one} is not ${other}`);
}

/** What `promise` rejects with. */
export async function rejection(promise) {
  const value = await Promise.resolve(promise).then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if (!("error" in value)) throw new Error(`was not refused: ${JSON.stringify(value.value)}`);
  return value.error;
}

/** The first `count` of an async iterable. */
export async function take(iterable, count) {
  const taken = [];
  if (count === 0) return taken;
  for await (const one of iterable) {
    taken.push(one);
    if (taken.length === count) break;
  }
  return taken;
}
