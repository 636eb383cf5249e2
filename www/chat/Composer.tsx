import type { MatrixClient, Room } from "matrix-js-sdk";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { explain } from "../account/explain.js";
import { summary } from "../rooms/overview.js";
import { useTask } from "../ui/hooks.js";
import { Close, Picture, Send } from "../ui/icons.js";
import { lastEditable } from "./items.js";
import { sendFile, sendText, type Target } from "./send.js";
import { TypingNotice } from "./typing-notice.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  target: Target;
  onTarget: (target: Target) => void;
  /** Something was sent: its writer wants to see it. */
  onSent: () => void;
}

/** Unsent text by room, while the page lives. */
const drafts = new Map<string, string>();

export function Composer({ client, room, target, onTarget, onSent }: Properties) {
  const draftKey = `${room.myUserId} ${room.roomId}`;
  const [text, setText] = useState(() => drafts.get(draftKey) ?? "");
  const [progress, setProgress] = useState<number>();
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const upload = useTask(explain);
  const typing = useMemo(() => new TypingNotice(client, room.roomId), [client, room]);
  const hint = useId();

  useEffect(() => () => typing.stopped(), [typing]);
  useEffect(() => {
    if (target?.kind === "edit") setText(String(target.event.getContent().body ?? ""));
    if (target) field.current?.focus();
  }, [target]);
  useEffect(() => {
    if (target?.kind !== "edit") drafts.set(draftKey, text);
  }, [text]);
  useLayoutEffect(() => grow(field.current), [text]);

  const leaveTarget = () => {
    if (target?.kind === "edit") setText(drafts.get(draftKey) ?? "");
    onTarget(undefined);
    field.current?.focus();
  };
  const send = () => {
    const body = text.trim();
    if (!body) return;
    // Whether it arrives shows at the message itself.
    sendText(client, room, body, target).catch(console.error);
    setText(target?.kind === "edit" ? (drafts.get(draftKey) ?? "") : "");
    typing.stopped();
    onTarget(undefined);
    onSent();
  };
  const attach = (files: Iterable<File>) =>
    void upload.run(async () => {
      try {
        for (const file of files) {
          setProgress(0);
          await sendFile(client, room, file, setProgress);
          onSent();
        }
      } finally {
        setProgress(undefined);
      }
    });

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      send();
    } else if (event.key === "Escape" && target) {
      event.preventDefault();
      leaveTarget();
    } else if (event.key === "ArrowUp" && text === "") {
      const editable = lastEditable(room);
      if (!editable) return;
      event.preventDefault();
      onTarget({ kind: "edit", event: editable });
    }
  };

  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      {target && (
        <div class="composer-target">
          <span class="ellipsis">
            <strong>{target.kind === "edit" ? "Editing" : `Replying to ${target.event.sender?.name ?? ""}`}</strong>{" "}
            {summary(target.event)}
          </span>
          <button
            type="button"
            class="icon-button small"
            aria-label={target.kind === "edit" ? "Stop editing" : "Don’t reply"}
            onClick={leaveTarget}
          >
            <Close />
          </button>
        </div>
      )}
      <div role="status" class="composer-status">
        {progress !== undefined && (
          <>
            Sending file… <progress max={1} value={progress} aria-label="Upload" />
          </>
        )}
        {upload.error && <span class="error">The file was not sent: {upload.error}</span>}
      </div>
      <div class="composer-row">
        <button
          type="button"
          class="icon-button"
          aria-label="Send a picture or file"
          title="Send a picture or file"
          disabled={upload.busy}
          onClick={() => picker.current?.click()}
        >
          <Picture />
        </button>
        <input
          ref={picker}
          type="file"
          class="hidden"
          tabIndex={-1}
          aria-label="Picture or file"
          multiple
          onChange={() => {
            attach([...(picker.current?.files ?? [])]);
            picker.current!.value = "";
          }}
        />
        <textarea
          ref={field}
          rows={1}
          value={text}
          aria-label={target?.kind === "edit" ? "Edit message" : "Message"}
          aria-describedby={hint}
          placeholder={room.hasEncryptionStateEvent() ? "Encrypted message" : "Message"}
          enterkeyhint="send"
          onInput={(event) => {
            setText(event.currentTarget.value);
            typing.typed(event.currentTarget.value === "");
          }}
          onBlur={() => typing.stopped()}
          onKeyDown={onKeyDown}
          onPaste={(event) => {
            const files = event.clipboardData?.files;
            if (!files?.length) return;
            event.preventDefault();
            attach([...files]);
          }}
        />
        <button class="icon-button send" aria-label={target?.kind === "edit" ? "Save" : "Send"} disabled={text.trim() === ""}>
          <Send />
        </button>
        <span id={hint} class="hidden">
          Enter sends, Shift and Enter begins a line, the up arrow in an empty field edits your last message.
        </span>
      </div>
    </form>
  );
}

/** As high as its text, up to what the style allows. */
function grow(field: HTMLTextAreaElement | null): void {
  if (!field) return;
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight}px`;
}
