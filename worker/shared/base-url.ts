// Which requests belong to a homeserver.

/** A base URL without a trailing slash. Throws a TypeError when it is none. */
export function normalizeBaseUrl(baseUrl: string | URL, relativeTo: string): string {
  const url = new URL(baseUrl, relativeTo);
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new TypeError(`a base URL begins with https: or http:, not ${url.protocol}`);
  }
  return (url.origin + url.pathname).replace(/\/+$/, "");
}

/**
 * The path and query of `url` below `baseUrl`, when it is a request for a homeserver.
 * spec: client-server §API Standards, §Well-known URIs
 */
export function pathBelow(baseUrl: string, url: string): string | undefined {
  if (!url.startsWith(baseUrl)) return undefined;
  const fragment = url.indexOf("#", baseUrl.length);
  const path = fragment < 0 ? url.slice(baseUrl.length) : url.slice(baseUrl.length, fragment);
  return path.startsWith("/_matrix/") || path.startsWith("/.well-known/matrix/") ? path : undefined;
}

/** Whether `url` could belong to a homeserver at some base URL. */
export function looksLikeMatrix(url: string): boolean {
  return url.includes("/_matrix/") || url.includes("/.well-known/matrix/");
}
