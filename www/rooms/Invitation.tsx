import type { MatrixClient, Room } from "matrix-js-sdk";

import { explain } from "../account/explain.js";
import { Avatar } from "../ui/Avatar.js";
import { useTask } from "../ui/hooks.js";
import { inviter } from "./overview.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  onAccepted: () => void;
}

export function Invitation({ client, room, onAccepted }: Properties) {
  const task = useTask(explain);
  const accept = async () => {
    await client.joinRoom(room.roomId);
    onAccepted();
  };
  const decline = async () => {
    await client.leave(room.roomId);
  };
  return (
    <article class="invitation" aria-label={`Invitation to ${room.name}`}>
      <Avatar id={room.roomId} name={room.name} size={40} />
      <div class="person-text">
        <strong class="ellipsis">{room.name}</strong>
        <span class="quiet">{inviter(room)} invites you</span>
        <div class="invitation-actions">
          <button type="button" class="button primary small" disabled={task.busy} onClick={() => void task.run(accept)}>
            Accept
          </button>
          <button type="button" class="button small" disabled={task.busy} onClick={() => void task.run(decline)}>
            Decline
          </button>
        </div>
        {task.error && (
          <span class="error" role="alert">
            {task.error}
          </span>
        )}
      </div>
    </article>
  );
}
