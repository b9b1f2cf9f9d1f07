// The address that is looked at: where it is banned, and what was before, page by page.
import { api } from "./api";
import type { AddressAnswer, Ban, HistoryEntry, Problem } from "./types";

const PAGE_ROWS = 50;
/** More of one address helps nobody and slows the page. */
const MAX_ROWS = 500;

class AddressView {
  ip = $state("");
  isOpen = $state(false);
  isLoading = $state(false);
  /** Null before the first answer. */
  entries = $state.raw<HistoryEntry[] | null>(null);
  /** Null while fail2ban is away, so that nobody knows. */
  bans = $state.raw<Ban[] | null>(null);
  problem = $state.raw<Problem | null>(null);
  #next = $state<string | null>(null);
  #question = 0;

  canLoadMore = $derived(this.#next !== null && (this.entries?.length ?? 0) < MAX_ROWS);

  open(ip: string): void {
    this.ip = ip.trim();
    this.entries = null;
    this.bans = null;
    this.#next = null;
    this.isOpen = true;
    void this.#ask(null);
  }

  /** Again from the start, after a failure. */
  retry(): void {
    this.open(this.ip);
  }

  loadMore(): void {
    if (this.canLoadMore && !this.isLoading) void this.#ask(this.#next);
  }

  close(): void {
    this.#question += 1;
    this.isOpen = false;
  }

  async #ask(cursor: string | null): Promise<void> {
    const own = ++this.#question;
    this.isLoading = true;
    this.problem = null;
    const result = await api.address(this.ip, PAGE_ROWS, cursor);
    // An answer that was overtaken by a later question is old.
    if (own !== this.#question) return;
    this.isLoading = false;
    if (result.ok) this.#take(result.data, cursor !== null);
    else this.problem = result.problem;
  }

  #take({ ip, bans, items, next }: AddressAnswer, isMore: boolean): void {
    this.ip = ip;
    this.bans = bans;
    this.entries = [...(isMore ? (this.entries ?? []) : []), ...items];
    this.#next = next;
  }
}

export const address = new AddressView();
