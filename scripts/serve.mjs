// A static server for the demo, on loopback only.

import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";

const types = {
  ".css": "text/css; charset=utf-8",
  ".gif": "image/gif",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/**
 * Serves a folder, or several laid over each other, the first on top. With several `ports` the
 * first free one is taken; 0 is any. `headers` go with every answer; `onrequest(request, response)`
 * sees each request first. Resolves to `{ url, port, close }`.
 */
export async function serve(folders, { ports = [0], headers = {}, onrequest } = {}) {
  const server = createServer((request, response) => {
    onrequest?.(request, response);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer([folders].flat(), request, response).catch((error) => {
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error));
    });
  });
  const port = await listen(server, ports);
  return {
    port,
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

async function listen(server, [port, ...others]) {
  try {
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", () => {
        server.off("error", reject);
        resolve();
      });
    });
    return server.address().port;
  } catch (error) {
    if (error.code === "EADDRINUSE" && others.length) return listen(server, others);
    throw error;
  }
}

async function answer(folders, request, response) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return response.writeHead(405, { allow: "GET, HEAD" }).end();
  }
  let file;
  for (const folder of folders) file ??= await fileOf(folder, request.url);
  if (!file) {
    return response.writeHead(404, { "content-type": "text/plain" }).end("Not found\n");
  }
  // Always asked for again, never sent again: a build must show at the next load.
  const headers = {
    "cache-control": "no-cache",
    "content-type": types[extname(file.path)] ?? "application/octet-stream",
    etag: `"${file.size.toString(36)}-${file.mtimeMs.toString(36)}"`,
  };
  if (request.headers["if-none-match"] === headers.etag) {
    return response.writeHead(304, headers).end();
  }
  response.writeHead(200, { ...headers, "content-length": file.size });
  response.end(request.method === "HEAD" ? undefined : await readFile(file.path));
}

/** The file that a URL's path names, index.html for a folder; undefined when there is none. */
async function fileOf(folder, url) {
  let path;
  try {
    path = decodeURIComponent(new URL(url, "http://localhost").pathname);
  } catch {
    return undefined;
  }
  const full = normalize(join(folder, path.endsWith("/") ? `${path}index.html` : path));
  if (!full.startsWith(folder + sep) || full.includes("\0")) return undefined;
  const found = await stat(full).catch(() => undefined);
  return found?.isFile() ? { path: full, size: found.size, mtimeMs: found.mtimeMs } : undefined;
}
