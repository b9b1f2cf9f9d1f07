// Turns whatever an error answer contains into one `Problem` that can be shown to a person.
import type { Problem } from "./types";

/** No answer at all: the status that stands for it, since HTTP has none below 100. */
export const NO_ANSWER = 0;

export function unreachable(timedOut: boolean): Problem {
  return {
    type: "about:blank",
    title: timedOut ? "BanGUI took too long to answer" : "BanGUI cannot be reached",
    status: NO_ANSWER,
    detail: "Whether it was done is not known. Check the connection, then look again.",
    correlation_id: null,
    errors: [],
    retry_after_seconds: null,
  };
}

/** `body` is the parsed JSON or anything else that a proxy on the way may have sent. */
export function toProblem(
  status: number,
  body: unknown,
  correlationId: string | null,
  retryAfter: string | null,
): Problem {
  const fields = isRecord(body) ? body : {};
  return {
    type: text(fields["type"]) ?? "about:blank",
    title: text(fields["title"]) ?? `The request failed (${status})`,
    status,
    detail: text(fields["detail"]),
    correlation_id: text(fields["correlation_id"]) ?? correlationId,
    errors: fieldErrors(fields["errors"]),
    retry_after_seconds: seconds(fields["retry_after_seconds"]) ?? seconds(retryAfter),
  };
}

export function fieldError(problem: Problem | null, field: string): string | null {
  return problem?.errors.find((error) => error.field === field)?.message ?? null;
}

function fieldErrors(value: unknown): Problem["errors"] {
  if (!Array.isArray(value)) return [];
  return value.filter(isRecord).flatMap((error) => {
    const field = text(error["field"]);
    const message = text(error["message"]);
    return field !== null && message !== null ? [{ field, message }] : [];
  });
}

function seconds(value: unknown): number | null {
  if (value === null || value === undefined || value === "") return null;
  const number = Number(value);
  return Number.isFinite(number) && number >= 0 ? Math.ceil(number) : null;
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
