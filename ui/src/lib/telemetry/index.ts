// The page's telemetry, put together. It is loaded after the first paint, as a file of its own, so
// that measuring does not slow what is measured.
import { observeCalls } from "../api";
import { fetchAt } from "../place";
import { Actions } from "./actions";
import { Calls } from "./calls";
import { Outbox } from "./outbox";
import { Vitals } from "./vitals";

export interface Telemetry {
  /** Sends what has waited. */
  flush: () => void;
}

export function start(isSignedIn: () => boolean): Telemetry {
  const outbox = new Outbox({
    fetch: fetchAt,
    isSignedIn,
    isHidden: () => document.visibilityState === "hidden",
  });
  const actions = new Actions((span) => outbox.addSpan(span), Date.now);
  const calls = new Calls(outbox, actions, Date.now);
  actions.listen(document);
  observeCalls(calls);
  new Vitals(outbox).listen();
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") outbox.flush();
  });
  window.addEventListener("pagehide", () => outbox.flush());
  return { flush: () => outbox.flush() };
}
