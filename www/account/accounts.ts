// The accounts signed in to in this browser. A device's crypto store must never be open twice, so
// whoever uses an account holds a lock on it: a second pane or tab then takes another.

import { read, write } from "../ui/settings.js";

export interface Account {
  userId: string;
  deviceId: string;
  accessToken: string;
}

const KEY = "neurite-demo:accounts";

/** Names an account's databases and its lock. */
export const accountKey = ({ userId, deviceId }: Account): string => `neurite-demo:${userId}:${deviceId}`;

/** All, the longest signed in first. */
export const accounts = (): Account[] => read<Account[]>(KEY) ?? [];

export function keepAccount(account: Account): void {
  write(KEY, [...accounts().filter((other) => accountKey(other) !== accountKey(account)), account]);
}

export function forgetAccount(account: Account): void {
  write(KEY, accounts().filter((other) => accountKey(other) !== accountKey(account)));
}

/** A lock on an account, given back by `release` or with the page's end. */
export interface Claim {
  account: Account;
  release: () => void;
}

/** Undefined when another pane or tab has it, after waiting that many milliseconds for it. */
export function claim(account: Account, wait = 0): Promise<Claim | undefined> {
  const options: LockOptions = wait > 0 ? { signal: AbortSignal.timeout(wait) } : { ifAvailable: true };
  return new Promise((resolve) => {
    navigator.locks
      .request(accountKey(account), options, (lock) => {
        if (!lock) return resolve(undefined);
        return new Promise<void>((release) => resolve({ account, release }));
      })
      .catch(() => resolve(undefined));
  });
}
