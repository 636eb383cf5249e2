import { type MatrixClient, type Room, RoomEvent, RoomStateEvent } from "matrix-js-sdk";
import { useEffect, useRef, useState } from "preact/hooks";

import { RoomDetails } from "../rooms/RoomDetails.js";
import { Avatar } from "../ui/Avatar.js";
import { useClientEvents } from "../ui/hooks.js";
import { Back, Invite, Lock } from "../ui/icons.js";
import { Composer } from "./Composer.js";
import type { Target } from "./send.js";
import { Timeline } from "./Timeline.js";
import { Typing } from "./Typing.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  onClose: () => void;
}

const EVENTS = [RoomEvent.Name, RoomStateEvent.Members, RoomStateEvent.Events] as const;

export function RoomView({ client, room, onClose }: Properties) {
  useClientEvents(client, EVENTS);
  const [target, setTarget] = useState<Target>();
  const [details, setDetails] = useState(false);
  const view = useRef<HTMLDivElement>(null);
  const scroller = useRef<HTMLDivElement>(null);
  const people = room.getJoinedMemberCount();
  const focusComposer = () => view.current?.querySelector("textarea")?.focus();

  useEffect(() => {
    // Not where that brings up a keyboard, and not away from the other pane.
    const pane = view.current?.closest(".pane");
    const focused = document.activeElement;
    const free = focused === document.body || pane?.contains(focused);
    if (free && !matchMedia("(pointer: coarse)").matches) focusComposer();
  }, []);

  return (
    <div ref={view} class="room-view" role="group" aria-label={room.name}>
      <header class="room-head">
        <button type="button" class="icon-button back" aria-label="Back to rooms" onClick={onClose}>
          <Back />
        </button>
        <Avatar id={room.roomId} name={room.name} size={34} />
        <div class="person-text">
          <h2 class="ellipsis">{room.name}</h2>
          <span class="quiet room-facts">
            {people === 1 ? "Only you" : `${people} people`}
            <span class="you ellipsis">you are {client.getUserIdLocalpart()}</span>
            {room.hasEncryptionStateEvent() && (
              <span class="encrypted">
                <Lock /> Encrypted
              </span>
            )}
          </span>
        </div>
        <button
          type="button"
          class="icon-button"
          aria-label="People and invitations"
          title="People and invitations"
          onClick={() => setDetails(true)}
        >
          <Invite />
        </button>
      </header>
      <Timeline client={client} room={room} scroller={scroller} onTarget={setTarget} onEscape={focusComposer} />
      <Typing client={client} room={room} />
      <Composer
        client={client}
        room={room}
        target={target}
        onTarget={setTarget}
        onSent={() => {
          if (scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
        }}
      />
      {details && (
        <RoomDetails
          client={client}
          room={room}
          onClose={() => setDetails(false)}
          onLeft={() => {
            setDetails(false);
            onClose();
          }}
        />
      )}
    </div>
  );
}
