import type { MatrixClient, Room } from "matrix-js-sdk";
import { useEffect, useState } from "preact/hooks";

/** Says that the newest event was read once it was on the screen. spec: client-server §Receipts */
export function useReadReceipt(client: MatrixClient, room: Room, atEnd: boolean): void {
  const visible = usePageVisible();
  const last = room.getLiveTimeline().getEvents().findLast((event) => event.status === null);
  const eventId = last?.getId();
  useEffect(() => {
    if (!visible || !atEnd || !last || !eventId) return;
    const read = room.getEventReadUpTo(room.myUserId, true) === eventId;
    if (!read) client.sendReadReceipt(last).catch((error) => console.error("The read receipt was not sent.", error));
  }, [client, room, visible, atEnd, eventId]);
}

function usePageVisible(): boolean {
  const [visible, setVisible] = useState(document.visibilityState === "visible");
  useEffect(() => {
    const listener = () => setVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", listener);
    return () => document.removeEventListener("visibilitychange", listener);
  }, []);
  return visible;
}
