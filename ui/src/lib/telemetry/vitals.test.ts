// Each vital of a view is told once, in the form that the service takes.
import { describe, expect, it } from "vitest";
import type { Point } from "./otlp";
import type { Outbox } from "./outbox";
import { Vitals } from "./vitals";

function vitals() {
  const points: Point[] = [];
  const outbox = { addPoint: (point: Point) => void points.push(point) } as unknown as Outbox;
  return { points, own: new Vitals(outbox) };
}

function vital(name: string, value: number, id: string) {
  return { name, value, id, navigationType: "reload" };
}

describe("Vitals", () => {
  it("have milliseconds, but for CLS, and the name and the navigation with them", () => {
    const { points, own } = vitals();
    own.record(vital("LCP", 812.5, "v6-1"));
    own.record(vital("CLS", 0.02, "v6-2"));
    expect(points).toMatchObject([
      { metric: "browser.web_vital", unit: "ms", value: 812.5 },
      { metric: "browser.web_vital", unit: "1", value: 0.02 },
    ]);
    expect(points[0]?.attributes).toEqual([
      { key: "browser.web_vital.name", value: { stringValue: "LCP" } },
      { key: "browser.web_vital.navigation_type", value: { stringValue: "reload" } },
    ]);
  });

  it("are told once for each view, and not without end", () => {
    const { points, own } = vitals();
    for (const value of [0.1, 0.2]) own.record(vital("CLS", value, "same"));
    expect(points.map((point) => point.value)).toEqual([0.1]);
    for (let n = 0; n < 1000; n++) own.record(vital("LCP", 1, `v${n}`));
    expect(points).toHaveLength(60);
  });
});
