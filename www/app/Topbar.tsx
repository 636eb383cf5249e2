import type { Homeserver } from "neurite";

import { useOnline } from "../ui/hooks.js";
import { Columns, Server } from "../ui/icons.js";
import { Mark } from "./Mark.js";

interface Properties {
  homeserver: Homeserver;
  second: boolean;
  server: boolean;
  onSecond: () => void;
  onServer: () => void;
}

export function Topbar({ homeserver, second, server, onSecond, onServer }: Properties) {
  const online = useOnline();
  return (
    <header class="topbar">
      <h1>
        <Mark /> Neurite
      </h1>
      <p class="server-chip" role="status">
        <span class="light" aria-hidden="true" />
        <span class="ellipsis">{homeserver.serverName}</span>
        {!online && <span class="offline">Offline, and at work</span>}
      </p>
      <div class="topbar-buttons">
        <button type="button" class="button toggle" aria-pressed={second} onClick={onSecond}>
          <Columns /> <span class="button-text">Second account</span>
        </button>
        <button type="button" class="button toggle" aria-pressed={server} onClick={onServer}>
          <Server /> <span class="button-text">Homeserver</span>
        </button>
      </div>
    </header>
  );
}
