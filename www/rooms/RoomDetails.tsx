import { type MatrixClient, type Room, RoomStateEvent } from "matrix-js-sdk";
import { useEffect, useId, useRef, useState } from "preact/hooks";

import { explain } from "../account/explain.js";
import { Avatar } from "../ui/Avatar.js";
import { Dialog } from "../ui/Dialog.js";
import { useClientEvents, useTask } from "../ui/hooks.js";
import { PeopleField, toUserId } from "./PeopleField.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  onClose: () => void;
  onLeft: () => void;
}

const EVENTS = [RoomStateEvent.Members, RoomStateEvent.Events] as const;

/** Who is in a room; invite somebody; leave. */
export function RoomDetails({ client, room, onClose, onLeft }: Properties) {
  useClientEvents(client, EVENTS);
  const id = useId();
  const invitee = useRef<HTMLInputElement>(null);
  const invite = useTask(explain);
  const leave = useTask(explain);
  const [sent, setSent] = useState("");
  useEffect(() => void room.loadMembersIfNeeded(), [room]);
  const members = [...room.getJoinedMembers(), ...room.getMembersWithMembership("invite")];

  const onInvite = async () => {
    const userId = toUserId(client, invitee.current!.value);
    await client.invite(room.roomId, userId);
    invitee.current!.value = "";
    setSent(`${userId} was invited.`);
  };
  const onLeave = async () => {
    await client.leave(room.roomId);
    onLeft();
  };

  return (
    <Dialog title={room.name} onClose={onClose}>
      <form
        class="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          setSent("");
          void invite.run(onInvite);
        }}
      >
        <label for={`${id}-invite`}>Invite somebody</label>
        <div class="inline-fields">
          <PeopleField id={`${id}-invite`} client={client} field={invitee} required />
          <button class="button primary" disabled={invite.busy}>
            Invite
          </button>
        </div>
        <p class={invite.error ? "error" : "quiet"} role="status">
          {invite.error ?? sent}
        </p>
      </form>
      <h3>
        People <span class="quiet">{members.length}</span>
      </h3>
      <ul class="plain members">
        {members.map((member) => (
          <li key={member.userId} class="person">
            <Avatar id={member.userId} name={member.name} />
            <span class="person-text">
              <strong class="ellipsis">{member.name}</strong>
              <span class="quiet ellipsis">{member.userId}</span>
            </span>
            {member.membership === "invite" && <span class="tag">Invited</span>}
          </li>
        ))}
      </ul>
      <p class="error" role="alert">
        {leave.error}
      </p>
      <div class="dialog-actions">
        <button type="button" class="button danger" disabled={leave.busy} onClick={() => void leave.run(onLeave)}>
          Leave room
        </button>
      </div>
    </Dialog>
  );
}
