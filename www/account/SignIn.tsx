import { useId, useRef, useState } from "preact/hooks";

import { Avatar } from "../ui/Avatar.js";
import { useTask } from "../ui/hooks.js";
import { type Account, accountKey } from "./accounts.js";
import { signIn, signUp } from "./auth.js";
import { explainSignIn } from "./explain.js";

interface Properties {
  serverName: string;
  /** Accounts of this browser that no other pane or tab uses. */
  known: Account[];
  /** Why somebody who was signed in is here. */
  notice: string | undefined;
  onContinue: (account: Account) => void;
  onSignedIn: (account: Account) => void;
}

/** Sign up, sign in, or go on as somebody who did before. */
export function SignIn({ serverName, known, notice, onContinue, onSignedIn }: Properties) {
  const [mode, setMode] = useState<"up" | "in">("up");
  const username = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const [failed, setFailed] = useState(false);
  const task = useTask(explainSignIn);
  const id = useId();
  const verb = mode === "up" ? "Sign up" : "Sign in";

  const submit = (event: Event) => {
    event.preventDefault();
    setFailed(true);
    void task.run(async () => {
      const attempt = mode === "up" ? signUp : signIn;
      onSignedIn(await attempt(username.current!.value.trim(), password.current!.value));
    });
  };
  const turn = () => {
    setMode(mode === "up" ? "in" : "up");
    setFailed(false);
    username.current?.focus();
  };

  return (
    <div class="sign-in">
      <form class="sign-in-card" onSubmit={submit}>
        <h2>{mode === "up" ? "Create an account" : "Welcome back"}</h2>
        <p class="quiet">
          on <strong>{serverName}</strong>, a Matrix homeserver in this browser. What you write stays on this device.
        </p>
        {notice && (
          <p class="notice" role="status">
            {notice}
          </p>
        )}
        <label for={`${id}-name`}>Username</label>
        <input
          id={`${id}-name`}
          ref={username}
          class="field"
          required
          autocomplete="username"
          autocapitalize="none"
          spellcheck={false}
          aria-describedby={`${id}-error`}
        />
        <label for={`${id}-password`}>Password</label>
        <input
          id={`${id}-password`}
          ref={password}
          class="field"
          type="password"
          required
          autocomplete={mode === "up" ? "new-password" : "current-password"}
          aria-describedby={`${id}-error`}
        />
        <p id={`${id}-error`} class="error" role="alert">
          {failed && task.error}
        </p>
        <button class="button primary wide" disabled={task.busy}>
          {task.busy ? "One moment…" : verb}
        </button>
        <p class="quiet centre">
          {mode === "up" ? "Have an account? " : "New here? "}
          <button type="button" class="link" onClick={turn}>
            {mode === "up" ? "Sign in instead" : "Sign up instead"}
          </button>
        </p>
      </form>
      {known.length > 0 && (
        <section class="sign-in-card" aria-label="Signed in on this device">
          <ul class="plain">
            {known.map((account) => (
              <li key={accountKey(account)}>
                <button type="button" class="person" onClick={() => onContinue(account)}>
                  <Avatar id={account.userId} name={account.userId} />
                  <span class="person-text">
                    <strong>Continue as {localpart(account.userId)}</strong>
                    <span class="quiet">{account.userId}</span>
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

const localpart = (userId: string): string => userId.slice(1).split(":", 1)[0]!;
