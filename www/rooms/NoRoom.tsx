import type { MatrixClient } from "matrix-js-sdk";

import { Add, Chat, Columns } from "../ui/icons.js";

interface Properties {
  client: MatrixClient;
  onNewRoom: () => void;
  onInviteSecond: (() => void) | undefined;
}

/** Stands where a room will be, and says what to do first. */
export function NoRoom({ client, onNewRoom, onInviteSecond }: Properties) {
  const none = client.getRooms().length === 0;
  return (
    <div class="empty">
      <span class="empty-mark">
        <Chat />
      </span>
      <h3>{none ? "Nothing here yet" : "No room open"}</h3>
      <p class="quiet">
        {none
          ? "Make a room, then invite somebody: with a second account beside this one you can try both sides at once."
          : "Choose a room, or make another."}
      </p>
      <div class="empty-actions">
        <button type="button" class="button primary" onClick={onNewRoom}>
          <Add /> Create a room
        </button>
        {onInviteSecond && (
          <button type="button" class="button" onClick={onInviteSecond}>
            <Columns /> Open a second account
          </button>
        )}
      </div>
    </div>
  );
}
