// The state of blocklists in words.
import { describe, expect, it } from "vitest";
import { describeBlocklist, describePreview, INTERVALS, intervalsWith, isUnderWay } from "./blocklists";
import type { Blocklist, LastImport } from "./blocklists";

const NOW = Date.parse("2026-11-26T12:00:00Z");

function list(last: Partial<LastImport> | null, more: Partial<Blocklist> = {}): Blocklist {
  const whole: LastImport = {
    started_at: "2026-11-26T11:58:00Z",
    finished_at: "2026-11-26T11:59:00Z",
    result: "completed",
    error_type: null,
    error: null,
    added: 0,
    renewed: 0,
    removed: 0,
    refused: 0,
    duration_ms: 10,
    correlation_id: null,
    ...last,
  };
  return {
    id: 1,
    name: "drop",
    source: "https://lists.example.com/***",
    jail: "blocklists",
    enabled: true,
    networks: true,
    interval_seconds: 86_400,
    entries: 3,
    is_importing: false,
    is_being_deleted: false,
    due_at: null,
    succeeded_at: null,
    last_import: last === null ? null : whole,
    ...more,
  };
}

describe("a blocklist", () => {
  it("tells what its last import did", () => {
    const done = describeBlocklist(list({ added: 5, removed: 2, refused: 1 }), NOW);
    expect(done.level).toBe("good");
    expect(done.text).toMatch(/^imported .+ \(\+5, −2, 1 refused\)$/);
    const same = describeBlocklist(list({ result: "unchanged" }), NOW);
    expect(same.text).toMatch(/^unchanged /);
    expect(same.text).not.toContain("(");
  });

  it("tells why it failed, and whether it may be imported anyway", () => {
    const failed = { result: "failed", error_type: "shrunk", error: "more than half are gone" } as const;
    const shrunk = describeBlocklist(list(failed), NOW);
    expect(shrunk).toMatchObject({ level: "bad", mayBeForced: true });
    expect(shrunk.text).toContain("more than half are gone");
    const away = describeBlocklist(list({ ...failed, error_type: "timeout" }), NOW);
    expect(away.mayBeForced).toBe(false);
  });

  it("tells what is under way before what was", () => {
    const failed = { result: "failed" } as const;
    expect(describeBlocklist(list(failed, { is_importing: true }), NOW).level).toBe("busy");
    expect(describeBlocklist(list(failed, { is_being_deleted: true }), NOW).text).toContain("lifted");
    expect(describeBlocklist(list({ result: "interrupted" }), NOW).level).toBe("warn");
    expect(describeBlocklist(list(null), NOW).text).toBe("waits for its turn");
    expect(describeBlocklist(list(null, { enabled: false }), NOW).text).toBe("never imported");
    expect(isUnderWay([list(null), list(null, { is_importing: true })])).toBe(true);
    expect(isUnderWay([list(null)])).toBe(false);
  });

  it("offers the interval that it has, whatever it is", () => {
    expect(intervalsWith(3600)).toBe(INTERVALS);
    expect(intervalsWith(1000).at(-1)).toEqual({ label: "every 1000 seconds", seconds: 1000 });
    // The service's own bounds.
    expect(INTERVALS.every((it) => it.seconds >= 300 && it.seconds <= 2_592_000)).toBe(true);
  });

  it("tells a preview in one line", () => {
    const none = { refused_by_reason: {}, refused_examples: [], problem: null, merged: 0 };
    const counts = { entries: 9, add: 3, renew: 1, keep: 2, held: 0, remove: 4, refused: 0 };
    expect(describePreview({ ...none, ...counts })).toBe(
      "9 entries: 3 to ban, 4 to unban, 3 banned already",
    );
    expect(describePreview({ ...none, ...counts, held: 1, refused: 2 })).toContain(
      "1 banned by others, 2 refused",
    );
    expect(describePreview({ ...none, ...counts, entries: 1 })).toContain("1 entry: ");
  });
});
