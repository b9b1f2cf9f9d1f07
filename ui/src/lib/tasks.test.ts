// Scheduled tasks in words, and when the page looks again.
import { describe, expect, it } from "vitest";
import { LOOK_MS, LOOK_SOON_MS, nextLookMs, nextWords } from "./tasks";
import { runWords, scheduleWords, taskTitle } from "./tasks";
import type { Task, TaskRun } from "./types";

const NOW = Date.parse("2026-11-26T07:00:00Z");

const run = (change: Partial<TaskRun> = {}): TaskRun => ({
  id: 1,
  started_at: "2026-11-26T06:00:00Z",
  ended_at: "2026-11-26T06:00:01Z",
  duration_ms: 1000,
  result: "completed",
  changes: 0,
  error: null,
  correlation_id: null,
  requested_by: null,
  ...change,
});

const task = (change: Partial<Task> = {}): Task => ({
  name: "session_cleanup",
  interval_seconds: 3600,
  cron: null,
  timeout_seconds: 60,
  requested_at: null,
  next_run_at: "2026-11-26T07:10:00Z",
  last_success_at: null,
  failures_in_a_row: 0,
  last_run: run(),
  ...change,
});

const cron = (expression: string) =>
  scheduleWords(task({ interval_seconds: null, cron: expression }));

describe("a schedule", () => {
  it("is told by the largest unit that fits", () => {
    const every = (seconds: number) => scheduleWords(task({ interval_seconds: seconds }));
    expect(every(3600)).toBe("every hour");
    expect(every(7200)).toBe("every 2 hours");
    expect(every(5400)).toBe("every 90 minutes");
    expect(every(86400)).toBe("every day");
    expect(every(1)).toBe("every second");
    expect(every(61)).toBe("every 61 seconds");
  });

  it("is told in words where it is a common expression, else as it stands", () => {
    expect(cron("30 3 * * *")).toBe("daily at 03:30 UTC");
    expect(cron("*/15 * * * *")).toBe("every 15 minutes");
    expect(cron("* * * * *")).toBe("every minute");
    expect(cron("5 * * * *")).toBe("every hour at :05");
    expect(cron("0 4 * * 7")).toBe("each Sunday at 04:00 UTC");
    expect(cron("0 6 * * MON-FRI")).toBe("0 6 * * MON-FRI UTC");
    expect(cron("0 0 1 * *")).toBe("0 0 1 * * UTC");
  });
});

describe("a run", () => {
  it("is told with what it did or why it did not", () => {
    expect(runWords(run())).toEqual({ value: "completed", detail: "nothing to do", level: "ok" });
    expect(runWords(run({ changes: 1 })).detail).toBe("1 change");
    expect(runWords(run({ changes: 1200 })).detail).toBe("1,200 changes");
    const failed = run({ result: "failed", changes: null, error: "no answer" });
    expect(runWords(failed)).toEqual({ value: "failed", detail: "no answer", level: "bad" });
    expect(runWords(run({ result: "interrupted" })).level).toBe("warn");
    expect(runWords(run({ result: "running", changes: null })).value).toBe("running");
  });
});

describe("the next run", () => {
  it("is told by its time, and as waiting while one goes on or is asked for", () => {
    expect(nextWords(task(), NOW)).toEqual({ value: "in 10 min", isWaiting: false });
    const late = task({ next_run_at: "2026-11-26T06:59:00Z" });
    expect(nextWords(late, NOW).value).toBe("due");
    expect(nextWords(task({ next_run_at: "2026-11-26T07:00:02Z" }), NOW).value).toBe("due");
    const asked = task({ requested_at: "2026-11-26T06:59:59Z" });
    expect(nextWords(asked, NOW)).toEqual({ value: "asked for", isWaiting: true });
    const running = task({ next_run_at: null, last_run: run({ result: "running" }) });
    expect(nextWords(running, NOW)).toEqual({ value: "running now", isWaiting: true });
    expect(nextWords(task({ next_run_at: null }), NOW).value).toBe("–");
  });

  it("decides how soon the page looks again", () => {
    expect(nextLookMs([task()], NOW)).toBe(LOOK_MS);
    const asked = task({ requested_at: "2026-11-26T06:59:59Z" });
    expect(nextLookMs([task(), asked], NOW)).toBe(LOOK_SOON_MS);
  });

  it("belongs to a task with a readable name", () => {
    expect(taskTitle("session_cleanup")).toBe("Session cleanup");
  });
});
