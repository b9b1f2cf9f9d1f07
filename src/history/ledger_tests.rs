//! Tests of the ledger: each tells one story of what fail2ban did and what must be concluded.

use super::*;

fn jail() -> JailName {
    "sshd".parse().unwrap()
}

fn ip(text: &str) -> Subject {
    Subject::reported(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn ban(address: &str, begin: i64, end: i64) -> Ban {
    Ban { jail: jail(), ip: ip(address), banned_at: at(begin), expires_at: Some(at(end)) }
}

fn held(ban: Ban) -> Held {
    Held { ban, reason: None }
}

fn status(banned: u64, total: u64) -> JailStatus {
    JailStatus {
        name: jail(),
        currently_banned: banned,
        total_banned: total,
        currently_failed: 0,
        total_failed: 0,
        file_list: vec![],
    }
}

const A: &str = "198.51.100.1";

#[test]
fn counts_ask_for_a_list_only_when_they_change() {
    let mut ledger = Ledger::default();
    ledger.jails(&[jail()], true);
    assert!(ledger.counts(status(1, 1)));
    assert!(ledger.needs_list(&jail(), true));
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    assert!(!ledger.needs_list(&jail(), true));
    assert!(!ledger.counts(status(1, 1)), "nothing new");
    ledger.counts(status(1, 2));
    assert!(ledger.needs_list(&jail(), true), "one went, another came");
}

#[test]
fn a_list_from_an_unsettled_time_is_asked_for_once_more() {
    let mut ledger = Ledger::default();
    ledger.counts(status(1, 1));
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, false);
    assert!(!ledger.needs_list(&jail(), false));
    assert!(ledger.needs_list(&jail(), true));
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    assert!(!ledger.needs_list(&jail(), true));
}

#[test]
fn the_log_is_faster_and_the_list_corrects_it() {
    let mut ledger = Ledger::default();
    let now = Instant::now();
    let fact = ledger.logged_ban(jail(), ip(A), at(10), now).unwrap();
    assert!(matches!(fact, Fact::Banned(held) if held.ban.expires_at.is_none()));
    assert_eq!(ledger.logged_ban(jail(), ip(A), at(10), now), None, "told once");
    let facts = ledger.list(&jail(), vec![ban(A, 10, 610)], 0, true);
    assert_eq!(facts, [Fact::Corrected(held(ban(A, 10, 610)))]);
    assert_eq!(ledger.list(&jail(), vec![ban(A, 10, 610)], 0, true), []);
}

#[test]
fn an_absence_ends_a_ban_only_when_things_have_settled() {
    let mut ledger = Ledger::default();
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    assert_eq!(ledger.list(&jail(), vec![], 0, false), [], "a restart is no unban");
    assert_eq!(ledger.totals().1, 1);
    assert_eq!(ledger.list(&jail(), vec![], 0, true), [Fact::Unbanned(jail(), ip(A))]);
}

#[test]
fn jails_that_vanish_while_the_server_starts_are_kept() {
    let mut ledger = Ledger::default();
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    assert_eq!(ledger.jails(&[], false), []);
    assert_eq!(ledger.jails(&[], true), [Fact::Unbanned(jail(), ip(A))]);
}

#[test]
fn a_ban_after_the_end_of_another_is_a_new_one() {
    let mut ledger = Ledger::default();
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    let facts = ledger.list(&jail(), vec![ban(A, 700, 1300)], 0, true);
    let again = held(ban(A, 700, 1300));
    assert_eq!(facts, [Fact::Unbanned(jail(), ip(A)), Fact::Banned(again)]);
}

#[test]
fn a_list_overtaken_by_an_operator_is_dropped() {
    let mut ledger = Ledger::default();
    ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true);
    let asked = ledger.generation(&jail());
    let now = Instant::now();
    ledger.begin_change(&jail(), &ip(A));
    assert!(ledger.operator_unban(&jail(), &ip(A), true, now).is_some());
    ledger.end_change(&jail(), &ip(A));
    assert_eq!(ledger.list(&jail(), vec![ban(A, 1, 601)], asked, true), []);
    assert_eq!(ledger.totals().1, 0);
    assert_eq!(ledger.logged_ban(jail(), ip(A), at(1), now), None, "a late line");
    let later = now + STALE_LINE;
    assert!(ledger.logged_ban(jail(), ip(A), at(9), later).is_some(), "a new ban");
}

