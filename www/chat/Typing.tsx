import { type MatrixClient, type Room, RoomMemberEvent } from "matrix-js-sdk";

import { useClientEvents } from "../ui/hooks.js";

const EVENTS = [RoomMemberEvent.Typing] as const;

/** Who is typing; its line is always there, so that nothing moves. */
export function Typing({ client, room }: { client: MatrixClient; room: Room }) {
  useClientEvents(client, EVENTS);
  const names = room
    .getMembers()
    .filter((member) => member.typing && member.userId !== room.myUserId)
    .map((member) => member.name);
  return (
    <p class="typing quiet" aria-live="polite">
      {names.length > 0 && (
        <>
          <span class="dots" aria-hidden="true">
            <i />
            <i />
            <i />
          </span>
          {names.length > 3 ? "Several people are typing" : `${names.join(" and ")} ${names.length > 1 ? "are" : "is"} typing`}
        </>
      )}
    </p>
  );
}
