import type { Homeserver, Status } from "neurite";
import { useEffect, useState } from "preact/hooks";

/** How often to look, in milliseconds. */
const EVERY = 1000;

/** The homeserver's status, looked at again and again while it can be seen. */
export function useStatus(homeserver: Homeserver): Status | undefined {
  const [status, setStatus] = useState<Status>();
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout>;
    let gone = false;
    const look = async () => {
      if (document.visibilityState === "visible") {
        // What was last seen stays while the homeserver moves to another tab.
        await homeserver.status().then((found) => gone || setStatus(found), () => undefined);
      }
      if (!gone) timer = setTimeout(() => void look(), EVERY);
    };
    void look();
    return () => {
      gone = true;
      clearTimeout(timer);
    };
  }, [homeserver]);
  return status;
}
