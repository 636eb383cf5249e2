// A homeserver's answer, turned into a response as the Fetch API has it.

import type { ResponseMessage } from "./messages.js";
import type { RequestContent } from "./request.js";

/** Statuses that have no body. fetch: "null body status" */
const NO_BODY = new Set([101, 103, 204, 205, 304]);

/** The headers of an error that is told without the homeserver, as it would have them. */
export const ERROR_HEADERS = {
  "content-type": "application/json",
  "access-control-allow-origin": "*",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
};

/** The response to `request`. */
export function toResponse(request: RequestContent, answer: ResponseMessage): Response {
  const { status, body } = answer;
  // Pairs, since a Headers object would be copied into another one, at half the response's cost.
  const headers: [string, string][] = [];
  for (let i = 0; i + 1 < answer.headers.length; i += 2) {
    headers.push([answer.headers[i]!, answer.headers[i + 1]!]);
  }
  if (NO_BODY.has(status) || request.method === "HEAD") return new Response(null, { status, headers });
  if (body instanceof Blob && status === 200 && request.method === "GET") {
    headers.push(["accept-ranges", "bytes"]);
    const range = headerOf(request, "range");
    if (range !== undefined) return partOf(body, range, new Headers(headers));
  }
  return new Response(body ?? null, { status, headers });
}

/**
 * The part of `body` that a Range header asks for, which media elements need to seek; all of it
 * when the header is not understood. RFC 9110 §14.2
 */
function partOf(body: Blob, range: string, headers: Headers): Response {
  const match = /^bytes=(\d*)-(\d*)$/.exec(range.trim());
  const [from, to] = [match?.[1] ?? "", match?.[2] ?? ""];
  if (from === "" && to === "") return new Response(body, { status: 200, headers });
  const start = from === "" ? Math.max(0, body.size - Number(to)) : Number(from);
  const end = from === "" || to === "" ? body.size - 1 : Math.min(Number(to), body.size - 1);
  if (from !== "" && to !== "" && Number(to) < Number(from)) return new Response(body, { status: 200, headers });
  if (start > end) {
    headers.set("content-range", `bytes */${body.size}`);
    headers.delete("content-length");
    return new Response(null, { status: 416, headers });
  }
  headers.set("content-range", `bytes ${start}-${end}/${body.size}`);
  headers.set("content-length", String(end - start + 1));
  // The third argument keeps the type.
  return new Response(body.slice(start, end + 1, body.type), { status: 206, headers });
}

function headerOf(request: RequestContent, name: string): string | undefined {
  const at = request.headers.findIndex((entry, index) => index % 2 === 0 && entry.toLowerCase() === name);
  return at < 0 ? undefined : request.headers[at + 1];
}
