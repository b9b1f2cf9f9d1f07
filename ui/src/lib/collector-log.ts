// Says in a few words what the collector's own log told last.
import type { Result } from "./api";
import { absoluteTime } from "./time";
import type { CollectorLogItem, Page } from "./types";

/** The service asks the collector once in so long, so that sooner there is nothing new. */
export const FOLLOW_MS = 5000;
/** More than anybody reads at once. */
export const LINES = 100;

export interface LogLine {
  at: string;
  /** Where the pointer rests: the first and the last time of lines that repeat. */
  times: string;
  level: CollectorLogItem["level"];
  component: string;
  message: string;
  error: string;
  repeats: string;
}

export interface LogView {
  lines: LogLine[];
  /** Why nothing is known, or nothing new; empty while all is well. */
  problem: string;
}

export const NOTHING: LogView = { lines: [], problem: "" };

/** What to show after an answer; what was known stays while the collector does not tell. */
export function after(before: LogView, result: Result<Page<CollectorLogItem>>): LogView {
  if (result.ok) return { lines: result.data.items.map(line), problem: "" };
  return { ...before, problem: result.problem.detail ?? result.problem.title };
}

function line(item: CollectorLogItem): LogLine {
  const { at, first_at, level, message, error, count } = item;
  const isRepeated = count > 1;
  return {
    at,
    times: isRepeated ? `${absoluteTime(first_at)} – ${absoluteTime(at)}` : absoluteTime(at),
    level,
    component: item.component || "collector",
    message,
    error,
    repeats: isRepeated ? `${count.toLocaleString("en")} times` : "",
  };
}
