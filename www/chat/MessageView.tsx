import { EventStatus, type MatrixClient, type MatrixEvent, type Room } from "matrix-js-sdk";

import { summary } from "../rooms/overview.js";
import { Avatar } from "../ui/Avatar.js";
import { time } from "../ui/format.js";
import { Check, Clock } from "../ui/icons.js";
import { MessageActions } from "./MessageActions.js";
import { MessageBody } from "./MessageBody.js";
import { Reactions } from "./Reactions.js";
import type { Target } from "./send.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  event: MatrixEvent;
  first: boolean;
  /** The others who have read up to it. */
  readers: string[];
  /** The message that Tab reaches; arrow keys move to the others. */
  tabStop: boolean;
  onTarget: (target: Target) => void;
  onDelete: (event: MatrixEvent) => void;
}

export function MessageView({ client, room, event, first, readers, tabStop, onTarget, onDelete }: Properties) {
  const sender = event.getSender() ?? "";
  const name = event.sender?.name ?? sender;
  const mine = sender === client.getUserId();
  const failed = event.status === EventStatus.NOT_SENT;
  const classes = ["message", mine && "mine", first && "first", event.status !== null && !failed && "sending"];
  return (
    <article
      class={classes.filter(Boolean).join(" ")}
      data-event={event.getId()}
      tabIndex={tabStop ? 0 : -1}
      aria-label={`${mine ? "You" : name}, ${time(event.getTs())}`}
    >
      {!mine && (first ? <Avatar id={sender} name={name} size={30} /> : <span class="avatar-gap" />)}
      <div class="message-main">
        {first && !mine && <span class="sender">{name}</span>}
        <div class="bubble">
          <Quote room={room} event={event} tabStop={tabStop} />
          <MessageBody client={client} event={event} />
          <span class="meta">
            {event.replacingEvent() && !event.isRedacted() && <span>edited</span>}
            <time dateTime={event.getDate()?.toISOString()}>{time(event.getTs())}</time>
            {mine && !failed && <Sent event={event} />}
          </span>
          <ReadBy room={room} event={event} readers={readers} />
        </div>
        {event.status === null && !event.isRedacted() && (
          <MessageActions client={client} room={room} event={event} onTarget={onTarget} onDelete={onDelete} />
        )}
        {failed && <Unsent client={client} room={room} event={event} />}
        <Reactions client={client} room={room} event={event} tabStop={tabStop} />
      </div>
    </article>
  );
}

function Sent({ event }: { event: MatrixEvent }) {
  const sent = event.status === null;
  return (
    <span role="img" aria-label={sent ? "Sent" : "Sending"}>
      {sent ? <Check /> : <Clock />}
    </span>
  );
}

/** The message that this one replies to. */
function Quote({ room, event, tabStop }: { room: Room; event: MatrixEvent; tabStop: boolean }) {
  const eventId = event.isRedacted() ? undefined : event.replyEventId;
  if (!eventId) return null;
  const original = room.findEventById(eventId);
  const show = () => {
    const element = document.querySelector<HTMLElement>(`[data-event="${CSS.escape(eventId)}"]`);
    element?.scrollIntoView({ block: "center" });
    element?.focus();
  };
  return (
    <button
      type="button"
      class="quote"
      title="Show the message this replies to"
      tabIndex={tabStop ? 0 : -1}
      onClick={show}
    >
      <strong class="ellipsis">{original?.sender?.name ?? original?.getSender() ?? "An earlier message"}</strong>
      <span class="ellipsis">{original ? summary(original) : "Not loaded yet"}</span>
    </button>
  );
}

function Unsent({ client, room, event }: { client: MatrixClient; room: Room; event: MatrixEvent }) {
  return (
    <p class="error unsent">
      Not sent.{" "}
      <button type="button" class="link" onClick={() => void client.resendEvent(event, room).catch(console.error)}>
        Try again
      </button>{" "}
      <button type="button" class="link" onClick={() => client.cancelPendingEvent(event)}>
        Discard
      </button>
    </p>
  );
}

function ReadBy({ room, event, readers }: { room: Room; event: MatrixEvent; readers: string[] }) {
  const others = readers.filter((userId) => userId !== event.getSender());
  if (others.length === 0) return null;
  const names = others.map((userId) => room.getMember(userId)?.name ?? userId);
  return (
    <span class="read-by" role="img" aria-label={`Read by ${names.join(", ")}`} title={`Read by ${names.join(", ")}`}>
      {others.slice(0, 5).map((userId, index) => (
        <Avatar key={userId} id={userId} name={names[index]!} size={16} />
      ))}
    </span>
  );
}
