// The bans table's state: pages on demand, live changes row by row, a filter that asks the
// service only when the page does not already hold every row.
import { api } from "./api";
import { appendPage, applyChange, matches, MAX_ROWS } from "./bans";
import type { BanChange, BanRow } from "./bans";
import type { Problem } from "./types";

/** The rest of the page stays near; whoever wants more wants many. */
const FIRST_ROWS = 50;
const MORE_ROWS = 200;
/** A pause in typing: long enough to spare the service, short enough to feel direct. */
const FILTER_PAUSE_MS = 250;
/** Changes remembered while a page is on its way; beyond this the page is asked for again. */
const MAX_PENDING = 500;

export class BanList {
  rows = $state.raw<BanRow[]>([]);
  next = $state<string | null>(null);
  filter = $state("");
  isLoaded = $state(false);
  isLoading = $state(false);
  problem = $state.raw<Problem | null>(null);
  #servedQuery = $state("");
  #generation = 0;
  #pending: BanChange[] | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  visible = $derived(this.rows.filter((row) => matches(row, this.filter)));
  canLoadMore = $derived(this.next !== null && this.rows.length < MAX_ROWS);
  isCapped = $derived(this.next !== null && this.rows.length >= MAX_ROWS);
  /** True while the rows are all bans there are, so that counting them is exact. */
  isWhole = $derived(this.isLoaded && this.next === null && this.#servedQuery === "");

  async load(): Promise<void> {
    await this.#fetch(null);
  }

  async loadMore(): Promise<void> {
    if (this.canLoadMore && !this.isLoading) await this.#fetch(this.next);
  }

  setFilter(text: string): void {
    this.filter = text;
    clearTimeout(this.#timer);
    if (this.isWhole) return;
    this.#timer = setTimeout(() => void this.load(), FILTER_PAUSE_MS);
  }

  apply(change: BanChange): void {
    if (this.#pending !== null && this.#pending.length < MAX_PENDING) this.#pending.push(change);
    if (change.kind === "ban" && !matches(change.ban, this.#servedQuery)) return;
    this.rows = applyChange(this.rows, change);
  }

  async #fetch(cursor: string | null): Promise<void> {
    const generation = ++this.#generation;
    const q = cursor === null ? this.filter.trim() : this.#servedQuery;
    this.isLoading = true;
    this.#pending = [];
    const result = await api.bans(q, cursor === null ? FIRST_ROWS : MORE_ROWS, cursor);
    if (generation !== this.#generation) return;
    const changes = this.#pending ?? [];
    this.#pending = null;
    this.isLoading = false;
    this.problem = result.ok ? null : result.problem;
    // The last known rows stay when fail2ban or the network is away.
    if (!result.ok) return;
    const fresh = new Map(this.rows.map((row) => [`${row.jail} ${row.ip}`, row.freshUntilMs]));
    const page = result.data.items.map((ban): BanRow => {
      const freshUntilMs = fresh.get(`${ban.jail} ${ban.ip}`);
      return freshUntilMs === undefined ? ban : { ...ban, freshUntilMs };
    });
    this.#servedQuery = q;
    this.next = result.data.next;
    this.isLoaded = true;
    this.rows = appendPage(cursor === null ? [] : this.rows, page);
    // What happened while the page was on its way is newer than the page.
    for (const change of changes) this.apply(change);
  }
}
