// What the page has to tell, on its way to the service: a few at a time, never too many, and at
// once when the page is hidden, because it may not come back.
//
// It works with `fetch` itself, so that it causes nothing that it would have to tell of.
import { metricsRequest, spansRequest } from "./otlp";
import type { Point, Span } from "./otlp";

/** What waits, of each kind; the oldest make room. Before the sign-in everything waits. */
export const WAITING_MAX = 100;
/** One request of each kind stays so below 64 KiB together, as `keepalive` and the service want. */
export const BATCH_MAX = 50;
/** Twenty requests a minute of each kind; the service takes sixty of a session. */
export const FLUSH_AFTER_MS = 3000;

export interface Surroundings {
  fetch: typeof fetch;
  /** Only who is signed in may tell. */
  isSignedIn: () => boolean;
  isHidden: () => boolean;
}

export class Outbox {
  #spans: Span[] = [];
  #points: Point[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #around: Surroundings;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  addSpan(span: Span): void {
    add(this.#spans, span);
    this.#schedule();
  }

  addPoint(point: Point): void {
    add(this.#points, point);
    this.#schedule();
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#around.isSignedIn()) {
      const spans = this.#spans.splice(0, BATCH_MAX);
      if (spans.length > 0) this.#send("/v1/traces", spansRequest(spans));
      const points = this.#points.splice(0, BATCH_MAX);
      if (points.length > 0) this.#send("/v1/metrics", metricsRequest(points));
    }
    if (this.#spans.length + this.#points.length > 0) this.#later();
  }

  #schedule(): void {
    if (this.#around.isHidden()) this.flush();
    else this.#later();
  }

  #later(): void {
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_AFTER_MS);
  }

  #send(path: string, body: unknown): void {
    const init: RequestInit = {
      method: "POST",
      credentials: "same-origin",
      // Outlives the page as a beacon does, and is otherwise a request like any other.
      keepalive: true,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    };
    // What cannot be delivered is lost: to try again would only add to the trouble.
    void this.#around.fetch(path, init).catch(() => undefined);
  }
}

function add<T>(waiting: T[], item: T): void {
  waiting.push(item);
  if (waiting.length > WAITING_MAX) waiting.shift();
}
