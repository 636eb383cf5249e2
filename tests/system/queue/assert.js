// Assertions for pages, and what else tests there need.

export function ok(value, message = "is not so") {
  if (!value) throw new Error(message);
}

/** Compares by structure, as JSON shows it. */
export function equal(actual, expected, message = "") {
  const [one, other] = [actual, expected].map((value) => JSON.stringify(value));
  if (one !== other) throw new Error(`${message} ${one?.slice(0, 500)} is not ${other?.slice(0, 500)}`);
}

/** What `promise` rejects with. */
export async function rejection(promise) {
  const value = await Promise.resolve(promise).then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if (!("error" in value)) throw new Error(`was not refused: ${value.value}`);
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

/** What JetStream refuses `promise` with: `code` is its own. */
export async function refusal(promise) {
  const error = await rejection(promise);
  return { code: error.code, status: error.status, message: error.message };
}

/** Waits until `condition` holds. */
export async function until(condition) {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
