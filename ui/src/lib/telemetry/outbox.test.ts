// What waits is bounded, travels together, and goes at once when the page is hidden.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { randomId } from "./otlp";
import { BATCH_MAX, FLUSH_AFTER_MS, Outbox, WAITING_MAX } from "./outbox";

const fetched = vi.fn(async (_path: string, _init: RequestInit) => new Response("{}"));
let isSignedIn = true;
let isHidden = false;

function outbox() {
  return new Outbox({
    fetch: fetched as unknown as typeof fetch,
    isSignedIn: () => isSignedIn,
    isHidden: () => isHidden,
  });
}

function span(startMs: number) {
  return { traceId: "a", spanId: "b", parentSpanId: "", startMs, endMs: startMs, attributes: [] };
}

function point(value: number) {
  return { metric: "m", unit: "s", atMs: 1, value, attributes: [] };
}

/** The start times of the spans of each request. */
function sent(): string[][] {
  const own = fetched.mock.calls.filter(([path]) => path === "/v1/traces");
  return own.map(([, init]) => {
    const { resourceSpans } = JSON.parse(init.body as string);
    const { spans } = resourceSpans[0].scopeSpans[0];
    return spans.map((it: { startTimeUnixNano: string }) => it.startTimeUnixNano);
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  fetched.mockClear();
  isSignedIn = true;
  isHidden = false;
});
afterEach(() => void vi.useRealTimers());

describe("Outbox", () => {
  it("sends each kind to its place, after a while, in OTLP's form", () => {
    const own = outbox();
    own.addSpan(span(1_700_000_000_000.25));
    own.addPoint(point(0.5));
    expect(fetched).not.toHaveBeenCalled();
    vi.advanceTimersByTime(FLUSH_AFTER_MS);
    expect(sent()).toEqual([["1700000000000250000"]]);
    const [path, init] = fetched.mock.calls[1]!;
    expect([path, init.method, init.keepalive]).toEqual(["/v1/metrics", "POST", true]);
    expect(init.headers).toEqual({ "content-type": "application/json" });
    expect(JSON.parse(init.body as string).resourceMetrics[0].scopeMetrics[0].metrics).toEqual([
      {
        name: "m",
        unit: "s",
        gauge: { dataPoints: [{ timeUnixNano: "1000000", asDouble: 0.5, attributes: [] }] },
      },
    ]);
    vi.advanceTimersByTime(60_000);
    expect(fetched).toHaveBeenCalledTimes(2);
  });

  it("keeps the newest until somebody is signed in, and sends them in parts", () => {
    isSignedIn = false;
    const own = outbox();
    for (let n = 1; n <= WAITING_MAX + 3; n++) own.addSpan(span(n));
    vi.advanceTimersByTime(60_000);
    expect(fetched).not.toHaveBeenCalled();
    isSignedIn = true;
    vi.advanceTimersByTime(2 * FLUSH_AFTER_MS);
    expect(sent().map((spans) => spans.length)).toEqual([BATCH_MAX, BATCH_MAX]);
    expect([sent()[0]?.[0], sent()[1]?.at(-1)]).toEqual(["4000000", "103000000"]);
  });

  it("two full requests fit what browsers let outlive a page", () => {
    const own = outbox();
    const word = (length: number) => ({ key: "k".repeat(25), value: { stringValue: "v".repeat(length) } });
    for (let n = 0; n < BATCH_MAX; n++) {
      const attributes = [word(60), word(30), word(30)];
      const ids = { traceId: randomId(16), spanId: randomId(8), parentSpanId: randomId(8) };
      own.addSpan({ ...span(Date.now()), ...ids, attributes });
      own.addPoint({ ...point(Math.PI), metric: "m".repeat(30), attributes });
    }
    vi.advanceTimersByTime(FLUSH_AFTER_MS);
    const sizes = fetched.mock.calls.map(([, init]) => (init.body as string).length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(64 * 1024);
  });

  it("does not wait on a hidden page, and tells nobody of a failure", async () => {
    fetched.mockImplementation(() => Promise.reject(new TypeError("failed")));
    isHidden = true;
    outbox().addSpan(span(1));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(fetched).toHaveBeenCalledOnce();
    fetched.mockImplementation(async () => new Response("{}"));
  });
});
