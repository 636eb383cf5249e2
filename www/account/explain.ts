// The homeserver's errors in words for people. spec: client-server §Standard error response

import { MatrixError } from "matrix-js-sdk";

const SAYINGS: Record<string, string> = {
  M_USER_IN_USE: "Somebody has that name already. Choose another, or sign in.",
  M_INVALID_USERNAME: "A name has only lower-case letters, digits and . _ = - / in it.",
  M_EXCLUSIVE: "That name is kept for an application.",
  M_WEAK_PASSWORD: "That password is too easy to guess.",
  M_USER_DEACTIVATED: "That account was closed.",
  M_LIMIT_EXCEEDED: "That was too often. Wait a moment and try again.",
  M_TOO_LARGE: "That is too large for this homeserver.",
  M_UNRECOGNIZED: "This homeserver can't do that.",
};

/** For `useTask`. */
export function explain(cause: unknown): string {
  if (cause instanceof MatrixError) {
    const saying = cause.errcode && SAYINGS[cause.errcode];
    return saying || (typeof cause.data.error === "string" && cause.data.error) || cause.message;
  }
  return cause instanceof Error ? cause.message : String(cause);
}

/** The same for signing in, where "forbidden" means one thing. */
export function explainSignIn(cause: unknown): string {
  const forbidden = cause instanceof MatrixError && cause.errcode === "M_FORBIDDEN";
  return forbidden ? "The name or the password is wrong." : explain(cause);
}
