import { describe, expect, it } from "vitest";
import { bannedBy, endWords, looksLikeAddress } from "./address";
import type { HistoryEntry } from "./types";

const entry: HistoryEntry = {
  id: 1,
  jail: "sshd",
  ip: "203.0.113.9",
  banned_at: "2026-11-24T10:00:00Z",
  expires_at: null,
  unbanned_at: null,
  source: "log",
  reason: null,
  correlation_id: null,
  actor: null,
  unban_source: null,
  unban_actor: null,
};

describe("looksLikeAddress", () => {
  it.each(["203.0.113.9", " 2001:db8::9 ", "::1", "::ffff:192.0.2.1", "198.51.100."])(
    "%s does",
    (text) => expect(looksLikeAddress(text)).toBe(true),
  );
  it.each(["", "sshd", "0123456789abcdef0123456789abcdef", "42", `1.${"1".repeat(60)}`])(
    "%s does not",
    (text) => expect(looksLikeAddress(text)).toBe(false),
  );
});

describe("an entry of the history", () => {
  it("names who banned", () => {
    expect(bannedBy(entry)).toBe("by fail2ban");
    expect(bannedBy({ ...entry, source: "operator", actor: "admin" })).toBe("by admin");
    expect(bannedBy({ ...entry, source: "operator" })).toBe("by an operator");
    const listed = { ...entry, source: "operator", reason: "blocklist drop" };
    expect(bannedBy(listed)).toBe("by a blocklist");
  });

  it("says how it ended, and nothing before", () => {
    const ended = { ...entry, unbanned_at: "2026-11-24T10:10:00Z" };
    expect(endWords(entry)).toBe("");
    expect(endWords({ ...ended, unban_source: "list" })).toBe("unbanned by fail2ban");
    const lifted = { ...ended, unban_source: "operator", unban_actor: "admin" };
    expect(endWords(lifted)).toBe("unbanned by admin");
  });
});
