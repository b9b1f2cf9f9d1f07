// Calls that begin before anybody observes them are measured when somebody does.
import { afterEach, expect, it, vi } from "vitest";
import { api, observeCalls } from "./api";
import type { ApiCall, Observer } from "./api";

afterEach(() => vi.unstubAllGlobals());

it("tells what came before the observer, once, up to a limit", async () => {
  let answer: (response: Response) => void = () => undefined;
  vi.stubGlobal("fetch", async () => new Response(null, { status: 204 }));
  for (let sent = 0; sent < 25; sent += 1) await api.jails();
  vi.stubGlobal("fetch", () => new Promise<Response>((resolve) => (answer = resolve)));
  const underWay = api.status();

  const told: ApiCall[] = [];
  const observer: Observer = {
    begin: () => ({ ended: () => undefined }),
    recordApiCall: (call) => void told.push(call),
  };
  observeCalls(observer);
  expect(told).toHaveLength(20);
  expect(told[0]).toMatchObject({ method: "GET", endpoint: "/api/jails", end: 204 });
  answer(new Response(null, { status: 503 }));
  await underWay;
  expect(told).toHaveLength(21);
  expect(told[20]).toMatchObject({ endpoint: "/api/dashboard/status", end: 503 });
  observeCalls(observer);
  expect(told).toHaveLength(21);
});
