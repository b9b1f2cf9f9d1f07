// The level of the log in words, and when the page looks again.
import { describe, expect, it } from "vitest";
import { describeLevel, DURATIONS, nextLookMs } from "./log-level";
import type { LogLevel } from "./types";

const state = (level: LogLevel["level"], revertsAt: string | null = null): LogLevel => ({
  level,
  default: "info",
  reverts_at: revertsAt,
});

describe("the level of the log", () => {
  it("is told plainly when it is the configured one", () => {
    expect(describeLevel(state("info"))).toMatchObject({ value: "info", isChanged: false });
    expect(describeLevel(null).isChanged).toBe(false);
  });

  it("is told with its end when it was changed", () => {
    const forAWhile = describeLevel(state("debug", "2026-11-23T12:00:00Z"));
    expect(forAWhile.isChanged).toBe(true);
    expect(forAWhile.value).toMatch(/^debug until .*00/);
    expect(forAWhile.title).toMatch(/^info comes back at/);
    const forGood = describeLevel(state("error"));
    expect(forGood.value).toBe("error");
    expect(forGood.title).toContain("restarted");
    expect(describeLevel(state("debug", "never")).value).toBe("debug");
  });

  it("is looked at again just after it goes back by itself", () => {
    const nowMs = Date.parse("2026-11-23T12:00:00Z");
    const inTenSeconds = state("debug", "2026-11-23T12:00:10Z");
    expect(nextLookMs(inTenSeconds, nowMs)).toBe(11_500);
    expect(nextLookMs(state("debug", "2026-11-23T11:00:00Z"), nowMs)).toBe(1500);
    expect(nextLookMs(state("debug"), nowMs)).toBeNull();
    expect(nextLookMs(state("debug", "never"), nowMs)).toBeNull();
    expect(nextLookMs(null, nowMs)).toBeNull();
  });

  it("is offered for times that the service accepts", () => {
    const seconds = DURATIONS.flatMap((it) => it.seconds ?? []);
    expect(seconds.every((it) => it >= 1 && it <= 86_400)).toBe(true);
  });
});
