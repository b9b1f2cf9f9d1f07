// The fetch wrapper: correlation ids, problems of any quality, the end of a session.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { api, whenSignedOut } from "./api";
import { fieldError } from "./problem";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";
const calls: { path: string; init: RequestInit }[] = [];
const signedOut = vi.fn();

function answers(status: number, body: string | null, headers: Record<string, string> = {}) {
  vi.stubGlobal("fetch", async (path: string, init: RequestInit) => {
    calls.push({ path, init });
    return new Response(body, { status, headers: { "x-correlation-id": ID, ...headers } });
  });
}

beforeEach(() => {
  calls.length = 0;
  signedOut.mockClear();
  whenSignedOut(signedOut);
});
afterEach(() => vi.unstubAllGlobals());

describe("api", () => {
  it("keeps the correlation id of an answer without a body", async () => {
    answers(204, null);
    expect(await api.unban("sshd", "2001:db8::9")).toMatchObject({ ok: true, correlationId: ID });
    expect(calls[0]?.path).toBe("/api/bans/sshd/2001%3Adb8%3A%3A9");
    expect(calls[0]?.init.method).toBe("DELETE");
  });

  it("sends only the parameters that are set", async () => {
    answers(200, '{"items":[],"next":null}');
    await api.bans("", 100, null);
    await api.bans("a&b", 100, "c=");
    const paths = calls.map((call) => call.path);
    expect(paths).toEqual(["/api/bans?limit=100", "/api/bans?q=a%26b&limit=100&cursor=c%3D"]);
  });

  it("reads a problem with its fields", async () => {
    const errors = [{ field: "ip", message: "not an address" }, { field: 7 }, null];
    answers(422, JSON.stringify({ title: "Unprocessable", correlation_id: "abc", errors }));
    const result = await api.ban("sshd", "nonsense", "");
    if (result.ok) throw new Error("it must fail");
    expect(result.problem).toMatchObject({ title: "Unprocessable", correlation_id: "abc" });
    expect(fieldError(result.problem, "ip")).toBe("not an address");
    expect(fieldError(result.problem, "jail")).toBeNull();
    expect(calls[0]?.init.body).toBe('{"jail":"sshd","ip":"nonsense"}');
  });

  it("makes a problem of what is no JSON, even with status 200", async () => {
    answers(502, "<html>Bad gateway</html>");
    expect(await api.status()).toMatchObject({ ok: false, problem: { status: 502 } });
    answers(200, "<html>A captive portal</html>");
    expect(await api.status()).toMatchObject({ ok: false, correlationId: ID });
  });

  it("says how long to wait, from the header too", async () => {
    answers(429, "{}", { "retry-after": "7" });
    expect(await api.login("a", "b")).toMatchObject({ problem: { retry_after_seconds: 7 } });
    answers(429, '{"retry_after_seconds":2.2}', { "retry-after": "7" });
    expect(await api.login("a", "b")).toMatchObject({ problem: { retry_after_seconds: 3 } });
  });

  it("tells the end of a session, but not a wrong password", async () => {
    answers(401, '{"title":"Unauthorized"}');
    await api.login("admin", "wrong");
    expect(signedOut).not.toHaveBeenCalled();
    await api.jails();
    expect(signedOut).toHaveBeenCalledOnce();
  });

  it("does not throw without a network", async () => {
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("failed")));
    expect(await api.status()).toMatchObject({ ok: false, status: 0, correlationId: null });
  });
});
