//! One line of fail2ban's log, in the formats of 0.11 to 1.1.
//!
//! `2026-11-23 22:56:43,123 fail2ban.actions        [812]: NOTICE  [sshd] Ban 198.51.100.7`
//!
//! Attackers choose user names, and fail2ban quotes them in some lines (an action that failed, a
//! line with an odd date). So a line counts only if it is an event from its first to its last
//! character, and from the one module that writes such events. A quoted text with a line break
//! could still imitate a whole line: events are hints to look sooner, never the truth.

use crate::domain::{JailName, Subject};

/// Something that fail2ban's log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogEvent {
    /// A new ban.
    Ban(JailName, Subject),
    /// A ban from before a restart is in force again.
    RestoreBan(JailName, Subject),
    /// A ban ended or was taken back; also every ban while the server or the jail stops.
    Unban(JailName, Subject),
    /// A ban was made longer, since its subject had been banned before.
    IncreaseBan(JailName, Subject),
    /// A failure of somebody who is banned already.
    AlreadyBanned(JailName, Subject),
    /// A failure.
    Found(JailName, Subject),
    /// All bans of a jail were lifted at once, without a line for each.
    Flushed(JailName),
    /// A jail runs.
    JailStarted(JailName),
    /// A jail has ended.
    JailStopped(JailName),
    /// The server starts.
    Starting,
    /// The server begins to stop: the unbans that follow are not the operator's.
    ShuttingDown,
    /// The server has stopped.
    Stopped,
}

/// Reads a line; `None` is a line that tells no event.
pub fn parse(line: &str) -> Option<LogEvent> {
    let (module, message) = split_line(line.trim_end_matches(['\r', '\n']))?;
    match module {
        "actions" => parse_action(message),
        "observer" => parse_observer(message),
        "filter" => {
            let (jail, text) = split_jail(message)?;
            let (id, _time) = text.strip_prefix("Found ")?.split_once(" - ")?;
            Some(LogEvent::Found(jail, subject(id)?))
        }
        "jail" => {
            let (jail, state) = message.strip_prefix("Jail '")?.split_once("' ")?;
            match state {
                "started" => Some(LogEvent::JailStarted(jail.parse().ok()?)),
                "stopped" => Some(LogEvent::JailStopped(jail.parse().ok()?)),
                _ => None,
            }
        }
        "server" => match message {
            "Shutdown in progress..." => Some(LogEvent::ShuttingDown),
            "Exiting Fail2ban" => Some(LogEvent::Stopped),
            _ => message.starts_with("Starting Fail2ban v").then_some(LogEvent::Starting),
        },
        _ => None,
    }
}

fn parse_action(message: &str) -> Option<LogEvent> {
    let (jail, text) = split_jail(message)?;
    if let Some(id) = text.strip_prefix("Ban ") {
        Some(LogEvent::Ban(jail, subject(id)?))
    } else if let Some(id) = text.strip_prefix("Unban ") {
        Some(LogEvent::Unban(jail, subject(id)?))
    } else if let Some(id) = text.strip_prefix("Restore Ban ") {
        Some(LogEvent::RestoreBan(jail, subject(id)?))
    } else if let Some(id) = text.strip_suffix(" already banned") {
        Some(LogEvent::AlreadyBanned(jail, subject(id)?))
    } else {
        text.starts_with("Flush ticket(s) with ").then_some(LogEvent::Flushed(jail))
    }
}

fn parse_observer(message: &str) -> Option<LogEvent> {
    let (jail, text) = split_jail(message)?;
    if let Some(rest) = text.strip_prefix("Increase Ban ") {
        let (id, _times) = rest.strip_suffix(')')?.split_once(" (")?;
        return Some(LogEvent::IncreaseBan(jail, subject(id)?));
    }
    let (id, _counts) = text.strip_prefix("Found ")?.split_once(", bad - ")?;
    Some(LogEvent::Found(jail, subject(id)?))
}

/// The module behind `fail2ban.` and the message.
fn split_line(line: &str) -> Option<(&str, &str)> {
    let rest = skip_time(line)?;
    let (logger, rest) = rest.split_once('[')?;
    let module = logger.trim_end_matches(' ').strip_prefix("fail2ban.")?;
    let (process, rest) = rest.split_once("]: ")?;
    if process.is_empty() || !process.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (level, message) = rest.split_once(' ')?;
    if level.is_empty() || !level.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    Some((module, message.trim_start_matches(' ')))
}

/// What follows `2026-11-23 22:56:43,123 `.
fn skip_time(line: &str) -> Option<&str> {
    const PATTERN: &[u8] = b"dddd-dd-dd dd:dd:dd,ddd ";
    let (time, rest) = line.split_at_checked(PATTERN.len())?;
    let fits = |(byte, wanted): (u8, &u8)| match wanted {
        b'd' => byte.is_ascii_digit(),
        other => byte == *other,
    };
    time.bytes().zip(PATTERN).all(fits).then_some(rest)
}

