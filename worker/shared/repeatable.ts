// Which requests may be sent a second time when the first may or may not have been served.

const METHODS = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Requests with POST that only read, or do the same when they are done twice. */
const READING_POSTS = [
  /^\/_matrix\/client\/[^/]+\/keys\/(query|upload|signatures\/upload|device_signing\/upload)$/,
  /^\/_matrix\/client\/[^/]+\/(publicRooms|search|user_directory\/search)$/,
  /^\/_matrix\/client\/unstable\/org\.matrix\.[^/]+\/sync$/,
  /^\/_matrix\/client\/[^/]+\/rooms\/[^/]+\/(receipt\/.*|read_markers)$/,
  /^\/_matrix\/client\/[^/]+\/user\/[^/]+\/filter$/,
];

/**
 * Whether a second time may be answered in another way than the first: also where it does no harm, as
 * with a PUT that finds what it is to make, or a DELETE that finds nothing.
 */
export function isAnsweredOnce(method: string, path: string): boolean {
  return method === "PUT" || method === "DELETE" || !isRepeatable(method, path);
}

/**
 * Whether sending it again is safe: idempotent methods are by their definition, and a PUT of the
 * Client-Server API that makes something anew carries a transaction id.
 * spec: client-server §Transaction identifiers
 */
export function isRepeatable(method: string, path: string): boolean {
  if (METHODS.has(method)) return true;
  const end = path.indexOf("?");
  const bare = end < 0 ? path : path.slice(0, end);
  return method === "POST" && READING_POSTS.some((pattern) => pattern.test(bare));
}
