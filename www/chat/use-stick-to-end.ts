import type { RefObject } from "preact";
import { useCallback, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** This near to the end counts as there, in pixels. */
const NEAR = 48;

/**
 * Keeps a scroller at its end while it is there, and where it is when something is put in before
 * `firstKey`. Tells whether it is at the end, and how to get there.
 */
export function useStickToEnd(
  scroller: RefObject<HTMLElement | null>,
  firstKey: string | undefined,
  lastKey: string | undefined,
): [boolean, () => void] {
  const [atEnd, setAtEnd] = useState(true);
  const stuck = useRef(true);
  const before = useRef({ height: 0, firstKey });

  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element) element.scrollTop = element.scrollHeight;
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current!;
    const prepended = before.current.firstKey !== firstKey && before.current.height > 0;
    if (stuck.current) toEnd();
    else if (prepended) element.scrollTop += element.scrollHeight - before.current.height;
    before.current = { height: element.scrollHeight, firstKey };
  }, [firstKey, lastKey]);

  useEffect(() => {
    const element = scroller.current!;
    const onScroll = () => {
      stuck.current = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR;
      setAtEnd(stuck.current);
    };
    // Also when a keyboard comes up, a reaction is added, or a picture without a size arrives.
    const resized = new ResizeObserver(() => {
      if (stuck.current) toEnd();
      before.current.height = element.scrollHeight;
    });
    element.addEventListener("scroll", onScroll, { passive: true });
    resized.observe(element);
    for (const child of element.children) resized.observe(child);
    return () => {
      element.removeEventListener("scroll", onScroll);
      resized.disconnect();
    };
  }, []);

  return [atEnd, toEnd];
}
