import { useEffect, useState } from "preact/hooks";

/** Whether the browser may delete all this when it runs out of room, and the wish that it does not. */
export function Persistence() {
  const [state, setState] = useState<"unknown" | "evictable" | "refused" | "kept">("unknown");
  useEffect(() => {
    navigator.storage?.persisted?.().then((kept) => setState(kept ? "kept" : "evictable"), console.warn);
  }, []);
  const ask = async () => setState((await navigator.storage.persist()) ? "kept" : "refused");
  switch (state) {
    case "unknown":
      return null;
    case "kept":
      return <>Kept until you erase it</>;
    case "refused":
      return <span role="status">While there is room; the browser grants more to sites used often</span>;
    case "evictable":
      return (
        <>
          While there is room.{" "}
          <button type="button" class="link" onClick={() => void ask()}>
            Keep it
          </button>
        </>
      );
  }
}