#[test]
fn what_fail2ban_tells_of_an_operators_change_is_that_change() {
    let mut ledger = Ledger::default();
    ledger.begin_change(&jail(), &ip(A));
    assert_eq!(ledger.logged_ban(jail(), ip(A), at(5), Instant::now()), None);
    let asked = ledger.generation(&jail());
    assert_eq!(ledger.list(&jail(), vec![ban(A, 5, 605)], asked, true), []);
    let mine = held(ban(A, 5, 605));
    assert_eq!(ledger.operator_ban(mine.clone()), Fact::Banned(mine));
    ledger.end_change(&jail(), &ip(A));
    ledger.counts(status(1, 1));
    assert!(ledger.needs_list(&jail(), true));
    let asked = ledger.generation(&jail());
    assert_eq!(ledger.list(&jail(), vec![ban(A, 5, 605)], asked, true), []);
}

#[test]
fn a_ban_that_only_the_log_told_of_is_checked_by_the_next_list() {
    let mut ledger = Ledger::default();
    ledger.counts(status(0, 0));
    ledger.list(&jail(), vec![], 0, true);
    assert!(!ledger.needs_list(&jail(), true));
    assert!(ledger.logged_ban(jail(), ip(A), at(5), Instant::now()).is_some());
    assert!(ledger.needs_list(&jail(), true));
    assert_eq!(ledger.list(&jail(), vec![], 0, true), [Fact::Unbanned(jail(), ip(A))]);
}

#[test]
fn an_operators_reason_stays_with_the_ban() {
    let mut ledger = Ledger::default();
    let mine = Held { ban: ban(A, 5, 605), reason: Some("scanner".into()) };
    assert_eq!(ledger.operator_ban(mine.clone()), Fact::Banned(mine));
    let asked = ledger.generation(&jail());
    ledger.list(&jail(), vec![ban(A, 5, 605)], asked, true);
    let reason = ledger.find(&jail(), &ip(A)).unwrap().reason.as_deref();
    assert_eq!(reason, Some("scanner"));
}

#[test]
fn history_restores_open_bans_without_telling_them_again() {
    let mut ledger = Ledger::default();
    ledger.restore(vec![OpenBan { ban: ban(A, 1, 601), reason: None }]);
    assert_eq!(ledger.list(&jail(), vec![ban(A, 1, 601)], 0, true), []);
}

#[test]
fn what_another_instance_noticed_is_news_once() {
    let mut ledger = Ledger::default();
    let held = |reason: Option<&str>| Held {
        ban: ban("192.0.2.1", 10, 610),
        reason: reason.map(str::to_owned),
    };
    let (name, ip) = (held(None).ban.jail, held(None).ban.ip);
    assert_eq!(ledger.peer_ban(held(None)), [Fact::Banned(held(None))]);
    assert_eq!(ledger.peer_ban(held(None)), []);
    let at = held(None).ban.banned_at;
    assert_eq!(ledger.logged_ban(name.clone(), ip.clone(), at, Instant::now()), None);
    // The operator's words come behind what was seen in the log.
    assert_eq!(ledger.peer_ban(held(Some("why"))), [Fact::Corrected(held(Some("why")))]);
    assert_eq!(ledger.peer_ban(held(Some("why"))), []);
    let generation = ledger.generation(&name);
    let now = Instant::now();
    assert_eq!(ledger.peer_unban(&name, &ip, now), [Fact::Unbanned(name.clone(), ip.clone())]);
    assert_eq!(ledger.peer_unban(&name, &ip, now), []);
    // A list that was asked for before tells nothing, and neither does a late line.
    assert_eq!(ledger.list(&name, vec![held(None).ban], generation, true), []);
    assert_eq!(ledger.logged_ban(name.clone(), ip.clone(), at, now), None);
    // Who changes the address here tells of it.
    ledger.begin_change(&name, &ip);
    assert_eq!(ledger.peer_ban(held(None)), []);
}
