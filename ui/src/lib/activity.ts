// What people did, in words: the verb, on what, and why. The verbs are those of buttons and menus,
// so that they are as true of what failed as of what was done.
import type { AuditItem } from "./types";

export interface ActivityWords {
  verb: string;
  /** An address, a list, a task: what stands in the type for names. */
  target: string;
  /** The operator's own words in quotes, or a setting's values. */
  reason: string;
}

const VERBS: Record<string, string> = {
  account_setup: "create the account",
  blocklist_create: "add blocklist",
  blocklist_delete: "delete blocklist",
  blocklist_import: "import blocklist",
  blocklist_update: "change blocklist",
  login: "sign in",
  run_task: "run task",
  set_log_level: "set log level",
};

/** Actions whose target's name is where others have the operator's words. */
const NAMES_FIRST = /^(?:blocklist_\w+|run_task)$/;

export function activityWords({ action, ip, jail, reason }: AuditItem): ActivityWords {
  const verb = VERBS[action] ?? action.replaceAll("_", " ");
  const place = [ip ?? "", jail === null ? "" : `in ${jail}`].filter(Boolean).join(" ");
  if (reason === null) return { verb, target: place, reason: "" };
  if (action === "set_log_level") return { verb, target: "", reason };
  if (!NAMES_FIRST.test(action)) return { verb, target: place, reason: `“${reason}”` };
  const [name = "", ...rest] = reason.split(" ");
  return { verb, target: [name, place].filter(Boolean).join(" "), reason: rest.join(" ") };
}
