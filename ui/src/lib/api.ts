// The only place that calls `fetch`, but for what tells the service of the page itself: typed
// results that never throw, and the correlation id of every answer, so that any message on the
// page can lead to its trace.
import type { Blocklist, BlocklistPreview, BlocklistSetup } from "./blocklists";
import { at } from "./place";
import { toProblem, unreachable } from "./problem";
import type { AddressAnswer, AuditItem, Ban, CollectorLogItem, HistoryItem, Jail, LogLevel } from "./types";
import type { LogLevelName, Page, Problem, Session, Status, Task, TaskRun } from "./types";
import type { Trace } from "./types";

/** Longer than the service's own limits, so that its answer is seen rather than ours. */
const REQUEST_TIMEOUT_MS = 20_000;

export type Result<T> =
  | { ok: true; status: number; data: T; correlationId: string | null }
  | { ok: false; status: number; problem: Problem; correlationId: string | null };

let onSignedOut: () => void = () => {};

/** Called when any call finds that the session has ended. */
export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

/** How a call ended: with a status, or why there is none. */
export type CallEnd = number | "timeout" | "network";

export interface ObservedCall {
  /** Goes with the request, so that the service continues the trace. */
  traceparent?: string;
  ended: (end: CallEnd) => void;
}

/** A call that is over. */
export interface ApiCall {
  method: string;
  /** The route's template: never a path with values. */
  endpoint: string;
  end: CallEnd;
  durationMs: number;
  /** When it was over. */
  atMs: number;
}

export interface Observer {
  begin: (method: string, endpoint: string) => ObservedCall;
  /** A call that began before there was an observer. */
  recordApiCall: (call: ApiCall) => void;
}

let observer: Observer | null = null;

/** Calls of the first moments, for an observer that comes later; a page makes few of them. */
const EARLY_MAX = 20;
const early: ApiCall[] = [];

/** Has each call told before it is sent, by its route's template, and when it is over. */
export function observeCalls(by: Observer): void {
  observer = by;
  for (const call of early.splice(0)) by.recordApiCall(call);
}

function beginEarly(method: string, endpoint: string): ObservedCall {
  const startMs = Date.now();
  const ended = (end: CallEnd): void => {
    const atMs = Date.now();
    const call = { method, endpoint, end, durationMs: atMs - startMs, atMs };
    if (observer !== null) observer.recordApiCall(call);
    else if (early.length < EARLY_MAX) early.push(call);
  };
  return { ended };
}

async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  endpoint: string = path.split("?")[0] ?? path,
): Promise<Result<T>> {
  const observed = observer?.begin(method, endpoint) ?? beginEarly(method, endpoint);
  const init: RequestInit = {
    method,
    credentials: "same-origin",
    cache: "no-store",
    headers: { accept: "application/json, application/problem+json" },
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  };
  if (body !== undefined) {
    init.headers = { ...init.headers, "content-type": "application/json" };
    init.body = JSON.stringify(body);
  }
  if (observed.traceparent !== undefined) {
    init.headers = { ...init.headers, traceparent: observed.traceparent };
  }
  try {
    const response = await fetch(at(path), init);
    const result = await read<T>(response, path);
    observed.ended(response.status);
    return result;
  } catch (error) {
    const timedOut = error instanceof DOMException && error.name === "TimeoutError";
    observed.ended(timedOut ? "timeout" : "network");
    const problem = unreachable(timedOut);
    return { ok: false, status: problem.status, problem, correlationId: null };
  }
}

async function read<T>(response: Response, path: string): Promise<Result<T>> {
  const correlationId = response.headers.get("x-correlation-id");
  const status = response.status;
  const text = await response.text();
  const body = parse(text);
  const isMalformed = body === undefined && text !== "";
  if (response.ok && !isMalformed) {
    return { ok: true, status, data: body as T, correlationId };
  }
  // A wrong password is a 401 too, but there is no session that could have ended.
  const isSignIn = path === "/api/auth/login" || path === "/api/auth/setup";
  if (status === 401 && !isSignIn) onSignedOut();
  const retryAfter = response.headers.get("retry-after");
  const problem = toProblem(status, body, correlationId, retryAfter);
  return { ok: false, status, problem, correlationId: problem.correlation_id };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function query(parameters: Record<string, string | number | null>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== null && value !== "") search.set(name, String(value));
  }
  return search.size > 0 ? `?${search}` : "";
}

