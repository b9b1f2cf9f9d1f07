// The feed out of history and live events.
import { describe, expect, it } from "vitest";
import { entryOf, feedOf, MAX_FEED, prepend } from "./feed";
import type { HistoryItem } from "./types";

const item = (id: number, minute: number, unbanned: number | null = null): HistoryItem => ({
  id,
  jail: "sshd",
  ip: `192.0.2.${id}`,
  banned_at: `2026-11-23T12:${String(minute).padStart(2, "0")}:00Z`,
  expires_at: null,
  unbanned_at: unbanned === null ? null : `2026-11-23T12:${unbanned}:00Z`,
  source: "log",
  correlation_id: "abc",
});

describe("feed", () => {
  it("shows ban and unban of a history row as two events, newest first", () => {
    const feed = feedOf([item(2, 20), item(1, 10, 30)]);
    expect(feed.map((e) => [e.kind, e.ip])).toEqual([
      ["unban", "192.0.2.1"],
      ["ban", "192.0.2.2"],
      ["ban", "192.0.2.1"],
    ]);
    expect(feed[0]?.correlationId).toBeNull();
  });

  it("tells what a list did from what an operator did", () => {
    const own = { ...item(1, 10), source: "operator", reason: "a scanner" };
    const listed = { ...item(2, 20), source: "operator", reason: "blocklist drop" };
    expect(feedOf([listed, own]).map((entry) => entry.source)).toEqual(["blocklist", "operator"]);
  });

  it("has a limit and gives every live event its own key", () => {
    const event = { jail: "sshd", ip: "192.0.2.1", source: "operator", correlation_id: null };
    let feed = feedOf([item(1, 10)]);
    for (let i = 0; i < MAX_FEED + 5; i += 1) feed = prepend(feed, entryOf("unban", event, "now"));
    expect(feed).toHaveLength(MAX_FEED);
    expect(new Set(feed.map((entry) => entry.key)).size).toBe(MAX_FEED);
  });
});
