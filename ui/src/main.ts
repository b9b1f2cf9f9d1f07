// Entry point of the page: the styles that every view shares, the watch for errors, the one
// component, and after the first paint what measures the page.
import { mount } from "svelte";
import App from "./App.svelte";
import { ErrorReporter } from "./lib/errors";
import { fetchAt } from "./lib/place";
import { session } from "./lib/session.svelte";
import type { Telemetry } from "./lib/telemetry";
import "./styles/tokens.css";
import "./styles/base.css";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");

const errors = new ErrorReporter({
  fetch: fetchAt,
  isSignedIn: () => session.phase === "signed-in",
  path: () => location.pathname,
});
errors.listen(window);
let telemetry: Telemetry | null = null;
// What was noted before the sign-in is told after it.
session.whenSignedIn(() => {
  errors.flush();
  telemetry?.flush();
});

mount(App, { target });

// Who asks not to be measured is not, although nothing of it leaves their own service.
const isUnwanted =
  navigator.doNotTrack === "1" ||
  (navigator as { globalPrivacyControl?: boolean }).globalPrivacyControl === true;
// Two frames: the first one is painted before the second is asked for.
if (!isUnwanted) requestAnimationFrame(() => requestAnimationFrame(() => void measure()));

async function measure(): Promise<void> {
  try {
    const { start } = await import("./lib/telemetry");
    telemetry = start(() => session.phase === "signed-in");
  } catch {
    // The page works without it.
  }
}
