// The JSON shapes of BanGUI's HTTP API, as the page reads them.

export interface Session {
  user: { username: string } | null;
  setup_required: boolean;
  version: string;
}

export interface SourceHealth {
  healthy: boolean;
  age_seconds?: number | null;
  path?: string | null;
  error?: string | null;
}

/** Which instance runs the scheduled tasks. */
export interface SchedulerLock {
  held_here: boolean;
  locked: boolean;
  pid: number | null;
  hostname: string | null;
  age_seconds: number | null;
  is_stale: boolean;
  ttl_remaining: number | null;
}

export interface Status {
  fail2ban: {
    connected: boolean;
    version: string | null;
    error: string | null;
    sources?: { list?: SourceHealth; log?: SourceHealth };
  };
  jails: number | null;
  bans: number | null;
  bans_24h: number | null;
  telemetry: {
    export: string;
    endpoint: string | null;
    healthy: boolean | null;
    /** Absent in an older answer, null while nothing leaves. */
    collector?: Collector | null;
  };
  /** Absent in an older answer, null when the store did not give it. */
  scheduler?: SchedulerLock | null;
  links: { jaeger: string | null };
  version: string;
  started_at: string;
}

/** The collector, by what it tells of itself. */
export interface Collector {
  reachable: boolean;
  error: string | null;
  destinations: Destination[];
}

/** A destination of logs; counts are records since the collector's start. */
export interface Destination {
  name: string;
  queue_size: number;
  queue_capacity: number;
  sent: number;
  /** Each failed attempt counts; what failed is tried again. */
  failed: number;
  dropped: number;
  failing: boolean;
  /** Why, in one word; absent in an older answer, null while it does not fail or nobody tells. */
  error_type?: string | null;
}

/** A line of the collector's own log, or several that follow each other and say the same. */
export interface CollectorLogItem {
  seq: number;
  at: string;
  first_at: string;
  level: "debug" | "info" | "warning" | "error" | "critical";
  /** Empty for the collector as a whole. */
  component: string;
  message: string;
  error: string;
  count: number;
}

export type LogLevelName = "trace" | "debug" | "info" | "warning" | "error" | "critical";

export interface LogLevel {
  level: LogLevelName;
  default: LogLevelName;
  reverts_at: string | null;
}

/** A run of a scheduled task. */
export interface TaskRun {
  id: number;
  started_at: string;
  ended_at: string | null;
  /** Null while it runs, and when nobody saw its end. */
  duration_ms: number | null;
  result: "running" | "completed" | "failed" | "interrupted";
  changes: number | null;
  error: string | null;
  correlation_id: string | null;
  /** Null when it was due. */
  requested_by: string | null;
}

export interface Task {
  name: string;
  /** Null if it follows a cron expression. */
  interval_seconds: number | null;
  /** In UTC; null if it has an interval. */
  cron: string | null;
  timeout_seconds: number;
  /** Since when a run is asked for that has not begun. */
  requested_at: string | null;
  /** Null while it runs. */
  next_run_at: string | null;
  last_success_at: string | null;
  failures_in_a_row: number;
  last_run: TaskRun | null;
}

export interface Jail {
  name: string;
  currently_banned: number;
  total_banned: number;
  currently_failed: number;
  total_failed: number;
}

export interface Ban {
  jail: string;
  ip: string;
  banned_at: string;
  expires_at: string | null;
  reason: string | null;
}

export interface HistoryItem {
  id: number | string;
  jail: string;
  ip: string;
  banned_at: string;
  expires_at: string | null;
  unbanned_at: string | null;
  source: string;
  reason?: string | null;
  correlation_id: string | null;
}

/** An entry of one address's history, with who was behind it. */
export interface HistoryEntry extends HistoryItem {
  actor: string | null;
  unban_source: string | null;
  unban_actor: string | null;
}

export interface AddressAnswer {
  ip: string;
  /** Null while fail2ban is away. */
  bans: Ban[] | null;
  items: HistoryEntry[];
  next: string | null;
}

export interface AuditItem {
  id: number | string;
  at: string;
  actor: string | null;
  client_ip: string | null;
  action: string;
  jail: string | null;
  ip: string | null;
  reason: string | null;
  result: "pending" | "success" | "failure";
  detail: string | null;
  correlation_id: string | null;
}

export interface Page<T> {
  items: T[];
  next: string | null;
}

export interface Span {
  span_id: string;
  parent_span_id: string | null;
  name: string;
  service: string;
  kind: string;
  start_unix_us: number;
  duration_us: number;
  error: boolean;
  attributes: Record<string, unknown>;
}

export interface Trace {
  trace_id: string;
  jaeger_url: string | null;
  spans: Span[];
}

/** RFC 9457, with BanGUI's extensions. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string | null;
  correlation_id: string | null;
  errors: { field: string; message: string }[];
  retry_after_seconds: number | null;
}

/** Data of the server-sent events `ban` and `unban`. */
export interface BanEvent {
  jail: string;
  ip: string;
  banned_at: string;
  expires_at: string | null;
  reason?: string | null;
  /** The ban was told before; only its times are new. */
  is_correction?: boolean;
  source: string;
  correlation_id: string | null;
}

export interface UnbanEvent {
  jail: string;
  ip: string;
  source: string;
  correlation_id: string | null;
}
