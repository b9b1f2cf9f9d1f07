// Short messages after an action, each with the correlation id of the answer behind it.
import { NO_ANSWER } from "./problem";
import type { Problem } from "./types";

export interface Toast {
  id: number;
  kind: "success" | "error";
  title: string;
  detail: string | null;
  correlationId: string | null;
}

/** The oldest go first: a burst of errors must not cover the page. */
const MAX_TOASTS = 4;
const SUCCESS_MS = 10_000;
/** An error stays long enough to be read and its trace opened. */
const ERROR_MS = 30_000;

class Toasts {
  items = $state.raw<Toast[]>([]);
  #nextId = 1;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  success(title: string, detail: string | null, correlationId: string | null): void {
    this.#show({ id: this.#nextId++, kind: "success", title, detail, correlationId });
  }

  problem(problem: Problem, context: string): void {
    // Without an answer nobody knows that it was not done.
    const isKnown = problem.status !== NO_ANSWER;
    const title = isKnown ? context : problem.title;
    const words = isKnown ? [problem.title, problem.detail] : [problem.detail];
    const detail = words.filter(Boolean).join(": ");
    const correlationId = problem.correlation_id;
    this.#show({ id: this.#nextId++, kind: "error", title, detail, correlationId });
  }

  dismiss(id: number): void {
    this.hold(id);
    this.items = this.items.filter((toast) => toast.id !== id);
  }

  /** While the pointer or the focus is on a toast, it stays. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  release(toast: Toast): void {
    this.hold(toast.id);
    const shownMs = toast.kind === "error" ? ERROR_MS : SUCCESS_MS;
    this.#timers.set(toast.id, setTimeout(() => this.dismiss(toast.id), shownMs));
  }

  #show(toast: Toast): void {
    for (const old of this.items.slice(0, -(MAX_TOASTS - 1))) this.dismiss(old.id);
    this.items = [...this.items, toast];
    this.release(toast);
  }
}

export const toasts = new Toasts();
