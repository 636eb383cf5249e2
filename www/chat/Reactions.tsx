import type { MatrixClient, MatrixEvent, Room } from "matrix-js-sdk";

import { reactions, toggleReaction } from "./send.js";

interface Properties {
  client: MatrixClient;
  room: Room;
  event: MatrixEvent;
  /** Whether Tab comes by here. */
  tabStop: boolean;
}

/** The reactions to a message; pressing one joins in or takes it back. */
export function Reactions({ client, room, event, tabStop }: Properties) {
  const all = reactions(room, event);
  if (all.length === 0) return null;
  return (
    <div class="reactions" role="group" aria-label="Reactions">
      {all.map(({ key, events }) => {
        const mine = events.some((reaction) => reaction.getSender() === client.getUserId());
        const who = events.map((reaction) => reaction.sender?.name ?? reaction.getSender()).join(", ");
        return (
          <button
            type="button"
            key={key}
            class="reaction"
            tabIndex={tabStop ? 0 : -1}
            aria-pressed={mine}
            aria-label={`${key}, ${events.length}: ${who}`}
            title={who}
            onClick={() => void toggleReaction(client, room, event, key).catch(console.error)}
          >
            <span class="emoji">{key}</span> {events.length}
          </button>
        );
      })}
    </div>
  );
}
