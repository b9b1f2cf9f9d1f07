// Health in words.
import { describe, expect, it } from "vitest";
import { describe as describeHealth } from "./health";
import type { SchedulerLock, Status } from "./types";

describe("health", () => {
  const status: Status = {
    fail2ban: { connected: true, version: "1.0.2", error: null },
    jails: 1,
    bans: 0,
    bans_24h: 0,
    telemetry: { export: "grpc", endpoint: "http://127.0.0.1:4317", healthy: true },
    links: { jaeger: null },
    version: "0.1.0",
    started_at: "2026-11-23T12:00:00Z",
  };

  it("says what is connected, what is down and why", () => {
    expect(describeHealth(status)[0]).toMatchObject({ value: "1.0.2 connected", level: "ok" });
    const error = "no socket";
    const sources = { log: { healthy: false, error: "cannot be read" } };
    const down = { ...status, fail2ban: { connected: false, version: null, error, sources } };
    expect(describeHealth(down).slice(0, 2)).toMatchObject([
      { value: "not reachable", level: "bad", title: "no socket" },
      { id: "log", value: "cannot be read", level: "warn" },
    ]);
  });

  it("says which instance runs the scheduled tasks", () => {
    const holder = { locked: true, pid: 7, hostname: "bans-2", age_seconds: 1, ttl_remaining: 29 };
    const tasks = (scheduler: SchedulerLock | null) =>
      describeHealth({ ...status, scheduler }).find((item) => item.id === "scheduler");
    expect(tasks(null)).toBeUndefined();
    const here = tasks({ ...holder, held_here: true, is_stale: false });
    expect(here).toMatchObject({ value: "run here", level: "ok" });
    const other = tasks({ ...holder, held_here: false, is_stale: false });
    expect(other).toMatchObject({ value: "run by bans-2", level: "ok" });
    expect(other?.title).toContain("Process 7 on bans-2");
    const dead = tasks({ ...holder, held_here: false, is_stale: true });
    expect(dead).toMatchObject({ value: "run by nobody", level: "warn" });
    const nobody = { locked: false, pid: null, hostname: null, age_seconds: null };
    const free = { ...nobody, held_here: false, is_stale: false, ttl_remaining: null };
    expect(tasks(free)).toMatchObject({ value: "run by nobody", level: "warn" });
  });

  it("tells telemetry that is off from telemetry that fails", () => {
    const last = (telemetry: Status["telemetry"]) =>
      describeHealth({ ...status, telemetry }).at(-1);
    expect(last({ export: "off", endpoint: null, healthy: null })?.level).toBe("off");
    expect(last({ export: "grpc", endpoint: null, healthy: false })?.level).toBe("warn");
    expect(last({ export: "grpc", endpoint: null, healthy: null })?.value).toBe("export starts");
  });
});
