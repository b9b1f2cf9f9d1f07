// Each call of the API as a span, below the click that caused it, and as a measurement. The
// request carries the span's id, so the service continues the trace that begins here.
import type { ApiCall, CallEnd, ObservedCall, Observer } from "../api";
import type { Actions } from "./actions";
import { integer, randomId, text } from "./otlp";
import type { Attribute } from "./otlp";
import type { Outbox } from "./outbox";

export class Calls implements Observer {
  readonly #outbox: Outbox;
  readonly #actions: Actions;
  readonly #nowMs: () => number;

  constructor(outbox: Outbox, actions: Actions, nowMs: () => number) {
    this.#outbox = outbox;
    this.#actions = actions;
    this.#nowMs = nowMs;
  }

  begin(method: string, endpoint: string): ObservedCall {
    const action = this.#actions.current;
    const traceId = action?.traceId ?? randomId(16);
    const spanId = randomId(8);
    const parentSpanId = action?.spanId ?? "";
    const startMs = this.#nowMs();
    action?.callBegun();
    const ended = (end: CallEnd): void => {
      const endMs = this.#nowMs();
      const call = { method, endpoint, end, durationMs: endMs - startMs, atMs: endMs };
      const attributes = attributesOf(call);
      this.#outbox.addSpan({ traceId, spanId, parentSpanId, startMs, endMs, attributes });
      action?.callEnded(endMs);
      this.recordApiCall(call);
    };
    return { traceparent: `00-${traceId}-${spanId}-01`, ended };
  }

  recordApiCall(call: ApiCall): void {
    this.#outbox.addPoint({
      metric: "bangui.frontend.api.duration",
      unit: "s",
      atMs: call.atMs,
      value: call.durationMs / 1000,
      attributes: attributesOf(call),
    });
  }
}

function attributesOf({ method, endpoint, end }: ApiCall): Attribute[] {
  const ending =
    typeof end === "number" ? integer("http.response.status_code", end) : text("error.type", end);
  return [text("http.request.method", method), text("url.template", endpoint), ending];
}
