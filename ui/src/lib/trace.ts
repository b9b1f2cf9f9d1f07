// From a list of spans to the rows of a waterfall: nested by parent, placed by time.
import type { Span, Trace } from "./types";

/** A trace of a request has tens of spans; beyond this the drawing stops being readable. */
export const MAX_SPANS = 500;
/** Bars thinner than this could be neither seen nor clicked. */
const MIN_WIDTH_PERCENT = 0.6;
/** The room that a duration such as "12.3 ms" needs beside its bar. */
const LABEL_PERCENT = 22;

export interface WaterfallRow {
  span: Span;
  depth: number;
  leftPercent: number;
  widthPercent: number;
  offsetUs: number;
  /** Where the duration is written, so that it stays inside the drawing. */
  label: "after" | "before" | "inside";
  /** Index of the service in the order of first appearance: picks its colour. */
  serviceIndex: number;
}

export interface Waterfall {
  rows: WaterfallRow[];
  services: string[];
  totalUs: number;
  omitted: number;
}

export function isTraceId(text: string): boolean {
  return /^[0-9a-f]{32}$/.test(text) && !/^0+$/.test(text);
}

/** What people paste: upper case, spaces, or a whole `traceparent`. */
export function normaliseTraceId(text: string): string {
  const trimmed = text.trim().toLowerCase();
  const parent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(trimmed);
  return parent?.[1] ?? trimmed.replace(/[\s-]/g, "");
}

/** The root span ends last, so its presence says that the trace has arrived whole. */
export function isComplete(trace: Trace): boolean {
  return trace.spans.some((span) => span.parent_span_id === null);
}

export function waterfall(spans: Span[]): Waterfall {
  const ordered = nest(withoutTwins(spans));
  const shown = ordered.slice(0, MAX_SPANS);
  const startUs = Math.min(...shown.map(({ span }) => span.start_unix_us));
  const endUs = Math.max(...shown.map(({ span }) => span.start_unix_us + span.duration_us));
  const totalUs = shown.length === 0 ? 0 : Math.max(endUs - startUs, 1);
  const services = [...new Set(shown.map(({ span }) => span.service))];
  const rows = shown.map(({ span, depth }): WaterfallRow => {
    const offsetUs = span.start_unix_us - startUs;
    const widthPercent = Math.max((span.duration_us / totalUs) * 100, MIN_WIDTH_PERCENT);
    const leftPercent = Math.min((offsetUs / totalUs) * 100, 100 - MIN_WIDTH_PERCENT);
    const rightPercent = Math.max(100 - leftPercent - widthPercent, 0);
    return {
      span,
      depth,
      offsetUs,
      leftPercent,
      widthPercent: Math.min(widthPercent, 100 - leftPercent),
      label: placeLabel(leftPercent, rightPercent),
      serviceIndex: services.indexOf(span.service),
    };
  });
  return { rows, services, totalUs, omitted: ordered.length - shown.length };
}

function placeLabel(leftPercent: number, rightPercent: number): WaterfallRow["label"] {
  if (rightPercent >= LABEL_PERCENT) return "after";
  return leftPercent >= LABEL_PERCENT ? "before" : "inside";
}

/** On its way to Jaeger a span may be delivered more than once. */
function withoutTwins(spans: Span[]): Span[] {
  return [...new Map(spans.map((span) => [span.span_id, span])).values()];
}

/** Depth first, siblings by start. A span whose parent is absent counts as a root. */
function nest(spans: Span[]): { span: Span; depth: number }[] {
  const known = new Set(spans.map((span) => span.span_id));
  const children = new Map<string | null, Span[]>();
  for (const span of [...spans].sort((a, b) => a.start_unix_us - b.start_unix_us)) {
    const parent = span.parent_span_id;
    const under = parent !== null && known.has(parent) && parent !== span.span_id ? parent : null;
    children.set(under, [...(children.get(under) ?? []), span]);
  }
  const rows: { span: Span; depth: number }[] = [];
  const stack = (children.get(null) ?? []).map((span) => ({ span, depth: 0 })).reverse();
  // A loop of parents must not hang the page.
  const seen = new Set<Span>();
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    if (seen.has(next.span)) continue;
    seen.add(next.span);
    rows.push(next);
    const below = children.get(next.span.span_id) ?? [];
    for (const span of [...below].reverse()) stack.push({ span, depth: next.depth + 1 });
  }
  // Spans that are each other's parents hang below no root, and are shown all the same.
  const lost = spans.filter((span) => !seen.has(span));
  return [...rows, ...lost.map((span) => ({ span, depth: 0 }))];
}
