// Errors of the page: told once each, few, together, and only by who is signed in.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ErrorReporter, MAX_ERRORS } from "./errors";

const fetched = vi.fn(async (_path: string, _init: RequestInit) => new Response("{}"));
let isSignedIn = true;

function reporter() {
  return new ErrorReporter({
    fetch: fetched as unknown as typeof fetch,
    isSignedIn: () => isSignedIn,
    path: () => "/",
  });
}

/** The records of all requests, each as a plain object of its attributes. */
function told() {
  return fetched.mock.calls.flatMap(([, init]) => {
    const { resourceLogs } = JSON.parse(init.body as string);
    return resourceLogs[0].scopeLogs[0].logRecords.map((record: never) => {
      const { attributes, ...rest } = record as { attributes: { key: string; value: never }[] };
      const own = attributes.map(({ key, value }) => [key, (value as { stringValue: string }).stringValue]);
      return { ...rest, ...Object.fromEntries(own) };
    });
  });
}

function rejection(reason: unknown): Event {
  return Object.assign(new Event("unhandledrejection"), { reason });
}

beforeEach(() => {
  vi.useFakeTimers();
  fetched.mockClear();
  isSignedIn = true;
});
afterEach(() => void vi.useRealTimers());

describe("ErrorReporter", () => {
  it("tells errors and rejections together, in OTLP's form", () => {
    const target = new EventTarget();
    reporter().listen(target);
    const error = new TypeError("x is undefined");
    target.dispatchEvent(Object.assign(new Event("error"), { error, message: "" }));
    target.dispatchEvent(Object.assign(new Event("error"), { error: null, message: "Script error." }));
    target.dispatchEvent(rejection("no reason"));
    expect(fetched).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1000);
    expect(fetched).toHaveBeenCalledOnce();
    const [path, init] = fetched.mock.calls[0]!;
    expect([path, init.method, init.keepalive]).toEqual(["/v1/logs", "POST", true]);
    expect(told()).toMatchObject([
      {
        eventName: "page.exception",
        severityNumber: 17,
        "exception.type": "TypeError",
        "exception.message": "x is undefined",
        "url.path": "/",
      },
      { "exception.type": "string", "exception.message": "Script error." },
      { "exception.message": "no reason" },
    ]);
    expect(told()[0]["exception.stacktrace"]).toContain("TypeError: x is undefined");
  });

  it("tells the same error once, and few in all", () => {
    const own = reporter();
    const error = new Error("again");
    for (let n = 0; n < 5; n++) own.note(error);
    for (let n = 0; n < 50; n++) own.note(`error ${n}`);
    vi.advanceTimersByTime(1000);
    expect(told()).toHaveLength(MAX_ERRORS);
    own.note("later");
    vi.advanceTimersByTime(1000);
    expect(told()).toHaveLength(MAX_ERRORS);
  });

  it("cuts long texts and survives what cannot be written", () => {
    const own = reporter();
    own.note("x".repeat(100_000));
    own.note(Object.create(null));
    vi.advanceTimersByTime(1000);
    expect(told()[0]["exception.message"].length).toBeLessThan(1100);
    expect(told()[1]["exception.message"]).toBe("(cannot be written)");
  });

  it("waits until somebody is signed in, and sends when the page goes", () => {
    const target = new EventTarget();
    const own = reporter();
    own.listen(target);
    isSignedIn = false;
    own.note("early");
    vi.advanceTimersByTime(5000);
    expect(fetched).not.toHaveBeenCalled();
    isSignedIn = true;
    target.dispatchEvent(new Event("pagehide"));
    expect(told()).toMatchObject([{ "exception.message": "early" }]);
    own.flush();
    expect(fetched).toHaveBeenCalledOnce();
  });

  it("does not report that it cannot report", async () => {
    fetched.mockImplementationOnce(() => Promise.reject(new TypeError("failed")));
    const own = reporter();
    own.note("error");
    await vi.advanceTimersByTimeAsync(10_000);
    expect(fetched).toHaveBeenCalledOnce();
  });
});
