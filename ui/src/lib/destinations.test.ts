// The collector and its destinations in words.
import { describe, expect, it } from "vitest";
import { describeCollector } from "./destinations";
import type { Destination } from "./types";

const otlp: Destination = {
  name: "otlp",
  queue_size: 0,
  queue_capacity: 1_000_000,
  sent: 1204,
  failed: 0,
  dropped: 0,
  failing: false,
};

const told = (change: Partial<Destination>, reachable = true) =>
  describeCollector({ reachable, error: null, destinations: [{ ...otlp, ...change }] })[1];

describe("the collector", () => {
  it("is not spoken of while nothing leaves", () => {
    expect(describeCollector(null)).toEqual([]);
    expect(describeCollector(undefined)).toEqual([]);
  });

  it("is missed only if something is known behind it", () => {
    const error = "nobody answers there";
    const away = { reachable: false, error, destinations: [] };
    expect(describeCollector(away)).toHaveLength(1);
    expect(describeCollector(away)[0]).toMatchObject({ level: "off", title: error });
    const missed = describeCollector({ ...away, destinations: [otlp] });
    expect(missed[0]).toMatchObject({ value: "not reachable", level: "warn" });
  });

  it("tells what each destination took, what waits and what is wrong", () => {
    expect(told({})).toMatchObject({ label: "otlp", value: "1,204 sent", level: "ok" });
    expect(told({ queue_size: 41 })).toMatchObject({ value: "1,204 sent, 41 waiting", level: "ok" });
    expect(told({ queue_size: 50_001 })?.level).toBe("warn");
    expect(told({ failing: true })).toMatchObject({ value: "1,204 sent, failing", level: "warn" });
    const why = (error_type: string) => told({ failing: true, error_type })?.value;
    expect(why("401")).toBe("1,204 sent, failing: it answers 401");
    expect(why("timeout")).toBe("1,204 sent, failing: no answer in time");
    expect(why("_OTHER")).toBe("1,204 sent, failing: see the collector's log");
    expect(why("constructor")).toBe("1,204 sent, failing: see the collector's log");
    expect(told({ error_type: "401" })?.value).toBe("1,204 sent");
    expect(told({ dropped: 3 })).toMatchObject({ value: "1,204 sent, 3 lost", level: "warn" });
    expect(told({}, false)?.level).toBe("off");
  });
});
