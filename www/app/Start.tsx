import type { Homeserver } from "neurite";
import { useEffect, useState } from "preact/hooks";

import { eraseEverything } from "../server/erase.js";
import { startHomeserver } from "../server/reach.js";
import { App } from "./App.js";
import { Mark } from "./Mark.js";

type State =
  | { kind: "starting" }
  | { kind: "started"; homeserver: Homeserver }
  | { kind: "erasing"; homeserver: Homeserver }
  | { kind: "failed"; reason: string };

/** Starts the homeserver, then shows the app. */
export function Start() {
  const [state, setState] = useState<State>({ kind: "starting" });
  useEffect(() => {
    startHomeserver().then(
      (homeserver) => {
        homeserver.addEventListener("close", ({ reason }) =>
          setState((now) => (now.kind === "erasing" ? now : { kind: "failed", reason: reason.message })),
        );
        setState({ kind: "started", homeserver });
      },
      (cause: unknown) => {
        console.error(cause);
        setState({ kind: "failed", reason: cause instanceof Error ? cause.message : String(cause) });
      },
    );
  }, []);
  useEffect(() => {
    // The app, and with it its clients, has ended by now.
    if (state.kind !== "erasing") return;
    eraseEverything(state.homeserver).catch((cause: unknown) => setState({ kind: "failed", reason: String(cause) }));
  }, [state.kind]);
  if (state.kind === "started") {
    const { homeserver } = state;
    return <App homeserver={homeserver} onErase={() => setState({ kind: "erasing", homeserver })} />;
  }
  return (
    <main class="splash" aria-busy={state.kind !== "failed"}>
      <Mark />
      <h1>Neurite</h1>
      {state.kind !== "failed" ? (
        <p role="status">{state.kind === "starting" ? "The homeserver is starting…" : "Erasing everything…"}</p>
      ) : (
        <div role="alert">
          <p>The homeserver does not run.</p>
          <p class="quiet">{state.reason}</p>
          <button type="button" class="button primary" onClick={() => location.reload()}>
            Try again
          </button>
        </div>
      )}
    </main>
  );
}
