import type { RequestStatus } from "neurite";

import { milliseconds, timeWithSeconds } from "../ui/format.js";

/** The last requests that the homeserver answered, to this page or any other, the newest first. */
export function Requests({ requests }: { requests: RequestStatus[] }) {
  return (
    <section class="panel-section" aria-labelledby="requests">
      <h3 id="requests">Last requests</h3>
      <table class="requests">
        <colgroup>
          <col class="method" />
          <col />
          <col class="status" />
          <col class="took" />
        </colgroup>
        <thead class="hidden">
          <tr>
            <th scope="col">Method</th>
            <th scope="col">Path</th>
            <th scope="col">Status</th>
            <th scope="col">Time taken</th>
          </tr>
        </thead>
        <tbody>
          {requests.toReversed().map((request) => (
            <Request key={`${request.at} ${request.path}`} request={request} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Request({ request: { method, path, status, at, duration } }: { request: RequestStatus }) {
  return (
    <tr title={`${method} ${path}, ${timeWithSeconds(at)}`}>
      <td class={`method ${method.toLowerCase()}`}>{method}</td>
      <td class="path">{short(path)}</td>
      <td class={status < 400 ? "status" : "status bad"}>{status}</td>
      <td class="took">{milliseconds(duration)}</td>
    </tr>
  );
}

/** Without what all paths begin with, and with ids cut to what tells them apart. */
function short(path: string): string {
  const { pathname } = new URL(path, "http://localhost");
  const parts = pathname.split("/").map((part) => {
    const text = decode(part);
    return /^[!$@#]/.test(text) && text.length > 5 ? `${text.slice(0, 4)}…` : text;
  });
  return parts.join("/").replace(/^\/_matrix\/(client\/)?(v\d\/)?/, "");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
