import type { MatrixClient } from "matrix-js-sdk";
import type { RefObject } from "preact";

import { accounts } from "../account/accounts.js";

interface Properties {
  id: string;
  client: MatrixClient;
  field: RefObject<HTMLInputElement | null>;
  required?: boolean;
}

/** A field for a user id that proposes the other accounts of this browser. */
export function PeopleField({ id, client, field, required = false }: Properties) {
  const people = new Set(accounts().map((account) => account.userId));
  people.delete(client.getSafeUserId());
  return (
    <>
      <input
        id={id}
        ref={field}
        class="field"
        list={`${id}-people`}
        placeholder={`@name:${client.getDomain()}`}
        required={required}
        autocomplete="off"
        autocapitalize="none"
        spellcheck={false}
      />
      <datalist id={`${id}-people`}>
        {[...people].map((userId) => (
          <option key={userId} value={userId} />
        ))}
      </datalist>
    </>
  );
}

/** Takes a bare name for somebody on this homeserver. */
export function toUserId(client: MatrixClient, text: string): string {
  const trimmed = text.trim();
  return trimmed.includes(":") ? trimmed : `@${trimmed.replace(/^@/, "")}:${client.getDomain()}`;
}
