// The name of a homeserver that was given none.

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

const key = (storage: string): string => `neurite:${storage}:server-name`;

/**
 * The name of this origin's homeserver in `storage`, the same each time. It begins with letters
 * that no other browser is likely to have, since a name can't be changed once there are users, and
 * two homeservers of one name could never speak to each other.
 * spec: appendices §Server Name
 */
export function keptServerName(storage: string): string {
  const kept = localStorage.getItem(key(storage));
  if (kept) return kept;
  const label = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => ALPHABET[byte % 32]).join("");
  const name = `${label}.${hostname()}`;
  localStorage.setItem(key(storage), name);
  return name;
}

/** After the data is gone the next homeserver is another one. */
export function forgetServerName(storage: string): void {
  localStorage.removeItem(key(storage));
}

/** This origin's, where that can be part of a name. */
function hostname(): string {
  const { hostname } = location;
  const isAddress = /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
  return hostname === "" || isAddress ? "localhost" : hostname;
}
