import { ClientEvent, type MatrixClient, MatrixEventEvent, type Room, RoomEvent } from "matrix-js-sdk";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";

import { Avatar } from "../ui/Avatar.js";
import { timeOrDay } from "../ui/format.js";
import { useClientEvents } from "../ui/hooks.js";
import { Lock } from "../ui/icons.js";
import { moveFocus } from "../ui/list-keys.js";
import { Invitation } from "./Invitation.js";
import { invitations, joinedRooms, lastActivity, preview, unread } from "./overview.js";

interface Properties {
  client: MatrixClient;
  openRoom: Room | undefined;
  onOpen: (roomId: string) => void;
  onNewRoom: () => void;
}

const EVENTS = [
  RoomEvent.Timeline,
  RoomEvent.Name,
  RoomEvent.MyMembership,
  RoomEvent.Receipt,
  RoomEvent.Redaction,
  // Counts come with each sync and have no event of their own.
  ClientEvent.Sync,
  MatrixEventEvent.Decrypted,
] as const;

export function RoomList({ client, openRoom, onOpen, onNewRoom }: Properties) {
  useClientEvents(client, EVENTS);
  const list = useRef<HTMLUListElement>(null);
  useReturnFocus(list, openRoom?.roomId);
  const invited = invitations(client);
  const joined = joinedRooms(client);
  return (
    <nav class="room-list" aria-label="Rooms">
      {invited.length > 0 && (
        <section aria-label="Invitations">
          {invited.map((room) => (
            <Invitation key={room.roomId} client={client} room={room} onAccepted={() => onOpen(room.roomId)} />
          ))}
        </section>
      )}
      <ul
        ref={list}
        class="plain"
        onKeyDown={(event) => list.current && moveFocus(event, list.current, "button", "column")}
      >
        {joined.map((room) => (
          <li key={room.roomId}>
            <RoomButton room={room} open={room === openRoom} onOpen={() => onOpen(room.roomId)} />
          </li>
        ))}
      </ul>
      {joined.length === 0 && invited.length === 0 && (
        <p class="list-empty quiet">
          No rooms yet. <button type="button" class="link" onClick={onNewRoom}>Create the first</button>
        </p>
      )}
    </nav>
  );
}

/** When a room is closed, the focus goes back to where it was opened. */
function useReturnFocus(list: RefObject<HTMLElement | null>, openRoomId: string | undefined): void {
  const before = useRef<string | undefined>(undefined);
  useEffect(() => {
    const closed = openRoomId === undefined ? before.current : undefined;
    before.current = openRoomId;
    if (!closed || document.activeElement !== document.body) return;
    list.current?.querySelector<HTMLElement>(`[data-room="${CSS.escape(closed)}"]`)?.focus();
  }, [openRoomId]);
}

function RoomButton({ room, open, onOpen }: { room: Room; open: boolean; onOpen: () => void }) {
  const waiting = unread(room);
  return (
    <button
      type="button"
      class={waiting ? "room waiting" : "room"}
      data-room={room.roomId}
      aria-current={open ? "page" : undefined}
      onClick={onOpen}
    >
      <Avatar id={room.roomId} name={room.name} size={40} />
      <span class="room-text">
        <span class="room-line">
          <span class="room-name ellipsis">{room.name}</span>
          {room.hasEncryptionStateEvent() && <Lock />}
          <time class="quiet">{timeOrDay(lastActivity(room))}</time>
        </span>
        <span class="room-line">
          <span class="room-preview ellipsis quiet">{preview(room)}</span>
          {waiting > 0 && (
            <span class="badge">
              {waiting > 99 ? "99+" : waiting}
              <span class="hidden"> unread</span>
            </span>
          )}
        </span>
      </span>
    </button>
  );
}
