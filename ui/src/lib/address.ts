// What is known of one address in words, and what a person typed who looks for one.
import type { HistoryEntry } from "./types";

/** The longest address has 45 characters. */
const MAX_ADDRESS_LENGTH = 45;

/** Whether a text looks like an address; whether it is one, the service says. */
export function looksLikeAddress(text: string): boolean {
  const address = text.trim();
  if (address.length > MAX_ADDRESS_LENGTH) return false;
  return /^[\d.]+$/.test(address) ? address.includes(".") : /^[\da-f:.]*:[\da-f:.]*$/i.test(address);
}

/** Who banned it: an operator by name, and otherwise fail2ban itself. */
export function bannedBy({ source, actor, reason }: HistoryEntry): string {
  if (reason?.startsWith("blocklist ")) return "by a blocklist";
  if (source === "operator") return `by ${actor ?? "an operator"}`;
  return "by fail2ban";
}

/** How it ended; nothing while it is in force. */
export function endWords({ unbanned_at, unban_source, unban_actor }: HistoryEntry): string {
  if (unbanned_at === null) return "";
  if (unban_source === "operator") return `unbanned by ${unban_actor ?? "an operator"}`;
  return "unbanned by fail2ban";
}
