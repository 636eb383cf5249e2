import type { EmittedEvents, MatrixClient } from "matrix-js-sdk";
import { useCallback, useEffect, useReducer, useRef, useState } from "preact/hooks";

/** Draws the component again whenever the client emits one of `events`. The list must not change. */
export function useClientEvents(client: MatrixClient, events: readonly EmittedEvents[]): void {
  const [, draw] = useReducer((version: number) => version + 1, 0);
  useEffect(() => {
    const listener = () => draw(undefined);
    for (const event of events) client.on(event, listener);
    return () => {
      for (const event of events) client.off(event, listener);
    };
  }, [client]);
}

export interface Task {
  busy: boolean;
  error: string | undefined;
  run: (work: () => Promise<void>) => Promise<void>;
}

/** Something that takes a while and may fail: one at a time, `explain` puts a failure into words for its user. */
export function useTask(explain: (cause: unknown) => string): Task {
  const [state, setState] = useState<{ busy: boolean; error: string | undefined }>({ busy: false, error: undefined });
  const busy = useRef(false);
  const run = useCallback(async (work: () => Promise<void>) => {
    if (busy.current) return;
    busy.current = true;
    setState({ busy: true, error: undefined });
    try {
      await work();
      setState({ busy: false, error: undefined });
    } catch (cause) {
      setState({ busy: false, error: explain(cause) });
    } finally {
      busy.current = false;
    }
  }, []);
  return { ...state, run };
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const listener = () => setMatches(list.matches);
    list.addEventListener("change", listener);
    return () => list.removeEventListener("change", listener);
  }, [query]);
  return matches;
}

/** Whether the browser believes it has a network. The homeserver needs none. */
export function useOnline(): boolean {
  const [online, setOnline] = useState(navigator.onLine);
  useEffect(() => {
    const listener = () => setOnline(navigator.onLine);
    addEventListener("online", listener);
    addEventListener("offline", listener);
    return () => {
      removeEventListener("online", listener);
      removeEventListener("offline", listener);
    };
  }, []);
  return online;
}
