// Uncaught errors of the page, told to the service as OTLP/JSON, so that they stand in its log.
//
// It works with `fetch` itself rather than with api.ts, because it must work when other code does
// not, and must never cause what it reports: it throws nothing and reports no failure of its own.

/** What goes wrong again and again is told by the first few. */
export const MAX_ERRORS = 10;
/** Errors of one moment travel together. */
const FLUSH_AFTER_MS = 1000;
const MAX_MESSAGE_LENGTH = 1000;
/** Ten of them stay below what `keepalive` and the service take (64 KiB). */
const MAX_STACK_LENGTH = 4000;
/** OTLP's number of ERROR. */
const SEVERITY_ERROR = 17;

interface PageError {
  timeMs: number;
  type: string;
  message: string;
  stack: string;
  path: string;
}

export interface Surroundings {
  fetch: typeof fetch;
  /** Only who is signed in may report; until then errors wait. */
  isSignedIn: () => boolean;
  path: () => string;
}

export class ErrorReporter {
  #seen = new Set<string>();
  #waiting: PageError[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  /** Listens until the page goes. */
  listen(target: EventTarget): void {
    target.addEventListener("error", (event) => {
      const { error, message } = event as ErrorEvent;
      this.note(error ?? message);
    });
    target.addEventListener("unhandledrejection", (event) => {
      this.note((event as PromiseRejectionEvent).reason);
    });
    target.addEventListener("pagehide", () => this.flush());
  }

  note(thrown: unknown): void {
    const error = describe(thrown, this.#around.path());
    const key = `${error.type}\n${error.message}\n${error.stack}`;
    if (this.#seen.size >= MAX_ERRORS || this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#waiting.push(error);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0 || !this.#around.isSignedIn()) return;
    const body = JSON.stringify(requestOf(this.#waiting));
    this.#waiting = [];
    const init: RequestInit = {
      method: "POST",
      credentials: "same-origin",
      keepalive: true,
      headers: { "content-type": "application/json" },
      body,
    };
    // What cannot be delivered is lost: to try again would only add to the trouble.
    void this.#around.fetch("/v1/logs", init).catch(() => undefined);
  }
}

function describe(thrown: unknown, path: string): PageError {
  const isError = thrown instanceof Error;
  const type = isError ? thrown.name : typeof thrown;
  const message = cut(isError ? thrown.message : text(thrown), MAX_MESSAGE_LENGTH);
  const stack = cut(isError ? (thrown.stack ?? "") : "", MAX_STACK_LENGTH);
  return { timeMs: Date.now(), type, message, stack, path };
}

/** Anything can be thrown, even what cannot be written. */
function text(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "(cannot be written)";
  }
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length)}…`;
}

function requestOf(errors: PageError[]): unknown {
  const logRecords = errors.map((error) => ({
    timeUnixNano: `${error.timeMs}000000`,
    severityNumber: SEVERITY_ERROR,
    severityText: "ERROR",
    eventName: "page.exception",
    attributes: [
      attribute("exception.type", error.type),
      attribute("exception.message", error.message),
      attribute("exception.stacktrace", error.stack),
      attribute("url.path", error.path),
    ].filter((it) => it.value.stringValue !== ""),
  }));
  return { resourceLogs: [{ scopeLogs: [{ logRecords }] }] };
}

function attribute(key: string, value: string) {
  return { key, value: { stringValue: value } };
}
