//! The parsers on recorded replies of a real server.

use jiff::tz::TimeZone;

use super::{BERLIN, fixture};
use crate::{
    domain::{JailName, JailStatus},
    fail2ban::{
        log_line::{self, LogEvent},
        pickle::{Value, decode},
        reply::{self, ServerError},
        reply_time,
    },
};

fn value(reply: &[u8]) -> Value {
    reply::unwrap(decode(reply).unwrap()).unwrap()
}

fn error(reply: &[u8]) -> (String, String) {
    match reply::unwrap(decode(reply).unwrap()) {
        Err(ServerError::Exception { class, message }) => (class, message),
        other => panic!("{other:?}"),
    }
}

fn sshd() -> JailName {
    "sshd".parse().unwrap()
}

fn status(reply: &[u8]) -> (JailStatus, bool) {
    reply::jail_status(&sshd(), &value(reply)).unwrap()
}

fn shown<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn simple_replies() {
    assert_eq!(reply::pong(&value(fixture!("ping"))), Ok(()));
    assert_eq!(reply::text(&value(fixture!("version"))).as_deref(), Ok("1.0.2"));
    assert_eq!(reply::integer(&value(fixture!("get_bantime"))), Ok(600));
    assert_eq!(reply::integer(&value(fixture!("get_bantime_permanent"))), Ok(-1));
    assert_eq!(reply::integer(&value(fixture!("get_findtime"))), Ok(600));
    assert_eq!(reply::integer(&value(fixture!("get_maxretry"))), Ok(3));
    let target = reply::text(&value(fixture!("get_logtarget")));
    assert_eq!(target.as_deref(), Ok("/srv/demo/fail2ban.log"));
}

#[test]
fn counts_of_changes() {
    assert_eq!(reply::count(&value(fixture!("set_banip"))), Ok(2));
    assert_eq!(reply::count(&value(fixture!("set_banip_again"))), Ok(0));
    assert_eq!(reply::count(&value(fixture!("set_unbanip"))), Ok(2));
    assert_eq!(reply::count(&value(fixture!("unbanip_zero"))), Ok(0));
    assert!(reply::count(&Value::Int(-1)).is_err());
}

#[test]
fn jails() {
    let names = reply::jail_names(&value(fixture!("status"))).unwrap();
    assert_eq!(shown(&names), ["empty", "sshd"]);
    let none = Value::List(vec![Value::Tuple(vec![
        Value::Str("Jail list".into()),
        Value::Str("".into()),
    ])]);
    assert_eq!(reply::jail_names(&none), Ok(vec![]));
    assert!(reply::jail_names(&Value::Str("".into())).is_err());
}

#[test]
fn a_jail_with_bans() {
    let (status, has_list) = status(fixture!("status_sshd"));
    assert!(has_list);
    assert_eq!((status.currently_banned, status.total_banned), (5, 5));
    assert_eq!((status.currently_failed, status.total_failed), (1, 4));
    assert_eq!(status.file_list, ["/srv/demo/sshd.log"]);
}

#[test]
fn a_jail_without_bans_or_without_the_list() {
    let (_, has_list) = status(fixture!("status_sshd_empty"));
    assert!(has_list);
    let (short, has_list) = status(fixture!("status_sshd_short"));
    assert!(!has_list);
    assert_eq!(short, status(fixture!("status_sshd")).0);
    let (journal, _) = status(fixture!("status_sshd_systemd"));
    assert_eq!(journal.file_list, ["_SYSTEMD_UNIT=sshd.service + _COMM=sshd"]);
}

#[test]
fn the_same_reply_in_older_protocols() {
    for reply in [
        fixture!("status_sshd_protocol0"),
        fixture!("status_sshd_protocol1"),
        fixture!("status_sshd_protocol2"),
        fixture!("status_sshd_protocol3"),
        fixture!("status_sshd_protocol4"),
    ] {
        let (status, has_list) = status(reply);
        assert!(has_list);
        assert_eq!(status.total_banned, 5);
    }
}

