// Web Vitals: five by Google's library, and First Input Delay, which the library no longer has.
import { onCLS, onFCP, onINP, onLCP, onTTFB } from "web-vitals";
import { text } from "./otlp";
import type { Outbox } from "./outbox";

/** Back and forth through the history makes new ones; nobody does that so often. */
const VITALS_MAX = 60;

export interface Vital {
  name: string;
  value: number;
  /** One of a view of the page: the library tells some again as they grow. */
  id: string;
  navigationType: string;
}

export class Vitals {
  #told = new Set<string>();
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  listen(): void {
    const record = (vital: Vital): void => this.record(vital);
    onTTFB(record);
    onFCP(record);
    onLCP(record);
    onCLS(record);
    onINP(record);
    listenForFirstInput(record);
  }

  /** Each vital of a view counts once, as it was when the library first held it to be known. */
  record({ name, value, id, navigationType }: Vital): void {
    if (this.#told.has(id) || this.#told.size >= VITALS_MAX) return;
    this.#told.add(id);
    this.#outbox.addPoint({
      metric: "browser.web_vital",
      unit: name === "CLS" ? "1" : "ms",
      atMs: Date.now(),
      value,
      attributes: [
        text("browser.web_vital.name", name),
        text("browser.web_vital.navigation_type", navigationType),
      ],
    });
  }
}

function listenForFirstInput(record: (vital: Vital) => void): void {
  const observer = new PerformanceObserver((list) => {
    const [entry] = list.getEntries() as PerformanceEventTiming[];
    if (entry === undefined) return;
    observer.disconnect();
    const value = Math.max(entry.processingStart - entry.startTime, 0);
    record({ name: "FID", value, id: "FID", navigationType: navigationType() });
  });
  try {
    observer.observe({ type: "first-input", buffered: true });
  } catch {
    // A browser that does not have such entries has no First Input Delay.
  }
}

function navigationType(): string {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  return (entry?.type ?? "navigate").replaceAll("_", "-");
}
