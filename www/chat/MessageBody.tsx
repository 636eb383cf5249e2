import { type MatrixClient, type MatrixEvent, MsgType } from "matrix-js-sdk";
import type { ComponentChildren } from "preact";

import { FileLink, Picture } from "./Picture.js";

/** What a message says. Text is shown as text: this client writes no HTML and trusts none. */
export function MessageBody({ client, event }: { client: MatrixClient; event: MatrixEvent }) {
  if (event.isRedacted()) return <p class="gone">Message deleted</p>;
  if (event.isDecryptionFailure()) return <p class="gone">Not readable on this device: it has not been given the key.</p>;
  if (event.isEncrypted() && !event.getClearContent()) return <p class="gone">Decrypting…</p>;
  const { msgtype, body } = event.getContent();
  switch (msgtype) {
    case MsgType.Image:
      return <Picture client={client} event={event} />;
    case MsgType.File:
    case MsgType.Audio:
    case MsgType.Video:
      return <FileLink client={client} event={event} />;
    case MsgType.Emote:
      return (
        <p class="text">
          <em>
            {event.sender?.name} {linked(String(body))}
          </em>
        </p>
      );
    default:
      return <p class="text">{linked(typeof body === "string" ? body : "A message that this client can't show.")}</p>;
  }
}

/** Web addresses as links. */
function linked(text: string): ComponentChildren {
  return text.split(/(https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]])/).map((part, index) =>
    index % 2 === 1 ? (
      <a key={index} href={part} target="_blank" rel="noreferrer noopener">
        {part}
      </a>
    ) : (
      part
    ),
  );
}
