// The list of bans under live events and paging: no twins, no lost reasons, a limit.
import { describe, expect, it } from "vitest";
import { appendPage, applyChange, hasBan, matches, MAX_ROWS } from "./bans";
import type { BanRow } from "./bans";

const row = (ip: string, jail = "sshd", reason: string | null = null): BanRow => ({
  jail,
  ip,
  banned_at: "2026-11-23T12:00:00Z",
  expires_at: null,
  reason,
});
const ban = (ip: string, jail = "sshd") => ({
  kind: "ban" as const,
  ban: { ...row(ip, jail), source: "log", correlation_id: null },
  atMs: 1000,
});
const unban = (ip: string, jail = "sshd") => ({
  kind: "unban" as const,
  ban: { jail, ip, source: "log", correlation_id: null },
});

describe("applyChange", () => {
  it("puts a new ban first and marks it as new", () => {
    const rows = applyChange([row("192.0.2.1")], ban("192.0.2.2"));
    expect(rows.map((r) => r.ip)).toEqual(["192.0.2.2", "192.0.2.1"]);
    expect(rows[0]?.freshUntilMs).toBeGreaterThan(1000);
  });

  it("keeps place and reason of a ban that is told again, and does not mark it", () => {
    const before = [row("192.0.2.1"), row("192.0.2.2", "sshd", "scanner")];
    const rows = applyChange(before, ban("192.0.2.2"));
    expect(rows.map((r) => r.ip)).toEqual(["192.0.2.1", "192.0.2.2"]);
    expect(rows[1]).toMatchObject({ reason: "scanner", freshUntilMs: 0 });
  });

  it("takes the same address in another jail for another ban", () => {
    const rows = applyChange([row("192.0.2.1")], ban("192.0.2.1", "nginx"));
    expect(rows).toHaveLength(2);
    expect(applyChange(rows, unban("192.0.2.1", "nginx")).map((r) => r.jail)).toEqual(["sshd"]);
  });

  it("changes nothing for an unban of an unknown address", () => {
    const rows = [row("192.0.2.1")];
    expect(applyChange(rows, unban("192.0.2.9"))).toBe(rows);
  });

  it("never holds more rows than the limit", () => {
    const full = Array.from({ length: MAX_ROWS }, (_, i) => row(`10.0.${i >> 8}.${i & 255}`));
    const rows = applyChange(full, ban("192.0.2.1"));
    expect(rows).toHaveLength(MAX_ROWS);
    expect(hasBan(rows, { jail: "sshd", ip: "192.0.2.1" })).toBe(true);
  });
});

describe("appendPage", () => {
  it("adds no twin when pages overlap", () => {
    const rows = appendPage([row("192.0.2.1"), row("192.0.2.2")], [row("192.0.2.2"), row("::1")]);
    expect(rows.map((r) => r.ip)).toEqual(["192.0.2.1", "192.0.2.2", "::1"]);
  });
});

describe("a first page", () => {
  it("holds no twins of its own", () => {
    expect(appendPage([], [row("::1"), row("::1"), row("::2")])).toHaveLength(2);
  });
});

describe("matches", () => {
  it("looks into address, jail and reason, whatever the case", () => {
    expect(matches(row("192.0.2.1"), " 0.2.")).toBe(true);
    expect(matches(row("192.0.2.1"), "SSH")).toBe(true);
    expect(matches(row("192.0.2.1", "sshd", "Scanner"), "scan")).toBe(true);
    expect(matches(row("192.0.2.1"), "nginx")).toBe(false);
    expect(matches(row("192.0.2.1"), "  ")).toBe(true);
  });
});
