// What the story needs beside its plot: the browser, the watch over its console, attacks, waits.
import { execFile, execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const VIEWPORT = { width: 1280, height: 800 };
const STEP_MS = 60_000;
const ATTACK_MS = 10_000;
const POLL_MS = 200;
/** Getting a browser may mean to fetch and unpack its packages first. */
const GET_CHROMIUM_MS = 600_000;

/** Chromium reports each of these answers as an error, but the story asks for them. */
const EXPECTED_ANSWERS = [
  { path: /^\/api\/auth\/login$/, status: 401 },
  { path: /^\/api\/bans$/, status: 422 },
  { path: /^\/api\/bans$/, status: 401 },
  { path: /^\/api\/traces\//, status: 404 },
];

export function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}

function chromiumPath() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const script = fileURLToPath(new URL("../../scripts/chromium.sh", import.meta.url));
  const options = { encoding: "utf8", timeout: GET_CHROMIUM_MS };
  return execFileSync(script, options).trim();
}

let currentPage = null;

/** A page, and `faults()`: everything that a console, a policy or a network should not show. */
export async function openBrowser(baseUrl) {
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    // Containers often have a tiny /dev/shm, and no GPU.
    args: ["--disable-dev-shm-usage", "--disable-gpu"],
  });
  const context = await browser.newContext({ viewport: VIEWPORT, colorScheme: "light" });
  const page = await context.newPage();
  const found = [];
  const { origin } = new URL(baseUrl);
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
    );
  });
  page.on("console", (message) => {
    if (message.type() === "error" && !isExpected(message)) found.push(message.text());
  });
  page.on("pageerror", (error) => found.push(String(error)));
  page.on("request", (request) => {
    if (!request.url().startsWith(`${origin}/`)) found.push(`request to ${request.url()}`);
  });
  currentPage = page;
  return { browser, page, faults: () => found };
}

function isExpected(message) {
  const answer = /^Failed to load resource: .* status of (\d{3})/.exec(message.text());
  const { url } = message.location();
  if (answer === null || !url) return false;
  const { pathname } = new URL(url);
  return EXPECTED_ANSWERS.some(
    ({ path, status }) => status === Number(answer[1]) && path.test(pathname),
  );
}

let hasFailed = false;

/** One step of the story; after a failure the rest would only fail slowly. */
export function step(name, action) {
  test(name, { timeout: STEP_MS }, async (context) => {
    if (hasFailed) return context.skip("an earlier step failed");
    try {
      await action();
    } catch (error) {
      hasFailed = true;
      await pictureOfFailure(context);
      throw error;
    }
  });
}

async function pictureOfFailure(context) {
  const path = process.env.SCREENSHOT?.replace(/(\.png)?$/, "-failure.png");
  if (!path || currentPage === null) return;
  try {
    await currentPage.screenshot({ path, timeout: ATTACK_MS });
    context.diagnostic(`picture: ${path}`);
  } catch {
    // The failure itself matters more than its picture.
  }
}

export async function until(isTrue, { timeoutMs, what, state }) {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) {
      const last = state ? `; last seen: ${JSON.stringify(await state())}` : "";
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The sum of what a query finds in Prometheus; nothing when it finds nothing. */
export async function prometheus(query) {
  const base = `http://127.0.0.1:${required("RUN_PROMETHEUS_PORT")}/api/v1/query`;
  const answer = await fetch(`${base}?${new URLSearchParams({ query: `sum(${query})` })}`);
  const { data } = await answer.json();
  const [sum] = data.result;
  return sum === undefined ? undefined : Number(sum.value[1]);
}

export async function attack(ip) {
  const run = promisify(execFile);
  await run(required("ATTACK"), [required("AUTH_LOG"), ip], { timeout: ATTACK_MS });
}
