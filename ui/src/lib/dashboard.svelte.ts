// The state behind the overview, and the rules by which live events change it.
import { api } from "./api";
import { BanList } from "./ban-list.svelte";
import { hasBan } from "./bans";
import { entryOf, feedOf, MAX_FEED, prepend } from "./feed";
import type { FeedEntry } from "./feed";
import { LiveConnection } from "./live";
import type { LiveState } from "./live";
import { session } from "./session.svelte";
import type { AuditItem, Ban, BanEvent, Jail, Page, Status, UnbanEvent } from "./types";

const AUDIT_ROWS = 20;
/** Data comes even where something on the way swallows event streams. */
const FIRST_LOAD_WAIT_MS = 1500;
/** A reconnect of a second or two is not worth a banner. */
const OFFLINE_AFTER_MS = 2000;
/** Events are followed by one refresh of the counts and of the activity, not by one each. */
const SETTLE_MS = 1500;
/** Without any event for this long, look whether the counts still hold. */
const IDLE_CHECK_MS = 60_000;

export class Dashboard {
  status = $state.raw<Status | null>(null);
  jails = $state.raw<Jail[]>([]);
  audit = $state.raw<AuditItem[]>([]);
  feed = $state.raw<FeedEntry[]>([]);
  live = $state<LiveState>("connecting");
  isOffline = $state(false);
  /** The status decides how high the page's head is; what is below waits for it, not for long. */
  isReady = $state(false);
  readonly bans = new BanList();

  isConnected = $derived(this.status?.fail2ban.connected ?? true);
  bansTotal = $derived(this.bans.isWhole ? this.bans.rows.length : (this.status?.bans ?? null));
  jailsTotal = $derived(this.jails.length > 0 ? this.jails.length : (this.status?.jails ?? null));

  #connection: LiveConnection | null = null;
  #hasLoaded = false;
  #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #lastEventMs = Date.now();
  #idle: ReturnType<typeof setInterval> | undefined;

  start(): void {
    this.#connection = new LiveConnection("/api/events", {
      onState: (state) => this.#liveChanged(state),
      onOpen: (resumed) => {
        if (!resumed || !this.#hasLoaded) this.load();
      },
      onEvent: (name, data) => this.#event(name, data),
      onRefused: () => this.#mayReconnect(),
    });
    this.#connection.start();
    this.#after("first-load", FIRST_LOAD_WAIT_MS, () => {
      if (!this.#hasLoaded) this.load();
      this.isReady = true;
    });
    this.#idle = setInterval(() => {
      if (Date.now() - this.#lastEventMs > IDLE_CHECK_MS) void this.#loadStatus();
    }, IDLE_CHECK_MS);
  }

  stop(): void {
    this.#connection?.stop();
    clearInterval(this.#idle);
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  load(): void {
    this.#hasLoaded = true;
    void this.#loadStatus();
    void this.#loadJails();
    void this.bans.load();
    void this.#loadAudit();
    void this.#loadFeed();
  }

  /** After an action of this page: the row changes at once, its event later changes nothing. */
  banned(ban: Ban): void {
    const event: BanEvent = { ...ban, source: "operator", correlation_id: null };
    this.#ban(event);
    this.refreshActivity();
  }

  unbanned(jail: string, ip: string): void {
    this.#unban({ jail, ip, source: "operator", correlation_id: null });
    this.refreshActivity();
  }

  refreshActivity(): void {
    void this.#loadAudit();
  }

  #event(name: string, data: unknown): void {
    this.#lastEventMs = Date.now();
    if (name === "reset") return this.load();
    if (name === "status") return this.#statusChanged(data as Status);
    if (name === "jail") return void (this.jails = (data as Page<Jail>).items);
    const nowIso = new Date().toISOString();
    if (name === "ban") {
      const ban = data as BanEvent;
      this.#ban(ban);
      // Times that became known are no news for the feed.
      if (!ban.is_correction) this.feed = prepend(this.feed, entryOf("ban", ban, nowIso));
    } else if (name === "unban") {
      this.#unban(data as UnbanEvent);
      this.feed = prepend(this.feed, entryOf("unban", data as UnbanEvent, nowIso));
    }
    // Not put off by the next event: a steady attack must not freeze the counts.
    if (this.#timers.has("settle")) return;
    this.#after("settle", SETTLE_MS, () => {
      void this.#loadStatus();
      void this.#loadAudit();
    });
  }

  #ban(ban: BanEvent): void {
    if (!hasBan(this.bans.rows, ban)) this.#count(1);
    this.bans.apply({ kind: "ban", ban, atMs: Date.now() });
  }

  #unban(ban: UnbanEvent): void {
    if (hasBan(this.bans.rows, ban)) this.#count(-1);
    this.bans.apply({ kind: "unban", ban });
  }

  /** A guess until the service's next count, which comes within `SETTLE_MS` of the event. */
  #count(change: number): void {
    if (this.status === null || this.status.bans === null) return;
    this.status = { ...this.status, bans: Math.max(this.status.bans + change, 0) };
  }

  #statusChanged(status: Status): void {
    const wasAway = this.status !== null && !this.status.fail2ban.connected;
    this.status = status;
    this.isReady = true;
    if (wasAway && status.fail2ban.connected) {
      void this.bans.load();
      void this.#loadJails();
    }
  }

  #liveChanged(state: LiveState): void {
    this.live = state;
    const isLost = state === "lost" || (state === "connecting" && this.isOffline);
    if (!isLost) {
      this.#cancel("offline");
      this.isOffline = false;
    } else if (!this.#timers.has("offline")) {
      this.#after("offline", OFFLINE_AFTER_MS, () => (this.isOffline = this.live === "lost"));
    }
  }

  async #mayReconnect(): Promise<boolean> {
    await session.refresh();
    return session.phase === "signed-in";
  }

  async #loadStatus(): Promise<void> {
    const result = await api.status();
    if (result.ok) this.#statusChanged(result.data);
  }

  async #loadJails(): Promise<void> {
    const result = await api.jails();
    if (result.ok) this.jails = result.data.items;
  }

  async #loadAudit(): Promise<void> {
    const result = await api.audit(AUDIT_ROWS);
    if (result.ok) this.audit = result.data.items;
  }

  async #loadFeed(): Promise<void> {
    const result = await api.history(MAX_FEED);
    if (result.ok) this.feed = feedOf(result.data.items);
  }

  #after(name: string, delayMs: number, action: () => void): void {
    this.#cancel(name);
    const timer = setTimeout(() => {
      this.#timers.delete(name);
      action();
    }, delayMs);
    this.#timers.set(name, timer);
  }

  #cancel(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }
}
