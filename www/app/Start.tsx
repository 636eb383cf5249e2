import type { Homeserver } from "neurite";
import { useEffect, useState } from "preact/hooks";

import { startHomeserver } from "../server/reach.js";
import { App } from "./App.js";
import { Mark } from "./Mark.js";

type State = { kind: "starting" } | { kind: "started"; homeserver: Homeserver } | { kind: "failed"; reason: string };

/** Starts the homeserver, then shows the app. */
export function Start() {
  const [state, setState] = useState<State>({ kind: "starting" });
  useEffect(() => {
    startHomeserver().then(
      (homeserver) => {
        homeserver.addEventListener("close", ({ reason }) => setState({ kind: "failed", reason: reason.message }));
        setState({ kind: "started", homeserver });
      },
      (cause: unknown) => {
        console.error(cause);
        setState({ kind: "failed", reason: cause instanceof Error ? cause.message : String(cause) });
      },
    );
  }, []);
  if (state.kind === "started") return <App homeserver={state.homeserver} />;
  return (
    <main class="splash" aria-busy={state.kind === "starting"}>
      <Mark />
      <h1>Neurite</h1>
      {state.kind === "starting" ? (
        <p role="status">The homeserver is starting…</p>
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
