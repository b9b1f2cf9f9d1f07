import { describe, expect, it } from "vitest";
import { activityWords } from "./activity";
import type { AuditItem } from "./types";

const item: AuditItem = {
  id: 1,
  at: "2026-11-24T10:00:00Z",
  actor: "admin",
  client_ip: "192.0.2.7",
  action: "ban",
  jail: "sshd",
  ip: "203.0.113.9",
  reason: null,
  result: "success",
  detail: null,
  correlation_id: null,
};
const said = (changes: Partial<AuditItem>) => {
  const { verb, target, reason } = activityWords({ ...item, ...changes });
  return [verb, target, reason].filter(Boolean).join(" | ");
};

describe("an entry of the audit log", () => {
  it("tells a ban with the operator's own words in quotes", () => {
    expect(said({})).toBe("ban | 203.0.113.9 in sshd");
    expect(said({ reason: "scans us" })).toBe("ban | 203.0.113.9 in sshd | “scans us”");
  });

  it("names lists and tasks before the rest", () => {
    const list = { action: "blocklist_create", ip: null, reason: "drop from /lists/drop.txt" };
    expect(said(list)).toBe("add blocklist | drop in sshd | from /lists/drop.txt");
    const task = { action: "run_task", ip: null, jail: null, reason: "history_sync" };
    expect(said(task)).toBe("run task | history_sync");
  });

  it("has words for what has no target, and for what a newer service does", () => {
    const none = { ip: null, jail: null };
    expect(said({ ...none, action: "login" })).toBe("sign in");
    expect(said({ ...none, action: "set_log_level", reason: "debug for 10 min" })).toBe(
      "set log level | debug for 10 min",
    );
    expect(said({ ...none, action: "rename_jail" })).toBe("rename jail");
  });
});
