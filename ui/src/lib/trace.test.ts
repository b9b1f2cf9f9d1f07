// The waterfall: nesting, placing, and the shapes of a trace that should not exist but do.
import { describe, expect, it } from "vitest";
import { isComplete, isTraceId, MAX_SPANS, normaliseTraceId, waterfall } from "./trace";
import type { Span } from "./types";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";

function span(id: string, parent: string | null, start: number, length: number): Span {
  return {
    span_id: id,
    parent_span_id: parent,
    name: id,
    service: "bangui",
    kind: "internal",
    start_unix_us: 1_000_000 + start,
    duration_us: length,
    error: false,
    attributes: {},
  };
}

describe("waterfall", () => {
  it("nests by parent and orders siblings by start", () => {
    const { rows } = waterfall([
      span("late", "root", 60, 20),
      span("child", "early", 12, 5),
      span("root", null, 0, 100),
      span("early", "root", 10, 30),
    ]);
    const shape = rows.map((row) => [row.span.name, row.depth]);
    expect(shape).toEqual([["root", 0], ["early", 1], ["child", 2], ["late", 1]]);
  });

  it("places bars by time within the whole", () => {
    const { rows, totalUs } = waterfall([span("root", null, 0, 200), span("a", "root", 50, 100)]);
    expect(totalUs).toBe(200);
    expect(rows[1]).toMatchObject({ leftPercent: 25, widthPercent: 50, offsetUs: 50 });
    expect(rows[0]?.label).toBe("inside");
    expect(rows[1]?.label).toBe("after");
  });

  it("keeps a span of no duration at the very end inside the drawing", () => {
    const { rows } = waterfall([span("root", null, 0, 100), span("end", "root", 100, 0)]);
    const end = rows[1];
    expect(end?.widthPercent).toBeGreaterThan(0);
    expect((end?.leftPercent ?? 0) + (end?.widthPercent ?? 0)).toBeLessThanOrEqual(100);
  });

  it("shows spans whose parent has not arrived", () => {
    const { rows } = waterfall([span("a", "absent", 0, 10), span("b", "a", 2, 3)]);
    expect(rows.map((row) => row.depth)).toEqual([0, 1]);
  });

  it("shows a span once that was delivered twice", () => {
    const { rows } = waterfall([span("root", null, 0, 9), span("root", null, 0, 9)]);
    expect(rows).toHaveLength(1);
  });

  it("ends on loops, twins, nothing and too much", () => {
    expect(waterfall([span("a", "b", 0, 1), span("b", "a", 0, 1)]).rows).toHaveLength(2);
    expect(waterfall([span("a", "a", 0, 1)]).rows).toHaveLength(1);
    expect(waterfall([])).toMatchObject({ rows: [], totalUs: 0 });
    const many = Array.from({ length: MAX_SPANS + 7 }, (_, i) => span(`s${i}`, null, i, 1));
    expect(waterfall(many)).toMatchObject({ omitted: 7 });
  });
});

describe("trace ids", () => {
  it("accepts what people paste", () => {
    expect(normaliseTraceId(` ${ID.toUpperCase()}\n`)).toBe(ID);
    expect(normaliseTraceId(`00-${ID}-00f067aa0ba902b7-01`)).toBe(ID);
    expect(isTraceId(ID)).toBe(true);
    expect(isTraceId("0".repeat(32))).toBe(false);
    expect(isTraceId(ID.slice(1))).toBe(false);
    expect(isTraceId("../../health")).toBe(false);
  });
});

describe("isComplete", () => {
  it("waits for the root", () => {
    const trace = { trace_id: ID, jaeger_url: null };
    expect(isComplete({ ...trace, spans: [span("a", "root", 0, 1)] })).toBe(false);
    expect(isComplete({ ...trace, spans: [span("root", null, 0, 1)] })).toBe(true);
  });
});
