// Locks that say who is alive: a browser releases a context's locks when the context ends,
// however it ends.

/** Whether this context has the Web Locks API; insecure origins don't. */
export const hasLocks = typeof navigator !== "undefined" && "locks" in navigator;

/** A name that nobody else has. */
export function uniqueName(prefix: string): string {
  // randomUUID() is for secure origins only.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Holds `name` until `release` is called or this context ends; resolves when it is held. */
export async function hold(name: string): Promise<{ release(): void }> {
  let release = (): void => {};
  if (!hasLocks) return { release };
  await new Promise<void>((held, refused) => {
    navigator.locks
      .request(name, () => {
        held();
        return new Promise<void>((resolve) => (release = resolve));
      })
      .catch(refused);
  });
  return { release };
}

/**
 * Whether this context sees that somebody holds `name`. In Chromium one that was there before all data
 * of the site was deleted, and one that came after, do not see each other's locks.
 */
export async function isHeld(name: string): Promise<boolean> {
  const { held = [] } = await navigator.locks.query();
  return held.some((lock) => lock.name === name);
}

/** Calls `then` once nobody holds `name`, unless `signal` aborts before. */
export function whenReleased(name: string, signal: AbortSignal, then: () => void): void {
  if (!hasLocks) return;
  navigator.locks
    // Shared, so that those who wait don't wait for each other.
    .request(name, { mode: "shared", signal }, () => then())
    .catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
}
