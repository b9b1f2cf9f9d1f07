// The live connection against a fake EventSource: events, reconnects, the end of a session.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveConnection } from "./live";

class FakeSource extends EventTarget {
  readyState = 0;
  closed = false;
  close() {
    this.closed = true;
  }
  opens() {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }
  fails(readyState: number) {
    this.readyState = readyState;
    this.dispatchEvent(new Event("error"));
  }
  sends(name: string, data: string) {
    this.dispatchEvent(new MessageEvent(name, { data }));
  }
}

let sources: FakeSource[] = [];
let log: unknown[] = [];
let mayRetry = true;

function connect() {
  const connection = new LiveConnection(
    "/api/events",
    {
      onState: (state) => log.push(state),
      onOpen: (resumed) => log.push({ resumed }),
      onEvent: (name, data) => log.push([name, data]),
      onRefused: async () => mayRetry,
    },
    () => {
      const source = new FakeSource();
      sources.push(source);
      return source as unknown as EventSource;
    },
  );
  connection.start();
  return connection;
}

beforeEach(() => {
  vi.useFakeTimers();
  sources = [];
  log = [];
  mayRetry = true;
});
afterEach(() => vi.useRealTimers());

describe("LiveConnection", () => {
  it("hands events on and tells a resumed connection from a new one", () => {
    connect();
    sources[0]?.opens();
    sources[0]?.sends("ban", '{"ip":"192.0.2.1"}');
    sources[0]?.fails(0);
    sources[0]?.opens();
    expect(log).toEqual([
      "connecting",
      "open",
      { resumed: false },
      ["ban", { ip: "192.0.2.1" }],
      "lost",
      "open",
      { resumed: true },
    ]);
    expect(sources).toHaveLength(1);
  });

  it("takes an event that cannot be read for a missed one", () => {
    connect();
    sources[0]?.sends("ban", "{");
    expect(log.at(-1)).toEqual(["reset", {}]);
  });

  it("connects anew, ever more slowly, when the browser gives up", async () => {
    connect();
    for (const waitMs of [1000, 2000, 4000, 8000, 10_000, 10_000]) {
      const before = sources.length;
      sources.at(-1)?.fails(2);
      await vi.advanceTimersByTimeAsync(waitMs - 1);
      expect(sources).toHaveLength(before);
      await vi.advanceTimersByTimeAsync(1);
      expect(sources).toHaveLength(before + 1);
    }
    sources.at(-1)?.opens();
    expect(log.at(-1)).toEqual({ resumed: false });
  });

  it("stays away when the session has ended, and after stop", async () => {
    mayRetry = false;
    connect();
    sources[0]?.fails(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sources).toHaveLength(1);

    mayRetry = true;
    const second = connect();
    second.stop();
    sources[1]?.fails(2);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(sources).toHaveLength(2);
    expect(sources[1]?.closed).toBe(true);
    expect(log.at(-1)).toBe("closed");
  });
});
