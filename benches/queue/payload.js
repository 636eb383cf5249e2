// What every message says.

export const payload = new TextEncoder().encode("A message of ordinary length, as many of them are. ".repeat(2));
