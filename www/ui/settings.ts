// What the demo keeps in localStorage.

export function read<T>(key: string): T | undefined {
  const text = localStorage.getItem(key);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as T;
  } catch {
    // Written by somebody else, or by hand.
    return undefined;
  }
}

export function write(key: string, value: unknown): void {
  localStorage.setItem(key, JSON.stringify(value));
}
