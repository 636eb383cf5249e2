// Who sits in which pane: kept for the next time, and for this tab's reload before that.

import { read, write } from "../ui/settings.js";
import { type Account, accountKey, accounts, claim, type Claim } from "./accounts.js";

export type Seat = "first" | "second";

const key = (seat: Seat): string => `neurite-demo:seat:${seat}`;

/** How long a page that is being reloaded may hold its lock, in milliseconds. */
const HANDOVER = 1500;

/** Notes who sits there; the empty key means nobody does. */
export function sit(seat: Seat, account: Account | undefined): void {
  const value = account ? accountKey(account) : "";
  sessionStorage.setItem(key(seat), value);
  write(key(seat), value);
}

/**
 * Claims the account that sat there in this tab, else the last one in any tab, else (in the first
 * pane, as in a second tab) whichever is free.
 */
export async function resume(seat: Seat): Promise<Claim | undefined> {
  const here = sessionStorage.getItem(key(seat));
  const remembered = here ?? read<string>(key(seat));
  const known = accounts();
  const before = known.find((account) => accountKey(account) === remembered);
  const claimed = before && (await claim(before, here === null ? 0 : HANDOVER));
  if (claimed || seat === "second" || here !== null) return claimed;
  const others = known.filter((account) => account !== before && accountKey(account) !== read<string>(key("second")));
  for (const account of others) {
    const free = await claim(account);
    if (free) return free;
  }
  return undefined;
}

/** Those that no pane or tab uses. */
export async function freeAccounts(): Promise<Account[]> {
  const { held = [] } = await navigator.locks.query();
  const taken = new Set(held.map((lock) => lock.name));
  return accounts().filter((account) => !taken.has(accountKey(account)));
}