fn split_jail(message: &str) -> Option<(JailName, &str)> {
    let (jail, text) = message.strip_prefix('[')?.split_once("] ")?;
    Some((jail.parse().ok()?, text))
}

fn subject(id: &str) -> Option<Subject> {
    Subject::reported(id).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-11-23 22:56:43,123";

    fn jail() -> JailName {
        "sshd".parse().unwrap()
    }

    fn ip(text: &str) -> Subject {
        Subject::reported(text).unwrap()
    }

    #[test]
    fn each_event_is_read() {
        let address = || ip("198.51.100.7");
        for (line, event) in [
            (
                "actions        [8]: NOTICE  [sshd] Ban 198.51.100.7",
                LogEvent::Ban(jail(), address()),
            ),
            ("actions[8]: NOTICE [sshd] Ban 198.51.100.7", LogEvent::Ban(jail(), address())),
            (
                "actions        [8]: NOTICE  [sshd] Restore Ban 198.51.100.7",
                LogEvent::RestoreBan(jail(), address()),
            ),
            (
                "actions        [8]: NOTICE  [sshd] Unban 2001:db8::1",
                LogEvent::Unban(jail(), ip("2001:db8::1")),
            ),
            (
                "actions        [8]: WARNING [sshd] 198.51.100.7 already banned",
                LogEvent::AlreadyBanned(jail(), address()),
            ),
            (
                "actions        [8]: NOTICE  [sshd] Flush ticket(s) with iptables",
                LogEvent::Flushed(jail()),
            ),
            (
                "observer       [8]: NOTICE  [sshd] Increase Ban 198.51.100.7 \
                 (2 # 0:20:00 -> 2026-11-23 23:16:43)",
                LogEvent::IncreaseBan(jail(), address()),
            ),
            (
                "observer       [8]: INFO    [sshd] Found 198.51.100.7, bad - \
                 2026-11-23 22:56:43, 1 # -> 2.0, Ban",
                LogEvent::Found(jail(), address()),
            ),
            (
                "filter         [8]: INFO    [sshd] Found 198.51.100.7 - 2026-11-23 22:56:43",
                LogEvent::Found(jail(), address()),
            ),
            ("jail           [8]: INFO    Jail 'sshd' started", LogEvent::JailStarted(jail())),
            ("jail           [8]: INFO    Jail 'sshd' stopped", LogEvent::JailStopped(jail())),
            ("server         [8]: INFO    Starting Fail2ban v1.0.2", LogEvent::Starting),
            ("server         [8]: INFO    Shutdown in progress...", LogEvent::ShuttingDown),
            ("server         [8]: INFO    Exiting Fail2ban", LogEvent::Stopped),
        ] {
            assert_eq!(parse(&format!("{TIME} fail2ban.{line}")), Some(event), "{line}");
            assert!(parse(&format!("{TIME} fail2ban.{line}\n")).is_some());
        }
    }

    #[test]
    fn quoted_and_foreign_text_is_no_event() {
        for line in [
            "",
            "[sshd] Ban 198.51.100.7",
            "fail2ban.actions        [8]: NOTICE  [sshd] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 fail2ban.actions [x]: NOTICE  [sshd] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 fail2ban.actions [8]: notice  [sshd] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 fail2ban.actions [8]: NOTICE  [sshd] Ban 198.51.100.7 x",
            "2026-11-23 22:56:43,123 fail2ban.actions [8]: NOTICE  [sshd] Ban ",
            "2026-11-23 22:56:43,123 fail2ban.actions [8]: NOTICE  [--all] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 fail2ban.actions [8]: ERROR   Failed to execute ban jail \
             'sshd' info '[sshd] Ban 198.51.100.7'",
            "2026-11-23 22:56:43,123 fail2ban.filter  [8]: NOTICE  [sshd] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 fail2ban.filter  [8]: WARNING line: '[sshd] Found 1.2.3.4 - '",
            "2026-11-23 22:56:43,123 fail2ban.utils   [8]: ERROR   [sshd] Ban 198.51.100.7",
            "2026-11-23 22:56:43,123 evil.actions     [8]: NOTICE  [sshd] Ban 198.51.100.7",
            "Nov 23 22:56:43 host sshd[1]: Invalid user fail2ban.actions [8]: NOTICE [sshd] Ban \
             198.51.100.7",
            "2026-11-23 22:56:4é,123 fail2ban.actions [8]: NOTICE  [sshd] Ban 198.51.100.7",
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
