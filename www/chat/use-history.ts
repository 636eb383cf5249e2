import { Direction, type MatrixClient, type Room } from "matrix-js-sdk";
import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Begin to load this far from the beginning, in pixels. */
const AHEAD = 400;
const AT_A_TIME = 40;

/** Loads earlier messages as their place comes near. spec: client-server §GET /rooms/{roomId}/messages */
export function useHistory(
  client: MatrixClient,
  room: Room,
  scroller: RefObject<HTMLElement | null>,
): "idle" | "loading" | "failed" {
  const [state, setState] = useState<"idle" | "loading" | "failed">("idle");
  const loading = useRef(false);
  useEffect(() => {
    const element = scroller.current!;
    const load = async () => {
      const more = room.getLiveTimeline().getPaginationToken(Direction.Backward) !== null;
      if (loading.current || !more || element.scrollTop > AHEAD) return;
      loading.current = true;
      setState("loading");
      try {
        await client.scrollback(room, AT_A_TIME);
        setState("idle");
      } catch (cause) {
        console.error(cause);
        setState("failed");
      } finally {
        loading.current = false;
      }
    };
    const onScroll = () => void load();
    element.addEventListener("scroll", onScroll, { passive: true });
    // A room opened with less than a screenful.
    void load();
    return () => element.removeEventListener("scroll", onScroll);
  }, [client, room]);
  return state;
}
