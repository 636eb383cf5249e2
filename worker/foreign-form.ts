// Forms that pages of other origins submit.

/**
 * Whether a page of another origin may have submitted this as a form: that needs no leave by CORS,
 * and must change nothing here. A page can hide its address, so that one without is a stranger too;
 * what a service worker sees of a navigation has neither `Origin` nor `Sec-Fetch-Site`.
 */
export function isForeignForm(request: Request, origin: string): boolean {
  if (request.mode !== "navigate" || request.method === "GET" || request.method === "HEAD") return false;
  return !request.referrer.startsWith(`${origin}/`);
}

export function foreignFormRefused(): Response {
  const error = "Forms of other origins are not accepted.";
  const headers = { "content-type": "application/json" };
  return new Response(JSON.stringify({ errcode: "M_FORBIDDEN", error }), { status: 403, headers });
}
