import type { MatrixClient } from "matrix-js-sdk";
import type { Homeserver } from "neurite";
import { useCallback, useState } from "preact/hooks";

import { AccountPane } from "../account/AccountPane.js";
import type { Seat } from "../account/seats.js";
import { ServerPanel } from "../server/ServerPanel.js";
import { useMedia } from "../ui/hooks.js";
import { useLayout } from "./layout.js";
import { PaneTabs } from "./PaneTabs.js";
import { Title } from "./Title.js";
import { Topbar } from "./Topbar.js";

const LABELS = { first: "First account", second: "Second account" } as const;

/** One or two accounts side by side, and the homeserver beside them. */
export function App({ homeserver, onErase }: { homeserver: Homeserver; onErase: () => void }) {
  const [layout, change] = useLayout();
  const [clients, setClients] = useState<Partial<Record<Seat, MatrixClient>>>({});
  const narrow = useMedia("(max-width: 760px)");
  const onClient = useCallback((seat: Seat, client: MatrixClient | undefined) => {
    setClients(({ [seat]: _, ...others }) => (client ? { ...others, [seat]: client } : others));
  }, []);
  const seats: Seat[] = layout.second ? ["first", "second"] : ["first"];
  const front = layout.second ? layout.front : "first";
  const openSecond = () => change({ second: true, front: "second" });

  return (
    <>
      {clients[front] && <Title client={clients[front]} />}
      <Topbar
        homeserver={homeserver}
        second={layout.second}
        server={layout.server}
        onSecond={() => (layout.second ? change({ second: false }) : openSecond())}
        onServer={() => change({ server: !layout.server })}
      />
      <div class="workspace">
        <main class="panes">
          {narrow && layout.second && (
            <PaneTabs seats={seats} labels={LABELS} clients={clients} front={front} onFront={(seat) => change({ front: seat })} />
          )}
          {seats.map((seat) => (
            <div key={seat} class="pane-place" hidden={narrow && seat !== front}>
              <AccountPane
                seat={seat}
                label={LABELS[seat]}
                serverName={homeserver.serverName}
                onInviteSecond={layout.second ? undefined : openSecond}
                onClient={onClient}
              />
            </div>
          ))}
        </main>
        {layout.server && <ServerPanel homeserver={homeserver} onClose={() => change({ server: false })} onErase={onErase} />}
      </div>
    </>
  );
}
