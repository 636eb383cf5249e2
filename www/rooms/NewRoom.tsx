import { EventType, type MatrixClient, Preset, Visibility } from "matrix-js-sdk";
import { useId, useRef } from "preact/hooks";

import { explain } from "../account/explain.js";
import { Dialog } from "../ui/Dialog.js";
import { useTask } from "../ui/hooks.js";
import { PeopleField, toUserId } from "./PeopleField.js";

interface Properties {
  client: MatrixClient;
  onClose: () => void;
  onCreated: (roomId: string) => void;
}

export function NewRoom({ client, onClose, onCreated }: Properties) {
  const id = useId();
  const name = useRef<HTMLInputElement>(null);
  const invitee = useRef<HTMLInputElement>(null);
  const encrypted = useRef<HTMLInputElement>(null);
  const task = useTask(explain);
  const create = async () => {
    const { room_id } = await client.createRoom({
      name: name.current!.value.trim(),
      preset: Preset.PrivateChat,
      visibility: Visibility.Private,
      invite: invitee.current!.value.trim() ? [toUserId(client, invitee.current!.value)] : [],
      initial_state: encrypted.current!.checked
        ? [{ type: EventType.RoomEncryption, state_key: "", content: { algorithm: "m.megolm.v1.aes-sha2" } }]
        : [],
    });
    onCreated(room_id);
  };
  return (
    <Dialog title="New room" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void task.run(create);
        }}
      >
        <label for={`${id}-name`}>Name</label>
        <input id={`${id}-name`} ref={name} class="field" required maxLength={100} autocomplete="off" autofocus />
        <label for={`${id}-invite`}>
          Invite <span class="quiet">(optional)</span>
        </label>
        <PeopleField id={`${id}-invite`} client={client} field={invitee} />
        <label class="switch">
          <input ref={encrypted} type="checkbox" role="switch" aria-label="End-to-end encrypted" aria-describedby={`${id}-encrypted`} />
          <span>
            <strong>End-to-end encrypted</strong>
            <span id={`${id}-encrypted`} class="quiet">Only the people in the room can read it. This can't be turned off later.</span>
          </span>
        </label>
        <p class="error" role="alert">
          {task.error}
        </p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button class="button primary" disabled={task.busy}>
            Create room
          </button>
        </div>
      </form>
    </Dialog>
  );
}
