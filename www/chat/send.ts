// What a person does in a room, as events. spec: client-server §Instant messaging, §Relationships

import {
  EventType,
  type MatrixClient,
  type MatrixEvent,
  MsgType,
  RelationType,
  type Room,
} from "matrix-js-sdk";

import type { RoomMessageEventContent } from "matrix-js-sdk/lib/types.js";

import { encryptFile } from "./attachment-crypto.js";

/** What the composer writes to: nothing, a message to reply to, or one to edit. */
export type Target = { kind: "reply" | "edit"; event: MatrixEvent } | undefined;

export async function sendText(client: MatrixClient, room: Room, body: string, target: Target): Promise<void> {
  await client.sendMessage(room.roomId, textContent(body, target));
}

function textContent(body: string, target: Target): RoomMessageEventContent {
  const content = { msgtype: MsgType.Text as const, body, "m.mentions": {} };
  const eventId = target?.event.getId();
  if (!target || !eventId) return content;
  if (target.kind === "edit") {
    return {
      ...content,
      body: `* ${body}`,
      "m.new_content": content,
      "m.relates_to": { rel_type: RelationType.Replace, event_id: eventId },
    };
  }
  const sender = target.event.getSender();
  return {
    ...content,
    "m.mentions": sender ? { user_ids: [sender] } : {},
    "m.relates_to": { "m.in_reply_to": { event_id: eventId } },
  };
}

/** Adds this user's reaction, or takes it back. */
export async function toggleReaction(client: MatrixClient, room: Room, event: MatrixEvent, key: string): Promise<void> {
  const eventId = event.getId()!;
  const mine = reactions(room, event)
    .find((reaction) => reaction.key === key)
    ?.events.find((reaction) => reaction.getSender() === client.getUserId());
  if (mine) {
    await client.redactEvent(room.roomId, mine.getId()!);
    return;
  }
  await client.sendEvent(room.roomId, EventType.Reaction, {
    "m.relates_to": { rel_type: RelationType.Annotation, event_id: eventId, key },
  });
}

export interface Reaction {
  key: string;
  events: MatrixEvent[];
}

/** Those to a message, the most frequent first. */
export function reactions(room: Room, event: MatrixEvent): Reaction[] {
  const relations = room.relations.getChildEventsForEvent(event.getId()!, RelationType.Annotation, EventType.Reaction);
  const sorted = relations?.getSortedAnnotationsByKey() ?? [];
  return sorted
    .map(([key, events]) => ({ key, events: [...events].filter((reaction) => !reaction.isRedacted()) }))
    .filter(({ events }) => events.length > 0);
}

/** Uploads a file and sends it; `onProgress` is told how much is there, from 0 to 1. */
export async function sendFile(
  client: MatrixClient,
  room: Room,
  file: File,
  onProgress: (part: number) => void,
): Promise<void> {
  const isPicture = file.type.startsWith("image/");
  const info = { mimetype: file.type, size: file.size, ...(isPicture && (await dimensions(file))) };
  const upload = async (blob: Blob, type: string, name?: string) => {
    const { content_uri } = await client.uploadContent(blob, {
      type,
      includeFilename: name !== undefined,
      ...(name !== undefined && { name }),
      progressHandler: ({ loaded, total }) => onProgress(total ? loaded / total : 0),
    });
    return content_uri;
  };
  const common = { body: file.name, filename: file.name, info, "m.mentions": {} };
  const content = {
    msgtype: isPicture ? MsgType.Image : MsgType.File,
    ...common,
    ...(room.hasEncryptionStateEvent()
      ? { file: await encryptedFile(file, upload) }
      : { url: await upload(file, file.type || "application/octet-stream", file.name) }),
  };
  await client.sendMessage(room.roomId, content as RoomMessageEventContent);
}

async function encryptedFile(file: File, upload: (blob: Blob, type: string) => Promise<string>) {
  const { ciphertext, secrets } = await encryptFile(await file.arrayBuffer());
  return { ...secrets, url: await upload(new Blob([ciphertext]), "application/octet-stream") };
}

/** Told in the event so that its place is kept before the picture is there. */
async function dimensions(file: File): Promise<{ w?: number; h?: number }> {
  try {
    const bitmap = await createImageBitmap(file);
    const { width: w, height: h } = bitmap;
    bitmap.close();
    return { w, h };
  } catch {
    // Nothing the browser can show, such as an SVG without a size.
    return {};
  }
}
