// From a click to the spans of its calls: one trace, ids that the request carries, no addresses.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, observeCalls } from "../api";
import { Actions, identifier } from "./actions";
import { Calls } from "./calls";
import type { Attribute, Point, Span } from "./otlp";
import type { Outbox } from "./outbox";

const spans: Span[] = [];
const points: Point[] = [];
const requests: { path: string; traceparent: string }[] = [];
let answer: () => Promise<Response> = async () => new Response(null, { status: 204 });

class FakeElement extends EventTarget {
  localName = "button";
  readonly #testId: string | null;

  constructor(testId: string | null) {
    super();
    this.#testId = testId;
  }

  closest(): FakeElement | null {
    return this.#testId === null ? null : this;
  }

  getAttribute(): string | null {
    return this.#testId;
  }
}

function values(attributes: Attribute[]) {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, "intValue" in value ? value.intValue : value.stringValue]),
  );
}

let actions: Actions;

/** Somebody clicks on it, and this happens in the same task. */
function click(testId: string | null, handler: () => void): void {
  const element = new FakeElement(testId);
  actions.listen(element);
  element.addEventListener("click", handler);
  element.dispatchEvent(new Event("click"));
}

beforeEach(() => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  vi.stubGlobal("Element", FakeElement);
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    const { traceparent } = init.headers as { traceparent: string };
    requests.push({ path, traceparent });
    return answer();
  });
  for (const list of [spans, points, requests]) list.length = 0;
  answer = async () => new Response(null, { status: 204 });
  const outbox = {
    addSpan: (span: Span) => void spans.push(span),
    addPoint: (point: Point) => void points.push(point),
  } as unknown as Outbox;
  actions = new Actions((span) => void spans.push(span), Date.now);
  const calls = new Calls(outbox, actions, Date.now);
  observeCalls(calls);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("calls", () => {
  it("hang below the click that made them, and the request says so", async () => {
    let result: Promise<unknown> | null = null;
    answer = () => new Promise((resolve) => setTimeout(() => resolve(new Response(null, { status: 204 })), 40));
    click("unban-confirm", () => (result = api.unban("sshd", "203.0.113.9")));
    await vi.advanceTimersByTimeAsync(50);
    await result;
    const [call, action] = spans;
    expect(action).toMatchObject({ parentSpanId: "", endMs: 1_700_000_000_040 });
    expect(values(action!.attributes)).toEqual({ "bangui.page.action": "unban_confirm" });
    expect(call).toMatchObject({ traceId: action!.traceId, parentSpanId: action!.spanId });
    expect(values(call!.attributes)).toEqual({
      "http.request.method": "DELETE",
      "url.template": "/api/bans/{id}/{id}",
      "http.response.status_code": "204",
    });
    expect(requests[0]?.traceparent).toBe(`00-${call!.traceId}-${call!.spanId}-01`);
    expect(requests[0]?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(points).toMatchObject([
      { metric: "bangui.frontend.api.duration", unit: "s", value: 0.04, atMs: 1_700_000_000_040 },
    ]);
    expect(JSON.stringify([spans, points])).not.toContain("203.0.113.9");
  });

  it("of one click are one trace, which ends with the last of them", async () => {
    click("reload", () => void Promise.all([api.jails(), api.audit(3)]));
    await vi.advanceTimersByTimeAsync(1);
    expect(spans).toHaveLength(3);
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
    expect(spans.filter((span) => span.parentSpanId === "")).toHaveLength(1);
  });

  it("stand alone when nobody has clicked, or long before", async () => {
    click("unban", () => undefined);
    await vi.advanceTimersByTimeAsync(1);
    await api.status();
    await api.bans("203.0.113.9", 1, null);
    expect(spans.map((span) => span.parentSpanId)).toEqual(["", ""]);
    expect(spans[0]?.traceId).not.toBe(spans[1]?.traceId);
    expect(values(spans[1]!.attributes)["url.template"]).toBe("/api/bans");
  });

  it("tell why there was no answer", async () => {
    answer = () => Promise.reject(new TypeError("failed"));
    await api.status();
    answer = () => Promise.reject(new DOMException("late", "TimeoutError"));
    await api.status();
    const reasons = points.map((point) => values(point.attributes)["error.type"]);
    expect(reasons).toEqual(["network", "timeout"]);
  });
});

describe("names of actions", () => {
  it("are identifiers, whatever the page's source has", () => {
    expect(identifier("ban-Submit")).toBe("ban_submit");
    expect(identifier("9 lives")).toBe("lives");
    expect(identifier("")).toBe("page");
    expect(identifier("x".repeat(200))).toHaveLength(60);
  });

  it("are the element's where it has none", async () => {
    click(null, () => void api.jails());
    await vi.advanceTimersByTimeAsync(1);
    expect(values(spans.at(-1)!.attributes)).toEqual({ "bangui.page.action": "click_button" });
  });
});
