// The list of bans as a value: pages are appended, live events change single rows, and no
// event costs a request. Order is the server's: newest first.
import type { Ban, BanEvent, UnbanEvent } from "./types";

/** More rows than this help nobody and slow the page; the filter finds the rest. */
export const MAX_ROWS = 1000;
/** How long a row that came by a live event is marked as new. */
export const FRESH_MS = 4000;

export interface BanRow extends Ban {
  /** Set on rows that came live; the mark ends at this time. */
  freshUntilMs?: number;
}

export type BanChange =
  | { kind: "ban"; ban: BanEvent; atMs: number }
  | { kind: "unban"; ban: UnbanEvent };

export function banKey(ban: { jail: string; ip: string }): string {
  return `${ban.jail}\u0000${ban.ip}`;
}

export function hasBan(rows: readonly BanRow[], ban: { jail: string; ip: string }): boolean {
  return rows.some((row) => row.jail === ban.jail && row.ip === ban.ip);
}

export function matches(row: { jail: string; ip: string; reason?: string | null }, q: string) {
  const needle = q.trim().toLowerCase();
  if (needle === "") return true;
  return [row.ip, row.jail, row.reason ?? ""].some((text) => text.toLowerCase().includes(needle));
}

/** A repeated ban of the same address keeps its reason and is not marked as new again. */
export function applyChange(rows: BanRow[], change: BanChange): BanRow[] {
  const key = banKey(change.ban);
  const others = rows.filter((row) => banKey(row) !== key);
  if (change.kind === "unban") return others.length === rows.length ? rows : others;
  const known = rows.find((row) => banKey(row) === key);
  const { jail, ip, banned_at, expires_at } = change.ban;
  const row: BanRow = {
    jail,
    ip,
    banned_at,
    expires_at,
    reason: change.ban.reason ?? known?.reason ?? null,
    freshUntilMs: known ? (known.freshUntilMs ?? 0) : change.atMs + FRESH_MS,
  };
  if (known) return rows.map((old) => (old === known ? row : old));
  return [row, ...others].slice(0, MAX_ROWS);
}

/** A page that overlaps the rows (something changed between two requests) adds no twins. */
export function appendPage(rows: BanRow[], page: Ban[]): BanRow[] {
  const known = new Set(rows.map(banKey));
  const added = page.filter((ban) => {
    const key = banKey(ban);
    const isNew = !known.has(key);
    known.add(key);
    return isNew;
  });
  return [...rows, ...added].slice(0, MAX_ROWS);
}
