// The scheduled tasks in words: when each runs, how the last run went, when the next one comes.
import { relativeTime } from "./time";
import type { Task, TaskRun } from "./types";

/** The page looks again so often; more often while a run is asked for or goes on. */
export const LOOK_MS = 60_000;
export const LOOK_SOON_MS = 1500;
/** How many runs are shown of a task. */
export const RUNS_SHOWN = 20;

export type Level = "ok" | "warn" | "bad" | "off";

export interface RunWords {
  /** How it stands. */
  value: string;
  /** What it did, or why it did not. */
  detail: string;
  level: Level;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS: [number, string][] = [
  [DAY, "day"],
  [HOUR, "hour"],
  [MINUTE, "minute"],
];
const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** `session_cleanup` as a person would write it. */
export function taskTitle(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export function scheduleWords({ interval_seconds, cron }: Task): string {
  if (interval_seconds !== null) return `every ${interval(interval_seconds)}`;
  return cron === null ? "–" : cronWords(cron);
}

function interval(seconds: number): string {
  for (const [length, unit] of UNITS) {
    if (seconds < length || seconds % length !== 0) continue;
    const count = seconds / length;
    return count === 1 ? unit : `${count} ${unit}s`;
  }
  return seconds === 1 ? "second" : `${seconds} seconds`;
}

/** The expressions that people use most; others are shown as they are. */
function cronWords(cron: string): string {
  const [minute = "", hour = "", day, month, weekday = ""] = cron.split(" ");
  const isEveryDate = day === "*" && month === "*";
  const step = /^\*(?:\/(\d+))?$/.exec(minute);
  if (isEveryDate && weekday === "*" && hour === "*" && step) {
    return `every ${interval(Number(step[1] ?? 1) * MINUTE)}`;
  }
  if (isEveryDate && /^\d+$/.test(minute)) {
    const past = minute.padStart(2, "0");
    if (hour === "*" && weekday === "*") return `every hour at :${past}`;
    const time = `${hour.padStart(2, "0")}:${past} UTC`;
    if (/^\d+$/.test(hour)) {
      if (weekday === "*") return `daily at ${time}`;
      const name = /^[0-7]$/.test(weekday) ? DAYS[Number(weekday) % 7] : undefined;
      if (name !== undefined) return `each ${name} at ${time}`;
    }
  }
  return `${cron} UTC`;
}

export function runWords(run: TaskRun): RunWords {
  const detail = run.error ?? (run.changes === null ? "" : changes(run.changes));
  switch (run.result) {
    case "running":
      return { value: "running", detail: "", level: "off" };
    case "completed":
      return { value: "completed", detail, level: "ok" };
    case "failed":
      return { value: "failed", detail, level: "bad" };
    case "interrupted":
      return { value: "interrupted", detail, level: "warn" };
  }
}

function changes(count: number): string {
  if (count === 0) return "nothing to do";
  return `${count.toLocaleString("en")} ${count === 1 ? "change" : "changes"}`;
}

/** What can be said of the next run, and so whether one can be asked for. */
export function nextWords(task: Task, nowMs: number): { value: string; isWaiting: boolean } {
  if (task.last_run?.result === "running") return { value: "running now", isWaiting: true };
  if (task.requested_at !== null) return { value: "asked for", isWaiting: true };
  const atMs = Date.parse(task.next_run_at ?? "");
  if (Number.isNaN(atMs)) return { value: "–", isWaiting: false };
  const value = atMs <= nowMs ? "due" : relativeTime(task.next_run_at ?? "", nowMs);
  return { value: value === "just now" ? "due" : value, isWaiting: false };
}

/** After how many milliseconds the page looks again. */
export function nextLookMs(tasks: Task[], nowMs: number): number {
  return tasks.some((task) => nextWords(task, nowMs).isWaiting) ? LOOK_SOON_MS : LOOK_MS;
}