const segment = encodeURIComponent;

export const api = {
  session: () => call<Session>("GET", "/api/auth/session"),
  login: (username: string, password: string) =>
    call<void>("POST", "/api/auth/login", { username, password }),
  setup: (code: string, password: string) =>
    call<void>("POST", "/api/auth/setup", { code, password }),
  logout: () => call<void>("POST", "/api/auth/logout"),

  status: () => call<Status>("GET", "/api/dashboard/status"),
  jails: () => call<Page<Jail>>("GET", "/api/jails"),
  bans: (q: string, limit: number, cursor: string | null) =>
    call<Page<Ban>>("GET", `/api/bans${query({ q, limit, cursor })}`),
  ban: (jail: string, ip: string, reason: string) =>
    call<Ban>("POST", "/api/bans", reason === "" ? { jail, ip } : { jail, ip, reason }),
  unban: (jail: string, ip: string) =>
    call<void>(
      "DELETE",
      `/api/bans/${segment(jail)}/${segment(ip)}`,
      undefined,
      "/api/bans/{id}/{id}",
    ),

  address: (ip: string, limit: number, cursor: string | null) =>
    call<AddressAnswer>(
      "GET",
      `/api/addresses/${segment(ip)}${query({ limit, cursor })}`,
      undefined,
      "/api/addresses/{id}",
    ),

  blocklists: () => call<{ items: Blocklist[]; max: number }>("GET", "/api/blocklists"),
  createBlocklist: (setup: BlocklistSetup) => call<Blocklist>("POST", "/api/blocklists", setup),
  updateBlocklist: (id: number, setup: BlocklistSetup) =>
    call<Blocklist>("PUT", `/api/blocklists/${id}`, setup, "/api/blocklists/{id}"),
  deleteBlocklist: (id: number) =>
    call<Blocklist>("DELETE", `/api/blocklists/${id}`, undefined, "/api/blocklists/{id}"),
  previewBlocklist: (id: number) =>
    call<BlocklistPreview>(
      "POST",
      `/api/blocklists/${id}/preview`,
      undefined,
      "/api/blocklists/{id}/preview",
    ),
  importBlocklist: (id: number, force: boolean) =>
    call<Blocklist>(
      "POST",
      `/api/blocklists/${id}/import`,
      { force },
      "/api/blocklists/{id}/import",
    ),

  history: (limit: number) => call<Page<HistoryItem>>("GET", `/api/history${query({ limit })}`),
  audit: (limit: number) => call<Page<AuditItem>>("GET", `/api/audit${query({ limit })}`),
  collectorLog: (limit: number) =>
    call<Page<CollectorLogItem>>("GET", `/api/telemetry/collector-log${query({ limit })}`),
  logLevel: () => call<LogLevel>("GET", "/api/settings/log-level"),
  setLogLevel: (level: LogLevelName, seconds: number | null) =>
    call<LogLevel>(
      "PUT",
      "/api/settings/log-level",
      seconds === null ? { level } : { level, for_seconds: seconds },
    ),
  tasks: () => call<Page<Task>>("GET", "/api/scheduler/tasks"),
  taskRuns: (task: string, limit: number) =>
    call<Page<TaskRun>>(
      "GET",
      `/api/scheduler/tasks/${segment(task)}/runs${query({ limit })}`,
      undefined,
      "/api/scheduler/tasks/{id}/runs",
    ),
  runTask: (task: string) =>
    call<{ task: string; correlation_id: string | null }>(
      "POST",
      `/api/scheduler/tasks/${segment(task)}/runs`,
      undefined,
      "/api/scheduler/tasks/{id}/runs",
    ),
  trace: (id: string) =>
    call<Trace>("GET", `/api/traces/${segment(id)}`, undefined, "/api/traces/{id}"),
};
