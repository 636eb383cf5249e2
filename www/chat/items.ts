// A room's timeline as the page shows it: messages in groups, what happened between, days.

import { EventType, type MatrixEvent, RelationType, type Room } from "matrix-js-sdk";

import { isMessage } from "../rooms/overview.js";
import { sameDay } from "../ui/format.js";
import { happening } from "./happenings.js";

export type Item =
  | { kind: "day"; key: string; timestamp: number }
  | { kind: "happening"; key: string; text: string }
  | {
      kind: "message";
      key: string;
      event: MatrixEvent;
      /** Begins a group of messages that one person wrote in one go. */
      first: boolean;
      /** The others who have read up to here. spec: client-server §Receipts */
      readers: string[];
    };

/** Messages of one sender within this time stand together. */
const GROUP = 5 * 60_000;

export function timelineItems(room: Room): Item[] {
  const items: Item[] = [];
  let before: MatrixEvent | undefined;
  let message: (Item & { kind: "message" }) | undefined;
  for (const event of [...room.getLiveTimeline().getEvents(), ...room.getPendingEvents()]) {
    const text = isShown(event) ? undefined : happening(room, event);
    if (text === undefined && !isShown(event)) {
      // Who has read a reaction has read the message before it.
      message?.readers.push(...readers(room, event));
      continue;
    }
    const timestamp = event.getTs();
    // Its own name, that stays when the homeserver has given the event its id.
    const key = event.getUnsigned().transaction_id ?? event.getTxnId() ?? event.getId()!;
    if (!before || !sameDay(before.getTs(), timestamp)) {
      items.push({ kind: "day", key: `day:${key}`, timestamp });
      before = undefined;
    }
    if (text !== undefined) {
      items.push({ kind: "happening", key, text });
    } else {
      message = { kind: "message", key, event, first: !continues(before, event), readers: [] };
      items.push(message);
    }
    message?.readers.push(...readers(room, event));
    before = event;
  }
  return items;
}

/** The others whose receipt is at this very event. */
const readers = (room: Room, event: MatrixEvent): string[] =>
  [...new Set(room.getReceiptsForEvent(event).map((receipt) => receipt.userId))].filter(
    (userId) => userId !== room.myUserId,
  );

/** Whether `event` is a message of its own: an edit shows in the message that it edits. */
function isShown(event: MatrixEvent): boolean {
  return isMessage(event) && !event.isRelation(RelationType.Replace);
}

function continues(before: MatrixEvent | undefined, event: MatrixEvent): boolean {
  return (
    before !== undefined &&
    isMessage(before) &&
    before.getSender() === event.getSender() &&
    event.getTs() - before.getTs() < GROUP
  );
}

/** What a client may still change of a message. */
export function canEdit(event: MatrixEvent, userId: string): boolean {
  return (
    event.getType() === EventType.RoomMessage &&
    event.getSender() === userId &&
    event.getContent().msgtype === "m.text" &&
    event.status === null &&
    !event.isRedacted()
  );
}

/** The newest message that its writer can edit. */
export function lastEditable(room: Room): MatrixEvent | undefined {
  const events = room.getLiveTimeline().getEvents();
  return events.findLast((event) => !event.isRelation(RelationType.Replace) && canEdit(event, room.myUserId));
}
