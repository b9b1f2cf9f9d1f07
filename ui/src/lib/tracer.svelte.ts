// Opens the trace behind a correlation id, with patience: spans reach Jaeger some seconds
// after the request that they describe.
import { api } from "./api";
import { isComplete, isTraceId, normaliseTraceId } from "./trace";
import type { Problem, Trace } from "./types";

/** Exporter, collector and Jaeger each batch for some seconds. */
const GIVE_UP_MS = 20_000;
const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 2000;

export type TracePhase = "closed" | "waiting" | "missing" | "failed" | "arriving" | "shown";

class Tracer {
  phase = $state<TracePhase>("closed");
  id = $state("");
  trace = $state.raw<Trace | null>(null);
  problem = $state.raw<Problem | null>(null);
  #run = 0;

  isOpen = $derived(this.phase !== "closed");

  /** False when the text cannot be a correlation id. */
  open(text: string): boolean {
    const id = normaliseTraceId(text);
    if (!isTraceId(id)) return false;
    this.id = id;
    this.trace = null;
    void this.#poll();
    return true;
  }

  retry(): void {
    void this.#poll();
  }

  close(): void {
    this.#run += 1;
    this.phase = "closed";
  }

  async #poll(): Promise<void> {
    const run = ++this.#run;
    const deadlineMs = Date.now() + GIVE_UP_MS;
    this.problem = null;
    this.phase = this.trace === null ? "waiting" : "arriving";
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 1.5, MAX_DELAY_MS)) {
      const result = await api.trace(this.id);
      if (run !== this.#run) return;
      if (result.ok && result.data.spans.length > 0) {
        this.trace = result.data;
        this.phase = isComplete(result.data) ? "shown" : "arriving";
        if (this.phase === "shown") return;
      } else if (!result.ok && result.status !== 404) {
        this.problem = result.problem;
        this.phase = "failed";
        return;
      }
      if (Date.now() + delayMs > deadlineMs) break;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      if (run !== this.#run) return;
    }
    // A trace without its root is still worth showing: the caller may have kept the root.
    this.phase = this.trace === null ? "missing" : "shown";
  }
}

export const tracer = new Tracer();
