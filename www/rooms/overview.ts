// Rooms as the list shows them.

import { EventType, type MatrixClient, type MatrixEvent, MsgType, NotificationCountType, type Room } from "matrix-js-sdk";

/** Those joined, the one with the newest message first. */
export function joinedRooms(client: MatrixClient): Room[] {
  const joined = client.getVisibleRooms().filter((room) => room.getMyMembership() === "join");
  return joined.sort((a, b) => lastActivity(b) - lastActivity(a));
}

export const invitations = (client: MatrixClient): Room[] =>
  client.getVisibleRooms().filter((room) => room.getMyMembership() === "invite");

/** Who invited this client's user. */
export function inviter(room: Room): string {
  const invitation = room.getMember(room.myUserId)?.events.member;
  const sender = invitation?.getSender();
  return (sender && (room.getMember(sender)?.name ?? sender)) || "Somebody";
}

export const unread = (room: Room): number => room.getUnreadNotificationCount(NotificationCountType.Total);

/** Unread messages and invitations. */
export const news = (client: MatrixClient): number =>
  joinedRooms(client).reduce((sum, room) => sum + unread(room), invitations(client).length);

export const lastActivity = (room: Room): number => room.getLastActiveTimestamp();

/** The newest message in a line. */
export function preview(room: Room): string {
  const events = room.getLiveTimeline().getEvents();
  const last = events.findLast((event) => isMessage(event) && !event.isRelation("m.replace"));
  if (!last) return "No messages yet";
  const text = summary(last);
  return last.getSender() === room.myUserId ? `You: ${text}` : text;
}

export const isMessage = (event: MatrixEvent): boolean =>
  event.getType() === EventType.RoomMessage || event.getType() === EventType.RoomMessageEncrypted;

/** A message in a few words. */
export function summary(event: MatrixEvent): string {
  if (event.isRedacted()) return "Message deleted";
  if (event.isBeingDecrypted() || event.getType() === EventType.RoomMessageEncrypted) return "Encrypted message";
  const { msgtype, body } = event.getContent();
  if (msgtype === MsgType.Image) return `Picture: ${String(body)}`;
  return typeof body === "string" ? body : "Message";
}
