import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { unreachable } from "./problem";
import { toasts } from "./toasts.svelte";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const { id } of toasts.items) toasts.dismiss(id);
  vi.useRealTimers();
});

describe("a problem's message", () => {
  it("says what was not done, and why", () => {
    const refused = { ...unreachable(false), status: 409, title: "Conflict", detail: "it runs" };
    toasts.problem(refused, "It was not imported");
    expect(toasts.items).toMatchObject([
      { kind: "error", title: "It was not imported", detail: "Conflict: it runs" },
    ]);
  });

  it("does not claim that nothing was done where there was no answer", () => {
    toasts.problem(unreachable(false), "203.0.113.9 was not banned");
    const [toast] = toasts.items;
    expect(toast?.title).toBe("BanGUI cannot be reached");
    expect(toast?.detail).toMatch(/^Whether it was done is not known/);
  });
});
