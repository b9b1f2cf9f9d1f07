// The live connection: one EventSource, opened again with patience when the browser gives up.
// It reports facts to its owner and holds no data of the page.
import { at } from "./place";

export type LiveState = "connecting" | "open" | "lost" | "closed";

export interface LiveHandlers {
  onState(state: LiveState): void;
  /** `resumed` is false when events may have been missed since the last connection. */
  onOpen(resumed: boolean): void;
  onEvent(name: string, data: unknown): void;
  /** The browser gave up for good: the session may have ended. True means: try again. */
  onRefused(): Promise<boolean>;
}

export const EVENT_NAMES = ["ban", "unban", "jail", "status", "reset"] as const;
const RETRY_FIRST_MS = 1000;
/** The page must be live again soon after a restart of the service. */
const RETRY_MAX_MS = 10_000;
/** EventSource.CLOSED, which a test without a browser does not have. */
const CLOSED = 2;

export type SourceFactory = (url: string) => EventSource;

export class LiveConnection {
  #source: EventSource | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #retryMs = RETRY_FIRST_MS;
  #isFirstOpen = true;
  #isStopped = false;

  constructor(
    private readonly url: string,
    private readonly handlers: LiveHandlers,
    private readonly open: SourceFactory = (address) => new EventSource(at(address)),
  ) {}

  start(): void {
    this.handlers.onState("connecting");
    this.#connect();
  }

  stop(): void {
    this.#isStopped = true;
    this.#source?.close();
    this.#source = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.handlers.onState("closed");
  }

  #connect(): void {
    const source = this.open(this.url);
    this.#source = source;
    this.#isFirstOpen = true;
    source.addEventListener("open", () => {
      this.#retryMs = RETRY_FIRST_MS;
      this.handlers.onState("open");
      // The browser's own reconnect sends Last-Event-ID; a new EventSource cannot.
      this.handlers.onOpen(!this.#isFirstOpen);
      this.#isFirstOpen = false;
    });
    source.addEventListener("error", () => void this.#failed(source));
    for (const name of EVENT_NAMES) {
      source.addEventListener(name, (event) => this.#received(name, event as MessageEvent));
    }
  }

  #received(name: string, event: MessageEvent): void {
    let data: unknown;
    try {
      data = JSON.parse(String(event.data || "{}"));
    } catch {
      // An event that cannot be read is an event missed.
      this.handlers.onEvent("reset", {});
      return;
    }
    this.handlers.onEvent(name, data);
  }

  async #failed(source: EventSource): Promise<void> {
    if (this.#isStopped || source !== this.#source) return;
    this.handlers.onState("lost");
    if (source.readyState !== CLOSED) return;
    source.close();
    const mayRetry = await this.handlers.onRefused();
    if (!mayRetry || this.#isStopped) return;
    this.#timer = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }
}
