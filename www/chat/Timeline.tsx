import {
  type MatrixClient,
  type MatrixEvent,
  MatrixEventEvent,
  type Room,
  RoomEvent,
  RoomMemberEvent,
  RoomStateEvent,
} from "matrix-js-sdk";
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import { day } from "../ui/format.js";
import { Confirm } from "../ui/Dialog.js";
import { useClientEvents } from "../ui/hooks.js";
import { Down } from "../ui/icons.js";
import { moveFocus } from "../ui/list-keys.js";
import { type Item, timelineItems } from "./items.js";
import { MessageView } from "./MessageView.js";
import type { Target } from "./send.js";
import { useHistory } from "./use-history.js";
import { useReadReceipt } from "./use-read-receipt.js";
import { useStickToEnd } from "./use-stick-to-end.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  scroller: RefObject<HTMLDivElement | null>;
  onTarget: (target: Target) => void;
  /** Back to the composer. */
  onEscape: () => void;
}

const EVENTS = [
  RoomEvent.Timeline,
  RoomEvent.TimelineReset,
  RoomEvent.LocalEchoUpdated,
  RoomEvent.Receipt,
  RoomEvent.Redaction,
  RoomEvent.RedactionCancelled,
  RoomMemberEvent.Name,
  RoomStateEvent.Members,
  MatrixEventEvent.Decrypted,
  MatrixEventEvent.Replaced,
] as const;

export function Timeline({ client, room, scroller, onTarget, onEscape }: Properties) {
  useClientEvents(client, EVENTS);
  const items = timelineItems(room);
  const lastKey = items.at(-1)?.key;
  const [atEnd, toEnd] = useStickToEnd(scroller, items[0]?.key, lastKey);
  const history = useHistory(client, room, scroller);
  useReadReceipt(client, room, atEnd);
  const [stop, setStop] = useState<string>();
  const [deleting, setDeleting] = useState<MatrixEvent>();
  const list = useRef<HTMLDivElement>(null);
  useEffect(() => setStop(undefined), [lastKey]);
  const tabStop = stop ?? items.findLast((item) => item.kind === "message")?.key;

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return onEscape();
    const onMessage = event.target instanceof HTMLElement && event.target.matches(".message");
    if (onMessage && list.current) moveFocus(event, list.current, ".message", "column");
  };
  const onAnswer = (yes: boolean) => {
    setDeleting(undefined);
    if (yes && deleting) void client.redactEvent(room.roomId, deleting.getId()!).catch(console.error);
  };
  const draw = (item: Item) => {
    switch (item.kind) {
      case "day":
        return (
          <p key={item.key} class="day">
            <span>{day(item.timestamp)}</span>
          </p>
        );
      case "happening":
        return (
          <p key={item.key} class="happening">
            {item.text}
          </p>
        );
      case "message":
        return (
          <div key={item.key} class="message-place" onFocusCapture={() => setStop(item.key)}>
            <MessageView
              client={client}
              room={room}
              event={item.event}
              first={item.first}
              readers={item.readers}
              tabStop={item.key === tabStop}
              onTarget={onTarget}
              onDelete={setDeleting}
            />
          </div>
        );
    }
  };

  return (
    <div class="timeline-frame">
      {/* Safari and Firefox give scrollers a tab stop of their own, which the messages make needless. */}
      <div ref={scroller} class="timeline" tabIndex={-1}>
        <p class="history quiet" role="status">
          {history === "loading" && "Loading earlier messages…"}
          {history === "failed" && "Earlier messages could not be loaded."}
        </p>
        <div
          ref={list}
          class="timeline-list"
          role="log"
          aria-label="Messages"
          aria-live="polite"
          aria-relevant="additions"
          aria-busy={history === "loading"}
          onKeyDown={onKeyDown}
        >
          {items.map(draw)}
        </div>
      </div>
      {!atEnd && (
        <button type="button" class="to-end" aria-label="To the newest message" onClick={toEnd}>
          <Down />
        </button>
      )}
      {deleting && (
        <Confirm title="Delete message?" text="It is deleted for everybody in the room." yes="Delete" onAnswer={onAnswer} />
      )}
    </div>
  );
}
