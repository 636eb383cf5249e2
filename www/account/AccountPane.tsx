import type { MatrixClient } from "matrix-js-sdk";
import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { Home } from "../rooms/Home.js";
import { type Account, accountKey, claim, type Claim, forgetAccount, keepAccount } from "./accounts.js";
import { connect, disconnect, SignedOutError, signOut } from "./connect.js";
import { explain } from "./explain.js";
import { freeAccounts, resume, type Seat, sit } from "./seats.js";
import { SignIn } from "./SignIn.js";

type Stage =
  | { kind: "opening" }
  | { kind: "signed out"; known: Account[]; notice?: string }
  | { kind: "signed in"; client: MatrixClient; claim: Claim }
  | { kind: "failed"; message: string; claim: Claim };

interface Properties {
  seat: Seat;
  label: string;
  serverName: string;
  /** Opens the pane beside this one, when it is not open. */
  onInviteSecond: (() => void) | undefined;
  /** Who sits here, for the pane's tab on phones. */
  onClient: (seat: Seat, client: MatrixClient | undefined) => void;
}

/** One account's half of the page: whoever signs in here is a client of its own. */
export function AccountPane({ seat, label, serverName, onInviteSecond, onClient }: Properties) {
  const [stage, setStage] = useState<Stage>({ kind: "opening" });
  const held = useRef<{ client?: MatrixClient; claim?: Claim }>({});
  const gone = useRef(false);

  const showSignIn = useCallback(async (notice?: string) => {
    const known = await freeAccounts();
    if (!gone.current) setStage({ kind: "signed out", known, ...(notice !== undefined && { notice }) });
  }, []);

  const leave = useCallback(async (notice?: string) => {
    held.current.claim?.release();
    held.current = {};
    sit(seat, undefined);
    onClient(seat, undefined);
    await showSignIn(notice);
  }, []);

  const signedOut = useCallback(async ({ account }: Claim) => {
    forgetAccount(account);
    await leave("You were signed out.");
  }, []);

  const open = useCallback(async (claim: Claim) => {
    held.current = { claim };
    setStage({ kind: "opening" });
    try {
      const client = await connect(claim.account, () => void signedOut(claim));
      if (gone.current) return void disconnect(client).finally(claim.release);
      held.current = { claim, client };
      sit(seat, claim.account);
      onClient(seat, client);
      setStage({ kind: "signed in", client, claim });
    } catch (cause) {
      if (cause instanceof SignedOutError) return;
      console.error(cause);
      setStage({ kind: "failed", message: explain(cause), claim });
    }
  }, []);

  const take = useCallback(async (account: Account) => {
    const claimed = await claim(account);
    if (claimed) await open(claimed);
    else await showSignIn(`${account.userId} is open in another pane or tab.`);
  }, []);

  useEffect(() => {
    void resume(seat).then((claimed) => (claimed ? open(claimed) : showSignIn()));
    const save = () => {
      if (document.visibilityState === "hidden") void held.current.client?.store.save(true);
    };
    document.addEventListener("visibilitychange", save);
    return () => {
      gone.current = true;
      document.removeEventListener("visibilitychange", save);
      const { client, claim } = held.current;
      onClient(seat, undefined);
      if (client) void disconnect(client).finally(() => claim?.release());
    };
  }, []);

  const end = async ({ client, claim }: { client: MatrixClient; claim: Claim }) => {
    await signOut(client, claim.account);
    forgetAccount(claim.account);
    await leave();
  };

  return (
    <section class="pane" aria-label={label} aria-busy={stage.kind === "opening"}>
      {stage.kind === "opening" && <p class="pane-message quiet">Opening…</p>}
      {stage.kind === "signed out" && (
        <SignIn
          serverName={serverName}
          known={stage.known}
          notice={stage.notice}
          onContinue={(account) => void take(account)}
          onSignedIn={(account) => {
            keepAccount(account);
            void take(account);
          }}
        />
      )}
      {stage.kind === "signed in" && (
        <Home
          key={accountKey(stage.claim.account)}
          client={stage.client}
          onSignOut={() => end(stage)}
          onInviteSecond={onInviteSecond}
        />
      )}
      {stage.kind === "failed" && (
        <div class="pane-message" role="alert">
          <p>This account could not be opened: {stage.message}</p>
          <button type="button" class="button" onClick={() => void open(stage.claim)}>
            Try again
          </button>
        </div>
      )}
    </section>
  );
}
