import type { MatrixClient, MatrixEvent, Room } from "matrix-js-sdk";
import { useRef, useState } from "preact/hooks";

import { Delete, Edit, React, Reply } from "../ui/icons.js";
import { moveFocus } from "../ui/list-keys.js";
import { canEdit } from "./items.js";
import { type Target, toggleReaction } from "./send.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  event: MatrixEvent;
  onTarget: (target: Target) => void;
  onDelete: (event: MatrixEvent) => void;
}

const CHOICES = [
  ["👍", "Thumbs up"],
  ["❤️", "Heart"],
  ["😂", "Laughing"],
  ["🎉", "Party"],
  ["😮", "Surprised"],
  ["😢", "Sad"],
] as const;

/** What can be done with a message: shown while it has the focus or the pointer. */
export function MessageActions({ client, room, event, onTarget, onDelete }: Properties) {
  const [choosing, setChoosing] = useState(false);
  const bar = useRef<HTMLDivElement>(null);
  const react = useRef<HTMLButtonElement>(null);
  const mine = event.getSender() === client.getUserId();

  const onKeyDown = (pressed: KeyboardEvent) => {
    if (bar.current && moveFocus(pressed, bar.current, "button", "row")) pressed.stopPropagation();
    if (pressed.key === "Escape" && choosing) {
      pressed.stopPropagation();
      setChoosing(false);
      react.current?.focus();
    }
  };
  const choose = (key: string) => {
    setChoosing(false);
    void toggleReaction(client, room, event, key).catch(console.error);
  };

  return (
    <div ref={bar} class={choosing ? "actions choosing" : "actions"} role="toolbar" aria-label="Message actions" onKeyDown={onKeyDown}>
      {choosing ? (
        CHOICES.map(([key, name], index) => (
          <button
            type="button"
            key={key}
            class="icon-button emoji"
            aria-label={name}
            title={name}
            ref={(button) => {
              if (index === 0 && button && !button.parentElement?.contains(document.activeElement)) button.focus();
            }}
            onClick={() => choose(key)}
          >
            {key}
          </button>
        ))
      ) : (
        <>
          <button ref={react} type="button" class="icon-button" aria-label="React" title="React" onClick={() => setChoosing(true)}>
            <React />
          </button>
          <button
            type="button"
            class="icon-button"
            aria-label="Reply"
            title="Reply"
            onClick={() => onTarget({ kind: "reply", event })}
          >
            <Reply />
          </button>
          {canEdit(event, client.getSafeUserId()) && (
            <button
              type="button"
              class="icon-button"
              aria-label="Edit"
              title="Edit"
              onClick={() => onTarget({ kind: "edit", event })}
            >
              <Edit />
            </button>
          )}
          {mine && (
            <button type="button" class="icon-button" aria-label="Delete" title="Delete" onClick={() => onDelete(event)}>
              <Delete />
            </button>
          )}
        </>
      )}
    </div>
  );
}
