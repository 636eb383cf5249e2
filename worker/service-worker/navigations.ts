// Navigations that come to the service worker: whose page began one, and what strangers may not do.

import { ERROR_HEADERS } from "../shared/response.js";

/**
 * Whether a page of this origin began it. What a service worker sees of a navigation has neither
 * `Origin` nor `Sec-Fetch-Site`; a page can hide its address, and is a stranger then.
 */
export function beganHere(request: Request, origin: string): boolean {
  return request.referrer.startsWith(`${origin}/`);
}

/**
 * Whether a page of another origin may have submitted this as a form: that needs no leave by CORS,
 * and must change nothing here.
 */
export function isForeignForm(request: Request, origin: string): boolean {
  if (request.mode !== "navigate" || request.method === "GET" || request.method === "HEAD") return false;
  return !beganHere(request, origin);
}

export function foreignFormRefused(): Response {
  const error = "Forms of other origins are not accepted.";
  return new Response(JSON.stringify({ errcode: "M_FORBIDDEN", error }), { status: 403, headers: ERROR_HEADERS });
}