#[test]
fn bans_with_times() {
    let zone = TimeZone::posix(BERLIN).unwrap();
    let value = value(fixture!("get_banip_with_time"));
    let lines: Vec<&str> = reply::lines(&value).unwrap().map(Result::unwrap).collect();
    let parse = |line: &&str| reply_time::parse_ban(&sshd(), line, &zone).unwrap().unwrap();
    let bans: Vec<_> = lines.iter().map(parse).collect();
    assert_eq!(bans.len(), 5);
    assert_eq!(bans[0].ip.to_string(), "203.0.113.9");
    assert_eq!(bans[0].banned_at.to_string(), "2026-11-23T23:11:16Z");
    assert_eq!(bans[0].expires_at.unwrap().to_string(), "2026-11-23T23:21:16Z");
    assert!(bans[1..].iter().all(|ban| ban.expires_at.is_none()));
    assert_eq!(bans[3].ip.to_string(), "192.0.2.0/28");
}

#[test]
fn errors_of_the_server() {
    for reply in [
        fixture!("unknown_jail_status"),
        fixture!("unknown_jail_get"),
        fixture!("unknown_jail_banip"),
        fixture!("unknown_jail_unbanip"),
        fixture!("unknown_jail_get_bantime"),
    ] {
        let (class, message) = error(reply);
        assert_eq!(class, "fail2ban.exceptions.UnknownJailException");
        assert_eq!(message, "nope");
    }
    let (class, message) = error(fixture!("unbanip_absent"));
    assert_eq!((&*class, &*message), ("builtins.ValueError", "not banned: ['203.0.113.77']"));
    assert_eq!(error(fixture!("invalid_command")).1, "Invalid command");
    let load_error = error(fixture!("load_error"));
    assert_eq!(load_error, ("ERROR".into(), "pickle data was truncated".into()));
}

#[test]
fn the_other_shapes_of_a_reply() {
    let text = |text: &str| Value::Str(text.into());
    assert_eq!(reply::unwrap(Value::List(vec![text("SHUTDOWN")])), Err(ServerError::Shutdown));
    for odd in [
        Value::None,
        text("hello"),
        Value::List(vec![]),
        Value::Tuple(vec![]),
        Value::Tuple(vec![Value::Int(2), Value::None]),
        Value::Tuple(vec![Value::Int(1), Value::None]),
        Value::Tuple(vec![Value::Int(0), Value::None, Value::None]),
    ] {
        assert_eq!(reply::unwrap(odd), Err(ServerError::Malformed));
    }
    let loud = Value::Str(format!("ERROR: a\nb{}", "x".repeat(10_000)).into());
    let Err(ServerError::Exception { message, .. }) = reply::unwrap(loud) else { panic!() };
    assert!(message.starts_with("a bx") && message.len() <= 512);
}

#[test]
fn the_log_of_the_same_run() {
    let log = include_str!("../../../tests/fixtures/fail2ban/fail2ban.log");
    let events: Vec<LogEvent> = log.lines().filter_map(log_line::parse).collect();
    let is_ban = |event: &&LogEvent| matches!(event, LogEvent::Ban(..));
    let bans: Vec<&LogEvent> = events.iter().filter(is_ban).collect();
    assert_eq!(bans.len(), 5);
    let found = events.iter().filter(|event| matches!(event, LogEvent::Found(..))).count();
    assert_eq!(found, 4);
    let position = |wanted: &LogEvent| events.iter().position(|event| event == wanted).unwrap();
    let stop = position(&LogEvent::ShuttingDown);
    let late = |event: &&LogEvent| matches!(event, LogEvent::Unban(..));
    assert_eq!(events[..stop].iter().filter(late).count(), 2);
    assert_eq!(events[stop..].iter().filter(late).count(), 3);
    assert_eq!(events[0], LogEvent::Starting);
    assert!(position(&LogEvent::JailStarted(sshd())) < position(&LogEvent::JailStopped(sshd())));
    assert_eq!(events.last(), Some(&LogEvent::Stopped));
}

#[test]
fn a_file_that_there_is_not_is_no_text() {
    assert_eq!(reply::text_or_none(&Value::None), Ok(None));
    let file = Value::Str("/var/lib/fail2ban/fail2ban.sqlite3".into());
    let path = "/var/lib/fail2ban/fail2ban.sqlite3".to_owned();
    assert_eq!(reply::text_or_none(&file), Ok(Some(path)));
    assert!(reply::text_or_none(&Value::Int(1)).is_err());
}
