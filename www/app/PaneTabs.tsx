import { ClientEvent, type MatrixClient, RoomEvent } from "matrix-js-sdk";

import type { Seat } from "../account/seats.js";
import { news } from "../rooms/overview.js";
import { Avatar } from "../ui/Avatar.js";
import { useClientEvents } from "../ui/hooks.js";

interface Properties {
  seats: Seat[];
  labels: Record<Seat, string>;
  clients: Partial<Record<Seat, MatrixClient>>;
  front: Seat;
  onFront: (seat: Seat) => void;
}

/** On phones one pane shows at a time; these tell which, and where something new is. */
export function PaneTabs({ seats, labels, clients, front, onFront }: Properties) {
  return (
    <div class="pane-tabs" role="group" aria-label="Accounts">
      {seats.map((seat) => {
        const client = clients[seat];
        return (
          <button type="button" key={seat} class="pane-tab" aria-pressed={seat === front} onClick={() => onFront(seat)}>
            {client ? <SignedIn client={client} /> : labels[seat]}
          </button>
        );
      })}
    </div>
  );
}

const EVENTS = [ClientEvent.Sync, RoomEvent.Timeline, RoomEvent.Receipt, RoomEvent.MyMembership] as const;

function SignedIn({ client }: { client: MatrixClient }) {
  useClientEvents(client, EVENTS);
  const userId = client.getSafeUserId();
  const waiting = news(client);
  return (
    <>
      <Avatar id={userId} name={userId} size={22} />
      <span class="ellipsis">{userId.slice(1).split(":", 1)[0]}</span>
      {waiting > 0 && (
        <span class="badge">
          {waiting}
          <span class="hidden"> new</span>
        </span>
      )}
    </>
  );
}
