// Times as a person reads them: relative in the lists, exact where the pointer rests.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** "just now", "42 s ago", "in 9 min"; an unreadable time is a dash. */
export function relativeTime(iso: string, nowMs: number): string {
  const atMs = Date.parse(iso);
  if (Number.isNaN(atMs)) return "–";
  const seconds = Math.round((atMs - nowMs) / 1000);
  // Clocks of page and service differ a little; nobody needs "in 1 s" for a past event.
  if (Math.abs(seconds) < 5) return "just now";
  const amount = span(Math.abs(seconds));
  return seconds < 0 ? `${amount} ago` : `in ${amount}`;
}

/** When a ban ends, told so that "never" and "due" are not mistaken for each other. */
export function expiry(iso: string | null, nowMs: number): string {
  if (iso === null) return "never";
  const atMs = Date.parse(iso);
  if (Number.isNaN(atMs)) return "–";
  if (atMs <= nowMs) return "due";
  const words = relativeTime(iso, nowMs);
  return words === "just now" ? "in a moment" : words;
}

export function absoluteTime(iso: string): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  return date.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
}

export function duration(us: number): string {
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1_000_000) return `${significant(us / 1000)} ms`;
  return `${significant(us / 1_000_000)} s`;
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function span(seconds: number): string {
  if (seconds < MINUTE) return `${seconds} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < 2 * DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} days`;
}
