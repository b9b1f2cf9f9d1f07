// Relative times: the borders between units, and times that cannot be read.
import { describe, expect, it } from "vitest";
import { duration, expiry, relativeTime } from "./time";

const NOW = Date.parse("2026-11-23T12:00:00Z");
const at = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

describe("relativeTime", () => {
  it.each([
    [0, "just now"],
    [3, "just now"],
    [-42, "42 s ago"],
    [-60, "1 min ago"],
    [-3599, "59 min ago"],
    [-3600, "1 h ago"],
    [-47 * 3600, "47 h ago"],
    [-48 * 3600, "2 days ago"],
    [540, "in 9 min"],
  ])("%i s from now is %s", (seconds, text) => {
    expect(relativeTime(at(seconds), NOW)).toBe(text);
  });

  it("shows a dash for what is no time", () => {
    expect(relativeTime("soon", NOW)).toBe("–");
  });
});

describe("expiry", () => {
  it("tells never, due and a time apart", () => {
    expect(expiry(null, NOW)).toBe("never");
    expect(expiry(at(-1), NOW)).toBe("due");
    expect(expiry(at(120), NOW)).toBe("in 2 min");
    expect(expiry(at(2), NOW)).toBe("in a moment");
    expect(expiry("", NOW)).toBe("–");
  });
});

describe("duration", () => {
  it.each([
    [0, "0 µs"],
    [999, "999 µs"],
    [1000, "1.00 ms"],
    [48_300, "48.3 ms"],
    [480_000, "480 ms"],
    [2_500_000, "2.50 s"],
  ])("%i µs is %s", (us, text) => expect(duration(us)).toBe(text));
});
