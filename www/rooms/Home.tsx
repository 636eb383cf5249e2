import { ClientEvent, type MatrixClient, SyncState } from "matrix-js-sdk";
import { useEffect, useState } from "preact/hooks";

import { RoomView } from "../chat/RoomView.js";
import { Avatar } from "../ui/Avatar.js";
import { useClientEvents } from "../ui/hooks.js";
import { Add, SignOut } from "../ui/icons.js";
import { Confirm } from "../ui/Dialog.js";
import { read, write } from "../ui/settings.js";
import { NewRoom } from "./NewRoom.js";
import { NoRoom } from "./NoRoom.js";
import { RoomList } from "./RoomList.js";

interface Properties {
  client: MatrixClient;
  onSignOut: () => Promise<void>;
  onInviteSecond: (() => void) | undefined;
}

const EVENTS = [ClientEvent.Room, ClientEvent.DeleteRoom, ClientEvent.Sync] as const;

/** What somebody who is signed in sees: their rooms, and one of them open. */
export function Home({ client, onSignOut, onInviteSecond }: Properties) {
  useClientEvents(client, EVENTS);
  const userId = client.getSafeUserId();
  const [roomId, setRoomId] = useOpenRoom(userId);
  const [dialog, setDialog] = useState<"new room" | "sign out">();
  const room = roomId === undefined ? undefined : (client.getRoom(roomId) ?? undefined);
  const open = room?.getMyMembership() === "join" ? room : undefined;
  const close = () => setDialog(undefined);

  return (
    <div class={`home ${open ? "room-open" : client.getRooms().length > 0 ? "some-rooms" : ""}`}>
      <div class="sidebar">
        <header class="me">
          <Avatar id={userId} name={userId} size={34} />
          <h2 class="person-text">
            <strong class="ellipsis">{userId.slice(1).split(":", 1)[0]}</strong>
            <span class="quiet ellipsis">{userId}</span>
          </h2>
          <button type="button" class="icon-button" aria-label="New room" title="New room" onClick={() => setDialog("new room")}>
            <Add />
          </button>
          <button type="button" class="icon-button" aria-label="Sign out" title="Sign out" onClick={() => setDialog("sign out")}>
            <SignOut />
          </button>
        </header>
        <ConnectionNotice client={client} />
        <RoomList client={client} openRoom={open} onOpen={setRoomId} onNewRoom={() => setDialog("new room")} />
      </div>
      <div class="stage">
        {open ? (
          <RoomView key={open.roomId} client={client} room={open} onClose={() => setRoomId(undefined)} />
        ) : (
          <NoRoom client={client} onNewRoom={() => setDialog("new room")} onInviteSecond={onInviteSecond} />
        )}
      </div>
      {dialog === "new room" && (
        <NewRoom
          client={client}
          onClose={close}
          onCreated={(created) => {
            close();
            setRoomId(created);
          }}
        />
      )}
      {dialog === "sign out" && (
        <Confirm
          title="Sign out?"
          text="This device's keys are deleted: encrypted messages can't be read from here after you sign in again."
          yes="Sign out"
          onAnswer={(yes) => {
            close();
            if (yes) void onSignOut();
          }}
        />
      )}
    </div>
  );
}

/** The open room, which a reload opens again. */
function useOpenRoom(userId: string): [string | undefined, (roomId: string | undefined) => void] {
  const key = `neurite-demo:room:${userId}`;
  const [roomId, setRoomId] = useState(() => read<string>(key));
  useEffect(() => write(key, roomId ?? ""), [roomId]);
  return [roomId || undefined, setRoomId];
}

function ConnectionNotice({ client }: { client: MatrixClient }) {
  const state = client.getSyncState();
  const troubled = state === SyncState.Error || state === SyncState.Reconnecting;
  return (
    <div role="status" class={troubled ? "connection troubled" : "connection"}>
      {troubled && "The homeserver does not answer. Trying again…"}
    </div>
  );
}
