// The collector's own log in words.
import { describe, expect, it } from "vitest";
import { after, NOTHING } from "./collector-log";
import type { CollectorLogItem } from "./types";

const item: CollectorLogItem = {
  seq: 11,
  at: "2026-11-26T02:10:57.80859869Z",
  first_at: "2026-11-26T02:10:49Z",
  level: "error",
  component: "otlphttp/other",
  message: "Exporting failed.",
  error: "HTTP Status Code 401",
  count: 1,
};

const answer = (...items: CollectorLogItem[]) =>
  after(NOTHING, { ok: true, status: 200, data: { items, next: null }, correlationId: null });

describe("the collector's log", () => {
  it("names the component, or the collector as a whole", () => {
    const [one, other] = answer(item, { ...item, component: "" }).lines;
    expect(one).toMatchObject({ component: "otlphttp/other", error: item.error, repeats: "" });
    expect(one?.times).not.toContain("–");
    expect(other?.component).toBe("collector");
  });

  it("tells how often a line came, and from when on", () => {
    const [line] = answer({ ...item, count: 1204 }).lines;
    expect(line?.repeats).toBe("1,204 times");
    expect(line?.times).toContain(" – ");
  });

  it("keeps what was known while the collector does not tell", () => {
    const known = answer(item);
    const detail = "the collector does not show its log: nobody answers there";
    const problem = {
      type: "about:blank",
      title: "Service Unavailable",
      status: 503,
      detail,
      correlation_id: null,
      errors: [],
      retry_after_seconds: null,
    };
    const refused = { ok: false as const, status: 503, problem, correlationId: null };
    const missed = after(known, refused);
    expect(missed).toEqual({ lines: known.lines, problem: detail });
    const silent = { ...refused, problem: { ...problem, detail: null } };
    expect(after(known, silent).problem).toBe("Service Unavailable");
    expect(answer().lines).toEqual([]);
  });
});
