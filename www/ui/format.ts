// Numbers, times and days in the reader's own way.

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const clockWithSeconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const fullDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const shortDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const count = new Intl.NumberFormat();
const relativeDay = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export const time = (timestamp: number): string => clock.format(timestamp);
export const timeWithSeconds = (timestamp: number): string => clockWithSeconds.format(timestamp);
export const number = (value: number): string => count.format(value);

/** "Today", "Yesterday", or the date. */
export function day(timestamp: number): string {
  const ago = daysAgo(timestamp);
  const words = ago < 2 ? relativeDay.format(-ago, "day") : fullDay.format(timestamp);
  return words.charAt(0).toLocaleUpperCase() + words.slice(1);
}

/** For lists: the time if it was today, else the day. */
export const timeOrDay = (timestamp: number): string =>
  daysAgo(timestamp) === 0 ? time(timestamp) : shortDay.format(timestamp);

export const sameDay = (a: number, b: number): boolean => new Date(a).toDateString() === new Date(b).toDateString();

function daysAgo(timestamp: number): number {
  const midnight = (when: number) => new Date(when).setHours(0, 0, 0, 0);
  return Math.max(0, Math.round((midnight(Date.now()) - midnight(timestamp)) / 86_400_000));
}

export function bytes(value: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function milliseconds(value: number): string {
  if (value >= 1000) return `${(value / 1000).toFixed(1)} s`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}
