// The name of a homeserver that was given none.

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/**
 * A name for a new homeserver, which keeps it with its data. It begins with letters that no other
 * browser is likely to have, since a name can't be changed once there are users, and two homeservers
 * of one name could never speak to each other.
 * spec: appendices §Server Name
 */
export function newServerName(): string {
  const label = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => ALPHABET[byte % 32]).join("");
  return `${label}.${hostname()}`;
}

/** This origin's, where that can be part of a name. */
function hostname(): string {
  const { hostname } = location;
  const isAddress = /^[\d.]+$/.test(hostname) || hostname.startsWith("[");
  return hostname === "" || isAddress ? "localhost" : hostname;
}
