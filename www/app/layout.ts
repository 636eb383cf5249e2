import { useCallback, useEffect, useState } from "preact/hooks";

import type { Seat } from "../account/seats.js";
import { read, write } from "../ui/settings.js";

export interface Layout {
  /** Whether there is a second pane. */
  second: boolean;
  /** Whether the look into the homeserver is open. */
  server: boolean;
  /** The pane shown where there is room for one. */
  front: Seat;
}

const KEY = "neurite-demo:layout";

/** What is open on the page, kept for the next time. */
export function useLayout(): [Layout, (change: Partial<Layout>) => void] {
  const [layout, setLayout] = useState<Layout>(() => ({
    second: false,
    server: matchMedia("(min-width: 1100px)").matches,
    front: "first",
    ...read<Partial<Layout>>(KEY),
  }));
  useEffect(() => write(KEY, layout), [layout]);
  const change = useCallback((part: Partial<Layout>) => setLayout((now) => ({ ...now, ...part })), []);
  return [layout, change];
}
