// The level of the service's log: what is offered, how it is told, and when to look again.
import type { LogLevel, LogLevelName } from "./types";

export const LEVELS: LogLevelName[] = ["trace", "debug", "info", "warning", "error", "critical"];

/** How long a change may last; null is until the service starts anew. */
export const DURATIONS: { label: string; seconds: number | null }[] = [
  { label: "for 10 minutes", seconds: 600 },
  { label: "for 1 hour", seconds: 3600 },
  { label: "until restart", seconds: null },
];

/** The service needs a moment to go back, and clocks differ a little. */
const LOOK_AFTER_MS = 1500;
/** The longest time that a timer takes; nothing is offered for longer. */
const LOOK_MAX_MS = 24 * 3600 * 1000;

export interface LevelWords {
  value: string;
  title: string;
  isChanged: boolean;
}

export function describeLevel(state: LogLevel | null): LevelWords {
  if (state === null) return { value: "–", title: "The level is not known", isChanged: false };
  const { level, default: configured, reverts_at } = state;
  const isChanged = level !== configured;
  if (!isChanged) return { value: level, title: "As configured", isChanged };
  const until = reverts_at === null ? null : timeOfDay(reverts_at);
  const value = until === null ? level : `${level} until ${until}`;
  const title =
    until === null
      ? `${configured} comes back when the service is restarted`
      : `${configured} comes back at ${until}`;
  return { value, title, isChanged };
}

/** After how many milliseconds the level will have changed by itself; null if it will not. */
export function nextLookMs(state: LogLevel | null, nowMs: number): number | null {
  if (state === null || state.reverts_at === null) return null;
  const atMs = Date.parse(state.reverts_at);
  if (Number.isNaN(atMs)) return null;
  return Math.min(Math.max(atMs - nowMs, 0) + LOOK_AFTER_MS, LOOK_MAX_MS);
}

function timeOfDay(iso: string): string | null {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return null;
  return date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
}
