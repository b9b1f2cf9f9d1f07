//! Messages as text for people.

use std::io;

use prost_types::Timestamp;

use super::output::{Out, Table};
use super::values::{self, source};
use crate::proto::v1::watch_response::Event;
use crate::proto::v1::{
    Ban, BanResponse, EventSource, GetAddressHistoryResponse, HistoryEntry, Jail, Status,
    TelemetryExport, WatchResponse,
};

/// What a table has where there is nothing.
const NOTHING: &str = "-";

/// A time to the second: people read it.
fn time(at: Option<&Timestamp>) -> Option<String> {
    values::time(at.map(|at| Timestamp { nanos: 0, ..*at }).as_ref())
}

fn or_nothing(text: Option<&str>) -> String {
    text.unwrap_or(NOTHING).to_owned()
}

/// The end of a ban.
fn until(ban: &Ban) -> String {
    time(ban.expires_at.as_ref()).unwrap_or_else(|| "for ever".to_owned())
}

fn since(ban: &Ban) -> String {
    or_nothing(time(ban.banned_at.as_ref()).as_deref())
}

/// Words of an operator, behind what they are about.
fn because(reason: Option<&String>) -> String {
    reason.map_or_else(String::new, |reason| format!(": {reason}"))
}

pub(super) fn bans() -> Table<5> {
    Table::new(["JAIL", "ADDRESS", "SINCE", "UNTIL", "REASON"])
}

pub(super) fn ban_row(ban: &Ban) -> [String; 5] {
    let reason = or_nothing(ban.reason.as_deref());
    [ban.jail.clone(), ban.ip.clone(), since(ban), until(ban), reason]
}

pub(super) fn banned(out: &mut Out, answer: &BanResponse) -> io::Result<()> {
    let ban = answer.ban.clone().unwrap_or_default();
    let was = if answer.already_banned { "was banned already" } else { "is banned now" };
    out.line(&format!("{} {was} in {}, until: {}", ban.ip, ban.jail, until(&ban)))
}

pub(super) fn unbanned(out: &mut Out, jail: &str, ip: &str) -> io::Result<()> {
    out.line(&format!("{ip} is no longer banned in {jail}"))
}

pub(super) fn status(out: &mut Out, status: &Status) -> io::Result<()> {
    let fail2ban = status.fail2ban.clone().unwrap_or_default();
    let since = or_nothing(time(fail2ban.since.as_ref()).as_deref());
    let mut row = |name: &str, text: String| out.line(&format!("{name:<10}  {text}"));
    row(
        "fail2ban",
        match (fail2ban.connected, &fail2ban.version, &fail2ban.error) {
            (true, Some(version), _) => format!("{version}, connected since {since}"),
            (true, None, _) => format!("connected since {since}"),
            (false, _, error) => {
                let why = error.as_deref().unwrap_or("it was not asked yet");
                format!("not connected since {since}: {why}")
            }
        },
    )?;
    let list = fail2ban.list.unwrap_or_default();
    let log = fail2ban.log.clone().unwrap_or_default();
    row(
        "list",
        match (list.healthy, list.age_seconds) {
            (true, Some(age)) => format!("read {age} s ago"),
            _ => "not read".to_owned(),
        },
    )?;
    row(
        "log",
        match (log.healthy, &log.path, &log.error) {
            (true, Some(path), _) => format!("read: {path}"),
            (_, _, Some(error)) => format!("not read: {error}"),
            _ => "not read".to_owned(),
        },
    )?;
    row("jails", status.jails.to_string())?;
    let bans_24h =
        status.bans_24h.map_or_else(String::new, |bans| format!(", {bans} began within 24 hours"));
    row("bans", format!("{}{bans_24h}", status.bans))?;
    let telemetry = status.telemetry.clone().unwrap_or_default();
    row(
        "telemetry",
        match telemetry.export() {
            TelemetryExport::Off | TelemetryExport::Unspecified => "does not leave".to_owned(),
            TelemetryExport::Grpc | TelemetryExport::HttpProtobuf => {
                let endpoint = telemetry.endpoint.as_deref().unwrap_or_default();
                let arrives = match telemetry.healthy {
                    Some(true) => "arrives",
                    Some(false) => "does not arrive",
                    None => "nothing was sent yet",
                };
                format!("{endpoint}, {arrives}")
            }
        },
    )?;
    for it in telemetry.collector.iter().flat_map(|it| &it.destinations) {
        let how = match (it.failing, &it.error_type) {
            (false, _) => String::new(),
            (true, None) => ", refuses".to_owned(),
            (true, Some(why)) => format!(", refuses ({why})"),
        };
        row(
            &it.name,
            format!("{} sent, {} wait, {} lost{how}", it.sent, it.queue_size, it.dropped),
        )?;
    }
    let started = or_nothing(time(status.started_at.as_ref()).as_deref());
    row("bangui", format!("{}, started at {started}", status.version))
}

