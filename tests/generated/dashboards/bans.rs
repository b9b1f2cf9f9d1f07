//! What is banned, by whom, and who tries to get in.

use super::Dashboard;
use super::panel::{Panel, lines, number, row};

pub(super) fn dashboard() -> Dashboard {
    let mut panels = numbers();
    panels.extend(jails());
    panels.extend(operators());
    panels.extend(blocklists());
    Dashboard {
        uid: "bangui-bans",
        title: "BanGUI: Bans",
        description: "Is somebody attacking, which jail notices, and do the bans work? Several \
                      instances see the same fail2ban, so counts of it are not added up.",
        refresh: "10s",
        variables: Vec::new(),
        panels,
    }
}

fn numbers() -> Vec<Panel> {
    vec![
        number("Bans in force", "short", "Over all jails, now.")
            .ask("max(bangui_bans_total)", "bans"),
        number("Jails", "short", "A jail less than yesterday has been stopped or has failed.")
            .ask("max(bangui_jails_total)", "jails"),
        number("New bans, 1 h", "short", "Bans that fail2ban made in the last hour.").ask(
            "sum(max by (bangui_fail2ban_jail) (increase(bangui_jail_bans_total[1h])))",
            "bans",
        ),
        number("On their way", "short", "Addresses with failures that have not led to a ban.")
            .ask("sum(max by (bangui_fail2ban_jail) (bangui_jail_failing))", "addresses"),
        number(
            "History is behind by",
            "s",
            "Age of the oldest fact that is not in the history yet; more than some seconds is a \
             database that does not take writes.",
        )
        .ask("max(bangui_history_lag_seconds)", "lag")
        .warn(10.0, 60.0),
        number("Pages that listen", "short", "Open pages and watching programs.")
            .ask("sum(bangui_live_connections)", "connections"),
    ]
}

fn jails() -> Vec<Panel> {
    vec![
        row("Jails"),
        lines("Bans in force by jail", "short", "A steep rise is an attack, or a rule too broad.")
            .ask(
                "topk(10, max by (bangui_fail2ban_jail) (bangui_jail_banned))",
                "{{bangui_fail2ban_jail}}",
            ),
        lines("New bans by jail", "short", "In each 10 minutes, as fail2ban counts them.").ask(
            "topk(10, max by (bangui_fail2ban_jail) (increase(bangui_jail_bans_total[10m])))",
            "{{bangui_fail2ban_jail}}",
        ),
        lines(
            "Failures by jail",
            "cps",
            "Lines of logs that a filter has matched; none for long is a filter or a log that \
             does not fit any more.",
        )
        .ask(
            "topk(10, max by (bangui_fail2ban_jail) (rate(bangui_jail_failures_total[5m])))",
            "{{bangui_fail2ban_jail}}",
        ),
        lines(
            "Bans observed",
            "short",
            "In each 10 minutes, by what told of them: list alone is a log of fail2ban that \
             BanGUI cannot read.",
        )
        .ask(
            "max by (bangui_ban_source) (increase(bangui_bans_observed_total[10m]))",
            "{{bangui_ban_source}}",
        ),
        lines("Ends of bans observed", "short", "In each 10 minutes, by what told of them.").ask(
            "max by (bangui_ban_source) (increase(bangui_unbans_observed_total[10m]))",
            "{{bangui_ban_source}}",
        ),
        lines("Connections that listen", "short", "Pages and programs that hear of bans at once.")
            .ask(
                "sum by (bangui_live_listener) (bangui_live_connections)",
                "{{bangui_live_listener}}",
            ),
    ]
}

fn operators() -> Vec<Panel> {
    vec![
        row("Operators and strangers"),
        lines(
            "Asked for by operators",
            "short",
            "Bans and ends of bans in each 10 minutes, by how \
              they ended.",
        )
        .ask(
            "sum by (bangui_result) (increase(bangui_bans_executed_total[10m]))",
            "ban: {{bangui_result}}",
        )
        .ask(
            "sum by (bangui_result) (increase(bangui_unbans_executed_total[10m]))",
            "end: {{bangui_result}}",
        ),
        lines("Sign-ins", "short", "In each 10 minutes. throttled is somebody who guesses.").ask(
            "sum by (bangui_result, error_type) (increase(bangui_auth_sign_ins_total[10m]))",
            "{{bangui_result}} {{error_type}}",
        ),
        lines(
            "Rejected tokens and changes on record",
            "short",
            "In each 10 minutes: requests with a session or token that is not valid, and rows \
             of the audit log; rows that stay on the way are a log that does not arrive.",
        )
        .ask(
            "sum by (bangui_auth_kind) (increase(bangui_auth_callers_rejected_total[10m]))",
            "rejected: {{bangui_auth_kind}}",
        )
        .ask(
            "sum by (bangui_result) (increase(bangui_audit_rows_total[10m]))",
            "audit: {{bangui_result}}",
        )
        .ask("sum(bangui_audit_unconfirmed)", "audit: on the way to the log"),
    ]
}

fn blocklists() -> Vec<Panel> {
    vec![
        row("Blocklists"),
        lines("Entries in force", "short", "A list that halves is not believed, and kept.").ask(
            "max by (bangui_blocklist_name) (bangui_blocklist_entries)",
            "{{bangui_blocklist_name}}",
        ),
        lines(
            "Age",
            "s",
            "Since the last import without a failure; it should saw at its interval.",
        )
        .ask(
            "min by (bangui_blocklist_name) (bangui_blocklist_age_seconds)",
            "{{bangui_blocklist_name}}",
        ),
        lines("Imports", "short", "In each 10 minutes, by how they ended.").ask(
            "sum by (bangui_result, error_type) (increase(bangui_blocklist_imports_total[10m]))",
            "{{bangui_result}} {{error_type}}",
        ),
    ]
}
