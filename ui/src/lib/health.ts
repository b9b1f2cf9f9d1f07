// Says in a few words how each part is doing, from the status that the service reports.
import type { SchedulerLock, SourceHealth, Status } from "./types";

export interface HealthItem {
  id: "fail2ban" | "list" | "log" | "scheduler" | "telemetry";
  label: string;
  value: string;
  title: string;
  level: "ok" | "warn" | "bad" | "off";
}

export function describe(status: Status | null): HealthItem[] {
  if (status === null) {
    const value = "checking…";
    return [{ id: "fail2ban", label: "fail2ban", value, title: "", level: "off" }];
  }
  const { list, log } = status.fail2ban.sources ?? {};
  const items = [fail2ban(status)];
  if (list !== undefined) items.push(source("list", "Ban list", list));
  if (log !== undefined) items.push(source("log", "Log", log));
  if (status.scheduler) items.push(scheduler(status.scheduler));
  return [...items, telemetry(status)];
}

function fail2ban({ fail2ban: { connected, version, error } }: Status): HealthItem {
  const label = "fail2ban";
  if (!connected) {
    const title = error ?? "fail2ban cannot be reached";
    return { id: "fail2ban", label, value: "not reachable", title, level: "bad" };
  }
  const value = version === null ? "connected" : `${version} connected`;
  return { id: "fail2ban", label, value, title: "fail2ban answers on its socket", level: "ok" };
}

function source(id: "list" | "log", label: string, health: SourceHealth): HealthItem {
  if (!health.healthy) {
    const value = health.error ?? "not available";
    return { id, label, value, title: value, level: "warn" };
  }
  if (id === "log") {
    const title = `fail2ban's log is followed: ${health.path ?? "its path is not known"}`;
    return { id, label, value: "followed", title, level: "ok" };
  }
  // The age is that of the moment of the report, so it is no number to show for longer.
  const age = health.age_seconds ?? null;
  const title = age === null ? "" : `${age.toFixed(1)} s old when last reported`;
  return { id, label, value: "in step", title, level: "ok" };
}

function scheduler({ held_here, locked, pid, hostname, is_stale }: SchedulerLock): HealthItem {
  const base = { id: "scheduler", label: "Tasks" } as const;
  if (held_here) {
    const title = `This instance holds the scheduler's lock (process ${pid ?? "unknown"})`;
    return { ...base, value: "run here", title, level: "ok" };
  }
  const where = hostname ?? "another instance";
  if (locked && !is_stale) {
    const title = `Process ${pid ?? "unknown"} on ${where} holds the scheduler's lock`;
    return { ...base, value: `run by ${where}`, title, level: "ok" };
  }
  // Within a lease time somebody takes it over; until then nothing is lost but time.
  const title = locked
    ? `Process ${pid ?? "unknown"} on ${where} no longer gives a sign of life`
    : "Nobody holds the scheduler's lock";
  return { ...base, value: "run by nobody", title, level: "warn" };
}

function telemetry({ telemetry: { export: kind, endpoint, healthy } }: Status): HealthItem {
  const base = { id: "telemetry", label: "Telemetry" } as const;
  if (kind === "off") {
    return { ...base, value: "not exported", title: "No OTLP endpoint is set", level: "off" };
  }
  const title = `OTLP over ${kind}${endpoint === null ? "" : ` to ${endpoint}`}`;
  if (healthy === false) return { ...base, value: "export fails", title, level: "warn" };
  const value = healthy === null ? "export starts" : "exported";
  return { ...base, value, title, level: healthy === null ? "off" : "ok" };
}
