// The live feed: what was banned and unbanned lately, newest first, whoever did it.
import type { BanEvent, HistoryItem, UnbanEvent } from "./types";

/** A feed is for what happens now; the history has the rest. */
export const MAX_FEED = 40;

export interface FeedEntry {
  key: string;
  kind: "ban" | "unban";
  jail: string;
  ip: string;
  at: string;
  source: string | null;
  correlationId: string | null;
}

let sequence = 0;

export function entryOf(
  kind: FeedEntry["kind"],
  event: BanEvent | UnbanEvent,
  nowIso: string,
): FeedEntry {
  sequence += 1;
  const at = kind === "ban" && "banned_at" in event ? event.banned_at : nowIso;
  const { jail, ip, source, correlation_id } = event;
  const key = `live-${sequence}`;
  return { key, kind, jail, ip, at, source, correlationId: correlation_id };
}

export function feedOf(history: HistoryItem[]): FeedEntry[] {
  const entries = history.flatMap((item): FeedEntry[] => {
    const { jail, ip } = item;
    const ban: FeedEntry = {
      key: `ban-${item.id}`,
      kind: "ban",
      jail,
      ip,
      at: item.banned_at,
      // The history knows what lists do as what operators do, with a reason that names the list.
      source: item.reason?.startsWith("blocklist ") ? "blocklist" : item.source,
      correlationId: item.correlation_id,
    };
    if (item.unbanned_at === null) return [ban];
    // The history row's id and source are those of its ban, so the unban shows neither.
    const rest = { at: item.unbanned_at, source: null, correlationId: null };
    return [ban, { ...ban, key: `unban-${item.id}`, kind: "unban", ...rest }];
  });
  return entries.sort((a, b) => Date.parse(b.at) - Date.parse(a.at)).slice(0, MAX_FEED);
}

export function prepend(feed: FeedEntry[], entry: FeedEntry): FeedEntry[] {
  return [entry, ...feed].slice(0, MAX_FEED);
}
