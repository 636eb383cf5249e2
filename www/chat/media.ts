// Where a message's file is. spec: client-server §Content repository

import type { MatrixClient } from "matrix-js-sdk";

import { clientFetch, intercepted } from "../server/reach.js";
import { decryptFile, type Secrets } from "./attachment-crypto.js";

export interface Attachment {
  /** Of a file that is not encrypted. */
  url?: string;
  file?: Secrets & { url: string };
  info?: { mimetype?: string; size?: number; w?: number; h?: number };
  body?: string;
  filename?: string;
}

/** An address for `<img>` and `<a>`, and what to do when it is no longer needed. */
export interface Source {
  url: string;
  free: () => void;
}

export async function source(client: MatrixClient, attachment: Attachment): Promise<Source> {
  const { file, url: mxc } = attachment;
  const url = download(client, file?.url ?? mxc);
  // The service worker answers media elements of this origin, which can send no token.
  if (!file && intercepted()) return { url, free: () => undefined };
  const response = await clientFetch(url, { headers: { Authorization: `Bearer ${client.getAccessToken()}` } });
  if (!response.ok) throw new Error(`The homeserver answered ${response.status}.`);
  const blob = file
    ? new Blob([await decryptFile(await response.arrayBuffer(), file)], { type: safeType(attachment) })
    : await response.blob();
  const local = URL.createObjectURL(blob);
  return { url: local, free: () => URL.revokeObjectURL(local) };
}

function download(client: MatrixClient, mxc: string | undefined): string {
  const url = mxc && client.mxcUrlToHttp(mxc, undefined, undefined, undefined, false, true, true);
  if (!url) throw new Error("The message names no file.");
  return url;
}

/** A blob of ours is of this origin: the sender must not make it a page. */
function safeType({ info }: Attachment): string {
  const type = info?.mimetype ?? "";
  return /^(image\/(?!svg)|audio\/|video\/)[\w.+-]+$/.test(type) ? type : "application/octet-stream";
}
