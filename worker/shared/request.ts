// A request as the Fetch API has it, turned into a message.

import type { HeaderList, RequestMessage } from "./messages.js";

export type RequestContent = Omit<RequestMessage, "id" | "kind">;

/** Bodies that the homeserver keeps as they are; a blob never passes through its memory. */
const UPLOAD = /^\/_matrix\/media\/[^/]+\/upload(\/|\?|$)/;

/** Reads a request to the end. */
export async function readRequest(request: Request, path: string): Promise<RequestContent> {
  const content: RequestContent = { method: request.method, path, headers: flatten(request.headers) };
  // Firefox has no `body` on requests, so that the method must tell whether there can be one.
  if (request.method !== "GET" && request.method !== "HEAD") {
    content.body = UPLOAD.test(path) ? await request.blob() : new Uint8Array(await request.arrayBuffer());
  }
  return content;
}

/** The same for the arguments of fetch(), without the cost of a Request where that can be spared. */
export async function readArguments(
  input: RequestInfo | URL,
  init: RequestInit | undefined,
  url: string,
  path: string,
): Promise<RequestContent> {
  const body = init?.body;
  if (input instanceof Request || (body != null && typeof body !== "string" && !(body instanceof Blob))) {
    // A relative address means one of the homeserver's, not one of the page's.
    return readRequest(new Request(input instanceof Request ? input : url, init), path);
  }
  const method = normalizeMethod(init?.method ?? "GET");
  if (body != null && (method === "GET" || method === "HEAD")) {
    throw new TypeError("Request with GET/HEAD method cannot have body.");
  }
  const headers = new Headers(init?.headers);
  const content: RequestContent = { method, path, headers: [] };
  if (body instanceof Blob) {
    if (body.type && !headers.has("content-type")) headers.set("content-type", body.type);
    content.body = UPLOAD.test(path) ? body : new Uint8Array(await body.arrayBuffer());
  } else if (body != null) {
    if (!headers.has("content-type")) headers.set("content-type", "text/plain;charset=UTF-8");
    content.body = UPLOAD.test(path) ? new Blob([body]) : body;
  }
  content.headers = flatten(headers);
  return content;
}

/** fetch: "to normalize a method"; others, such as `patch`, stay as they are. */
function normalizeMethod(method: string): string {
  const upper = method.toUpperCase();
  return ["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"].includes(upper) ? upper : method;
}

function flatten(headers: Headers): HeaderList {
  const list: HeaderList = [];
  headers.forEach((value, name) => list.push(name, value));
  return list;
}

