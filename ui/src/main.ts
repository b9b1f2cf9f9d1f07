// Entry point of the page: the styles that every view shares, the watch for errors, then the one
// component.
import { mount } from "svelte";
import App from "./App.svelte";
import { ErrorReporter } from "./lib/errors";
import { session } from "./lib/session.svelte";
import "./styles/tokens.css";
import "./styles/base.css";

const target = document.getElementById("app");
if (target === null) throw new Error("index.html has no #app");

const errors = new ErrorReporter({
  fetch: window.fetch.bind(window),
  isSignedIn: () => session.phase === "signed-in",
  path: () => location.pathname,
});
errors.listen(window);
// What went wrong before the sign-in is told after it.
session.whenSignedIn(() => errors.flush());

mount(App, { target });
