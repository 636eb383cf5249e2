import { ClientEvent, type MatrixClient, RoomEvent } from "matrix-js-sdk";
import { useEffect } from "preact/hooks";

import { news } from "../rooms/overview.js";
import { useClientEvents } from "../ui/hooks.js";

const EVENTS = [ClientEvent.Sync, RoomEvent.Receipt, RoomEvent.MyMembership] as const;

/** Tells in the tab's title how much is new to the account in front. */
export function Title({ client }: { client: MatrixClient }) {
  useClientEvents(client, EVENTS);
  const count = news(client);
  useEffect(() => {
    document.title = count > 0 ? `(${count}) Neurite` : "Neurite";
    return () => {
      document.title = "Neurite";
    };
  }, [count]);
  return null;
}
