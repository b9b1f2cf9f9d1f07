// As much of OTLP/JSON as the page speaks: spans, and gauges whose points are single measurements.
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

export interface Attribute {
  key: string;
  value: { stringValue: string } | { intValue: string };
}

export interface Span {
  traceId: string;
  spanId: string;
  parentSpanId: string;
  startMs: number;
  endMs: number;
  attributes: Attribute[];
}

export interface Point {
  metric: string;
  unit: string;
  atMs: number;
  value: number;
  attributes: Attribute[];
}

export function text(key: string, value: string): Attribute {
  return { key, value: { stringValue: value } };
}

export function integer(key: string, value: number): Attribute {
  return { key, value: { intValue: String(value) } };
}

export function spansRequest(spans: Span[]): unknown {
  const encoded = spans.map(({ startMs, endMs, ...span }) => ({
    ...span,
    startTimeUnixNano: nanos(startMs),
    endTimeUnixNano: nanos(Math.max(startMs, endMs)),
  }));
  return { resourceSpans: [{ scopeSpans: [{ spans: encoded }] }] };
}

export function metricsRequest(points: Point[]): unknown {
  const metrics = points.map(({ metric, unit, atMs, value, attributes }) => ({
    name: metric,
    unit,
    gauge: { dataPoints: [{ timeUnixNano: nanos(atMs), asDouble: value, attributes }] },
  }));
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}

/** Nanoseconds since 1970 need more digits than a number has, so they are a text. */
function nanos(ms: number): string {
  const wholeMs = Math.floor(ms);
  const rest = Math.floor((ms - wholeMs) * 1e6);
  return `${wholeMs}${String(rest).padStart(6, "0")}`;
}

/** A random id as lower-case hexadecimal digits; never zeros only, which mean that there is none. */
export function randomId(bytes: 8 | 16): string {
  const random = crypto.getRandomValues(new Uint8Array(bytes));
  if (random.every((byte) => byte === 0)) random[0] = 1;
  return [...random].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
