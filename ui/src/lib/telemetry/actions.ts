// What somebody does on the page, for as long as it has consequences that can be told to be its
// own: a call of the API that is made in the same task as the click belongs to the click. There is
// no way yet to follow a click through promises, so a call that is made later stands alone.
import { randomId, text } from "./otlp";
import type { Span } from "./otlp";

const EVENTS = ["click", "submit", "change"];
/** The service takes an identifier of this length. */
const NAME_MAX_LENGTH = 60;

export class Action {
  readonly traceId = randomId(16);
  readonly spanId = randomId(8);
  readonly name: string;
  readonly #startMs: number;
  readonly #tell: (span: Span) => void;
  #openCalls = 0;

  constructor(name: string, startMs: number, tell: (span: Span) => void) {
    this.name = name;
    this.#startMs = startMs;
    this.#tell = tell;
  }

  callBegun(): void {
    this.#openCalls += 1;
  }

  /** With the last of its calls the action is over; one without any call is never told. */
  callEnded(endMs: number): void {
    this.#openCalls -= 1;
    if (this.#openCalls > 0) return;
    const { traceId, spanId } = this;
    const attributes = [text("bangui.page.action", this.name)];
    this.#tell({ traceId, spanId, parentSpanId: "", startMs: this.#startMs, endMs, attributes });
  }
}

export class Actions {
  current: Action | null = null;
  readonly #tell: (span: Span) => void;
  readonly #nowMs: () => number;

  constructor(tell: (span: Span) => void, nowMs: () => number) {
    this.#tell = tell;
    this.#nowMs = nowMs;
  }

  /** Listens before any handler of the page does. */
  listen(target: EventTarget): void {
    for (const name of EVENTS) {
      target.addEventListener(name, (event) => this.#begin(event), { capture: true });
    }
  }

  #begin(event: Event): void {
    // A click on a button submits its form in the same task; the button's name says more.
    if (this.current !== null) return;
    const action = new Action(nameOf(event), this.#nowMs(), this.#tell);
    this.current = action;
    setTimeout(() => {
      if (this.current === action) this.current = null;
    }, 0);
  }
}

/** The name that the page's source has for what was touched, never what stands written there. */
function nameOf(event: Event): string {
  const element = event.target instanceof Element ? event.target : null;
  const named = element?.closest("[data-testid]")?.getAttribute("data-testid");
  return identifier(named ?? `${event.type}_${element?.localName ?? "page"}`);
}

export function identifier(name: string): string {
  const symbols = name.toLowerCase().replace(/[^a-z0-9]+/g, "_");
  const trimmed = symbols.replace(/^[^a-z]+/, "").slice(0, NAME_MAX_LENGTH);
  return trimmed === "" ? "page" : trimmed;
}
