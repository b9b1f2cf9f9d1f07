// Blocklists: their shapes in the API, and how their state is told.
import { relativeTime } from "./time";

export interface LastImport {
  started_at: string | null;
  finished_at: string | null;
  result: "running" | "interrupted" | "completed" | "unchanged" | "failed";
  error_type: string | null;
  error: string | null;
  added: number;
  renewed: number;
  removed: number;
  refused: number;
  duration_ms: number;
  correlation_id: string | null;
}

export interface Blocklist {
  id: number;
  name: string;
  /** Keys in it are masked. */
  source: string;
  jail: string;
  enabled: boolean;
  networks: boolean;
  interval_seconds: number;
  entries: number;
  is_importing: boolean;
  is_being_deleted: boolean;
  due_at: string | null;
  succeeded_at: string | null;
  last_import: LastImport | null;
}

/** What is sent to set a list up; without a source it keeps the one that it has. */
export interface BlocklistSetup {
  name: string;
  source?: string;
  jail: string;
  enabled: boolean;
  networks: boolean;
  interval_seconds: number;
}

export interface BlocklistPreview {
  entries: number;
  merged: number;
  add: number;
  renew: number;
  keep: number;
  held: number;
  remove: number;
  refused: number;
  refused_by_reason: Record<string, number>;
  refused_examples: { line: number | null; text: string; reason: string }[];
  problem: string | null;
}

export interface BlocklistWords {
  text: string;
  level: "good" | "warn" | "bad" | "busy";
  /** Whether an import could believe a list that this one did not. */
  mayBeForced: boolean;
}

/** How often a list may be imported, in words that an operator chooses from. */
export const INTERVALS: { label: string; seconds: number }[] = [
  { label: "every hour", seconds: 3600 },
  { label: "every 6 hours", seconds: 6 * 3600 },
  { label: "every day", seconds: 24 * 3600 },
  { label: "every week", seconds: 7 * 24 * 3600 },
];

/** The choices, with the one that a list has by other means. */
export function intervalsWith(seconds: number): { label: string; seconds: number }[] {
  if (INTERVALS.some((it) => it.seconds === seconds)) return INTERVALS;
  return [...INTERVALS, { label: `every ${seconds} seconds`, seconds }];
}

export function describeBlocklist(list: Blocklist, nowMs: number): BlocklistWords {
  if (list.is_being_deleted) return words("its bans are being lifted…", "busy");
  if (list.is_importing) return words("importing…", "busy");
  const last = list.last_import;
  if (last === null) return words(list.enabled ? "waits for its turn" : "never imported", "warn");
  const when = last.finished_at === null ? "" : ` ${relativeTime(last.finished_at, nowMs)}`;
  switch (last.result) {
    case "failed": {
      const mayBeForced = last.error_type === "shrunk" || last.error_type === "empty";
      return { ...words(`failed${when}: ${last.error ?? "no reason is known"}`, "bad"), mayBeForced };
    }
    case "running":
    case "interrupted":
      return words("was interrupted; it goes on from there", "warn");
    case "unchanged":
      return words(`unchanged${when}${changes(last)}`, "good");
    case "completed":
      return words(`imported${when}${changes(last)}`, "good");
  }
}

/** What a preview says, in one line. */
export function describePreview(preview: BlocklistPreview): string {
  const parts = [
    `${preview.add} to ban`,
    `${preview.remove} to unban`,
    `${preview.keep + preview.renew} banned already`,
  ];
  if (preview.held > 0) parts.push(`${preview.held} banned by others`);
  if (preview.refused > 0) parts.push(`${preview.refused} refused`);
  const noun = preview.entries === 1 ? "entry" : "entries";
  return `${preview.entries} ${noun}: ${parts.join(", ")}`;
}

/** Whether a look is due soon, because something is under way. */
export function isUnderWay(lists: Blocklist[]): boolean {
  return lists.some((list) => list.is_importing || list.is_being_deleted);
}

function words(text: string, level: BlocklistWords["level"]): BlocklistWords {
  return { text, level, mayBeForced: false };
}

function changes({ added, removed, refused }: LastImport): string {
  const parts = [];
  if (added > 0) parts.push(`+${added}`);
  if (removed > 0) parts.push(`−${removed}`);
  if (refused > 0) parts.push(`${refused} refused`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}
