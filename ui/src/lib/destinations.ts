// Says in a few words what the collector and each destination behind it are doing.
import type { Collector, Destination } from "./types";

export interface DestinationItem {
  id: string;
  label: string;
  value: string;
  title: string;
  level: "ok" | "warn" | "off";
}

/** As the alert on a backlog: at ten records a second this is an hour and a half. */
const BACKLOG_SHARE = 0.05;

/** What went wrong before there was an answer, in words; a status of HTTP speaks for itself. */
const REASONS: Record<string, string> = {
  cancelled: "no answer in time",
  connection_lost: "connection lost",
  connection_refused: "connection refused",
  name_resolution: "host name unknown",
  timeout: "no answer in time",
  tls: "certificate or TLS refused",
};

/** Why a destination fails, or nothing. */
function reason(type: string | null | undefined): string {
  if (!type) return "";
  if (/^[45]\d\d$/.test(type)) return `: it answers ${type}`;
  return Object.hasOwn(REASONS, type) ? `: ${REASONS[type]}` : ": see the collector's log";
}

const records = (count: number): string => count.toLocaleString("en");

/** The collector first. Nothing while no telemetry leaves, or in an answer of an older service. */
export function describeCollector(collector: Collector | null | undefined): DestinationItem[] {
  if (!collector) return [];
  const { reachable, error, destinations } = collector;
  // Without destinations behind it, whoever takes the telemetry need not be our collector at all.
  const level = destinations.length > 0 ? "warn" : "off";
  const own: DestinationItem = reachable
    ? { id: "collector", label: "Collector", value: "reachable", title: "", level: "ok" }
    : { id: "collector", label: "Collector", value: "not reachable", title: error ?? "", level };
  return [own, ...destinations.map((one) => destination(one, reachable))];
}

function destination(one: Destination, isKnown: boolean): DestinationItem {
  const { name, queue_size: waiting, queue_capacity: most, sent, dropped, failing } = one;
  const parts = [`${records(sent)} sent`];
  if (waiting > 0) parts.push(`${records(waiting)} waiting`);
  if (dropped > 0) parts.push(`${records(dropped)} lost`);
  if (failing) parts.push(`failing${reason(one.error_type)}`);
  const isBehind = most > 0 && waiting / most > BACKLOG_SHARE;
  const title = `${records(waiting)} of ${records(most)} records wait in the queue of ${name}`;
  const isWrong = failing || isBehind || dropped > 0;
  const level = isWrong ? "warn" : isKnown ? "ok" : "off";
  return { id: `destination-${name}`, label: name, value: parts.join(", "), title, level };
}
