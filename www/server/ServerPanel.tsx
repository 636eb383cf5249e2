import type { Homeserver } from "neurite";
import { useEffect, useRef, useState } from "preact/hooks";

import { Confirm } from "../ui/Dialog.js";
import { Close } from "../ui/icons.js";
import { Facts } from "./Facts.js";
import { Requests } from "./Requests.js";
import { Streams } from "./Streams.js";
import { useStatus } from "./use-status.js";

interface Properties {
  homeserver: Homeserver;
  onClose: () => void;
  onErase: () => void;
}

/** A look into the homeserver: what it holds, what its queue does, what it was asked. */
export function ServerPanel({ homeserver, onClose, onErase }: Properties) {
  const status = useStatus(homeserver);
  const [erasing, setErasing] = useState(false);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => panel.current?.focus({ preventScroll: true }), []);
  return (
    <aside
      ref={panel}
      class="server-panel"
      aria-label="The homeserver"
      tabIndex={-1}
      onKeyDown={(event) => event.key === "Escape" && !erasing && onClose()}
    >
      <header class="server-head">
        <h2>The homeserver</h2>
        <button type="button" class="icon-button" aria-label="Close the homeserver panel" onClick={onClose}>
          <Close />
        </button>
      </header>
      {status ? (
        <>
          <Facts status={status} />
          <Streams streams={status.streams} offline={status.offline} />
          <Requests requests={status.requests} />
          <footer class="server-foot">
            <button type="button" class="button danger small" onClick={() => setErasing(true)}>
              Erase everything
            </button>
          </footer>
        </>
      ) : (
        <p class="quiet pane-message">Asking it…</p>
      )}
      {erasing && (
        <Confirm
          title="Erase everything?"
          text="The homeserver with all its accounts, rooms and pictures is deleted from this browser, and a new one begins."
          yes="Erase everything"
          onAnswer={(yes) => {
            setErasing(false);
            if (yes) onErase();
          }}
        />
      )}
    </aside>
  );
}
