import { describe, expect, it } from "vitest";
import { at, placeOf } from "./place";

describe("the place of the service", () => {
  it("is the root, or the folder in which the page lies", () => {
    expect(placeOf("https://bans.example/")).toBe("");
    expect(placeOf("https://bans.example/?a=/b/")).toBe("");
    expect(placeOf("https://example.com/bangui/")).toBe("/bangui");
    expect(placeOf("https://example.com/a/b/index.html#c/d")).toBe("/a/b");
  });

  it("leaves paths as they are where there is no document", () => {
    expect(at("/api/bans")).toBe("/api/bans");
  });
});
