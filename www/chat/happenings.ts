// State events in words. spec: client-server §m.room.member and the other state events

import { EventType, type MatrixEvent, type Room } from "matrix-js-sdk";

/** Undefined for what a reader of the chat need not know. */
export function happening(room: Room, event: MatrixEvent): string | undefined {
  if (!event.isState() || event.isRedacted()) return undefined;
  const who = nameOf(room, event.getSender());
  const content = event.getContent();
  const before = event.getPrevContent();
  switch (event.getType()) {
    case EventType.RoomCreate:
      return `${who} created the room`;
    case EventType.RoomName:
      return `${who} named the room “${String(content.name)}”`;
    case EventType.RoomTopic:
      return `${who} set the topic: ${String(content.topic)}`;
    case EventType.RoomEncryption:
      return `${who} turned on end-to-end encryption`;
    case EventType.RoomMember:
      return membership(room, event, content.membership, before.membership);
    default:
      return undefined;
  }
}

function membership(room: Room, event: MatrixEvent, now: unknown, before: unknown): string | undefined {
  const who = nameOf(room, event.getSender());
  const whom = nameOf(room, event.getStateKey());
  const self = event.getSender() === event.getStateKey();
  switch (now) {
    case "invite":
      return `${who} invited ${whom}`;
    case "join":
      // Who made a room is in it from the start.
      return before === "join" || (!before && event.getSender() === room.getCreator()) ? undefined : `${whom} joined`;
    case "ban":
      return `${who} banned ${whom}`;
    case "knock":
      return `${whom} asks to join`;
    case "leave":
      if (self) return before === "invite" ? `${whom} declined the invitation` : `${whom} left`;
      if (before === "invite") return `${who} took back ${whom}’s invitation`;
      return before === "ban" ? `${who} unbanned ${whom}` : `${who} removed ${whom}`;
    default:
      return undefined;
  }
}

const nameOf = (room: Room, userId: string | undefined): string =>
  (userId && (room.getMember(userId)?.name ?? userId)) || "Somebody";