pub(super) fn history(out: &mut Out, history: &GetAddressHistoryResponse) -> io::Result<()> {
    let ip = &history.ip;
    match &history.in_force {
        None => out.line(&format!(
            "fail2ban cannot be reached, so nobody knows where {ip} is banned now"
        ))?,
        Some(in_force) if in_force.bans.is_empty() => {
            out.line(&format!("{ip} is not banned"))?;
        }
        Some(in_force) => {
            for ban in &in_force.bans {
                let (since, until) = (since(ban), until(ban));
                let because = because(ban.reason.as_ref());
                let jail = &ban.jail;
                out.line(&format!(
                    "{ip} is banned in {jail} since {since}, until: {until}{because}"
                ))?;
            }
        }
    }
    if history.entries.is_empty() {
        return out.line("no ban of it was ever observed");
    }
    let heading = ["JAIL", "BANNED", "BY", "ENDED", "BY", "REASON", "CORRELATION ID"];
    let mut table = Table::new(heading);
    out.line("")?;
    for entry in &history.entries {
        table.row(out, entry_row(entry))?;
    }
    table.end(out)?;
    if !history.next_page_token.is_empty() {
        out.line("older bans are left out")?;
    }
    out.line("log lines: none known; fail2ban keeps to itself what matched")
}

fn entry_row(entry: &HistoryEntry) -> [String; 7] {
    let ended = time(entry.unbanned_at.as_ref());
    [
        entry.jail.clone(),
        or_nothing(time(entry.banned_at.as_ref()).as_deref()),
        by(entry.source(), entry.actor.as_deref()),
        or_nothing(ended.as_deref()),
        if ended.is_some() {
            by(entry.unban_source(), entry.unban_actor.as_deref())
        } else {
            NOTHING.to_owned()
        },
        or_nothing(entry.reason.as_deref()),
        or_nothing(entry.correlation_id.as_deref()),
    ]
}

/// Who was behind it; of what fail2ban did, where it was seen.
fn by(told_by: EventSource, actor: Option<&str>) -> String {
    match (told_by, actor) {
        (EventSource::Operator, Some(actor)) => actor.to_owned(),
        (EventSource::Operator, None) => "an operator".to_owned(),
        (EventSource::Log, _) => "fail2ban (its log)".to_owned(),
        (EventSource::List, _) => "fail2ban (its list)".to_owned(),
        (EventSource::Unspecified, _) => NOTHING.to_owned(),
    }
}

/// One line for each event.
pub(super) fn event(out: &mut Out, message: &WatchResponse) -> io::Result<()> {
    let told = |it: EventSource| source(it).unwrap_or("unknown");
    let (kind, text) = match &message.event {
        Some(Event::Ban(event)) => {
            let ban = event.ban.clone().unwrap_or_default();
            let kind = if event.is_correction { "corrected" } else { "ban" };
            let (jail, ip, until) = (&ban.jail, &ban.ip, until(&ban));
            let (by, because) = (told(event.source()), because(ban.reason.as_ref()));
            (kind, format!("{ip} in {jail}, until: {until}, told by {by}{because}"))
        }
        Some(Event::Unban(event)) => {
            let by = told(event.source());
            ("unban", format!("{} in {}, told by {by}", event.ip, event.jail))
        }
        Some(Event::Jails(event)) => {
            let counts = event.jails.iter().map(counts).collect::<Vec<_>>();
            ("jails", counts.join("; "))
        }
        Some(Event::Status(event)) => {
            let status = event.status.clone().unwrap_or_default();
            let fail2ban = status.fail2ban.clone().unwrap_or_default();
            let state = if fail2ban.connected { "connected" } else { "not connected" };
            ("status", format!("fail2ban {state}, {} jails, {} bans", status.jails, status.bans))
        }
        Some(Event::Missed(_)) => ("missed", "events are lost; ask for the bans anew".to_owned()),
        None => ("unknown", "an event that this version does not know".to_owned()),
    };
    out.line(&format!("{kind:<9}  {text}"))
}

fn counts(jail: &Jail) -> String {
    let Jail { name, currently_banned, currently_failed, .. } = jail;
    format!("{name}: {currently_banned} banned, {currently_failed} failing")
}
