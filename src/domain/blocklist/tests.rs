//! Lists as vendors write them, and properties that hold for any text.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::*;
use crate::domain::{Network, Special};

fn read(text: &str) -> Parsed {
    parse(text.as_bytes(), true).unwrap()
}

fn texts(entries: &[Network]) -> Vec<String> {
    entries.iter().map(ToString::to_string).collect()
}

fn networks(texts: &[&str]) -> Vec<Network> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn lists_as_they_are_written() {
    let list = "\u{feff}# a comment\r\n; another\n// and one more\n\n\
        198.51.100.7\r\n  198.51.100.8 # why\n203.0.113.0/24 ; SBL1\n\
        192.0.2.1,2026-01-01,scanner\n\"192.0.2.2\"\t3\n2001:DB8::1\n2001:db8:1::/48//x\n";
    let parsed = read(list);
    assert_eq!(
        texts(&parsed.entries),
        [
            "192.0.2.1",
            "192.0.2.2",
            "198.51.100.7",
            "198.51.100.8",
            "203.0.113.0/24",
            "2001:db8::1",
            "2001:db8:1::/48"
        ]
    );
    assert_eq!((parsed.merged, parsed.refused.total()), (0, 0));
}

#[test]
fn what_stands_there_twice_or_lies_within_another_is_merged() {
    let parsed = read("203.0.113.9\n203.0.113.0/24\n203.0.113.9\n203.0.113.128/25\n203.0.114.1\n");
    assert_eq!(texts(&parsed.entries), ["203.0.113.0/24", "203.0.114.1"]);
    assert_eq!(parsed.merged, 3);
}

#[test]
fn refused_entries_tell_why_and_where() {
    let list = "10.0.0.1\n127.0.0.1\n169.254.169.254\n100.64.1.1\n224.0.0.0/8\n0.0.0.0/0\n\
        45.0.0.0/7\n2001::/16\nlocalhost\n198.51.100.7:80\n198.51.100.7\n";
    let refused = read(list).refused;
    let words: Vec<_> = refused.examples.iter().map(|example| example.refusal.word()).collect();
    assert_eq!(
        words,
        [
            "private",
            "loopback",
            "link_local",
            "shared",
            "multicast",
            "too_wide",
            "too_wide",
            "too_wide",
            "unreadable",
            "unreadable"
        ]
    );
    assert_eq!(refused.examples[8].line, Some(9));
    assert_eq!(refused.count(Refusal::TooWide), 3);
    let only_addresses = parse(b"203.0.113.0/24\n203.0.113.1\n", false).unwrap();
    assert_eq!(texts(&only_addresses.entries), ["203.0.113.1"]);
    assert_eq!(only_addresses.refused.count(Refusal::Network), 1);
}

#[test]
fn what_is_no_list_is_refused_whole() {
    assert_eq!(parse(b" \n<!DOCTYPE html><p>gone", true), Err(ListError::WebPage));
    assert_eq!(parse(b"198.51.100.7\0", true), Err(ListError::Binary));
    let prose = "Too many requests\n".repeat(10);
    assert_eq!(
        parse(prose.as_bytes(), true),
        Err(ListError::NotAList { unreadable: 10, lines: 10 })
    );
    let wide: String = (0..80).map(|number| format!("{}.0.0.0/8\n", number + 11)).collect();
    assert!(matches!(parse(wide.as_bytes(), true), Err(ListError::TooWide(_))));
    let many: String = (0..=100_000_u32)
        .map(|it| format!("45.{}.{}.{}\n", it >> 16, (it >> 8) & 255, it & 255))
        .collect();
    assert_eq!(parse(many.as_bytes(), true), Err(ListError::TooManyEntries));
}

#[test]
fn guards_take_out_what_they_touch() {
    let mut entries = networks(&["192.0.2.0/24", "198.51.100.7", "198.51.100.9", "203.0.113.1"]);
    let mut guards = Guards::default();
    guards.protect("192.0.2.77".parse().unwrap(), Refusal::OwnAddress);
    guards.protect("198.51.100.8/30".parse().unwrap(), Refusal::TrustedProxy);
    guards.protect("203.0.113.1".parse().unwrap(), Refusal::SignedIn);
    let mut refused = Refused::default();
    guards.apply(&mut entries, &mut refused);
    assert_eq!(texts(&entries), ["198.51.100.7"]);
    assert_eq!(refused.count(Refusal::OwnAddress), 1);
    assert_eq!(refused.count(Refusal::TrustedProxy), 1);
    assert_eq!(refused.count(Refusal::SignedIn), 1);
}

#[test]
fn nobody_elses_ban_is_lifted() {
    let wanted = networks(&["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"]);
    let known = |text: &str, state| (text.parse().unwrap(), state);
    let known = BTreeMap::from([
        known("192.0.2.2", EntryState::Placed),
        known("192.0.2.3", EntryState::Placed),
        known("192.0.2.5", EntryState::Pending),
        known("192.0.2.7", EntryState::Placed),
        known("192.0.2.8", EntryState::Held),
        known("192.0.2.9", EntryState::Placed),
    ]);
    let ban = |text: &str, end| (text.parse().unwrap(), end);
    let banned = HashMap::from([
        ban("192.0.2.2", None),
        ban("192.0.2.3", Some(50)),
        ban("192.0.2.4", Some(50)),
        ban("192.0.2.5", Some(100)),
        ban("192.0.2.6", None),
        ban("192.0.2.7", None),
        ban("192.0.2.8", None),
    ]);
    let current = Current { known: &known, banned: &banned, renew_before: 100 };
    let plan = plan(&wanted, &current);
    assert_eq!(texts(&plan.add), ["192.0.2.1"]);
    assert_eq!(texts(&plan.renew), ["192.0.2.3"]);
    assert_eq!(texts(&plan.keep), ["192.0.2.2", "192.0.2.5"]);
    assert_eq!(texts(&plan.held), ["192.0.2.4"]);
    assert_eq!(texts(&plan.lift), ["192.0.2.7"]);
    assert_eq!(texts(&plan.forget), ["192.0.2.8", "192.0.2.9"]);
}

#[test]
fn a_list_that_lost_more_than_half_is_not_believed() {
    assert_eq!(check_size(0, 0), Err(ListError::Empty));
    assert_eq!(check_size(10, 4), Err(ListError::Shrunk { before: 10, now: 4 }));
    assert_eq!(check_size(10, 5), Ok(()));
    assert_eq!(check_size(9, 1), Ok(()));
    assert_eq!(check_size(0, 1), Ok(()));
}

#[test]
fn a_source_is_shown_without_its_keys() {
    let shown = |text: &str| text.parse::<BlocklistSource>().unwrap().shown();
    assert_eq!(
        shown("https://me:hunter2@lists.example.com:8443/v1/0123456789abcdef0123/all.txt?key=k"),
        "https://***@lists.example.com:8443/v1/***/all.txt?***"
    );
    assert_eq!(shown("HTTP://lists.example.com/a"), "http://lists.example.com/a");
    assert_eq!(shown("/lists/own.netset"), "/lists/own.netset");
    let source: BlocklistSource = "https://x/?key=hunter2".parse().unwrap();
    assert!(!format!("{source:?}").contains("hunter2"));
    for bad in ["", "ftp://x/a", "file:///etc/passwd", "lists/a", "/a/../b", "https://", "x"] {
        assert!(bad.parse::<BlocklistSource>().is_err(), "{bad}");
    }
    for bad in ["", "-a", "1a", "A", "a b", "ä", &"a".repeat(41)] {
        assert!(bad.parse::<BlocklistName>().is_err(), "{bad}");
    }
    assert_eq!("spamhaus-drop-4".parse::<BlocklistName>().unwrap().to_string(), "spamhaus-drop-4");
}

#[test]
fn every_refusal_has_a_word_of_its_own() {
    let words: std::collections::BTreeSet<_> = Refusal::ALL.map(Refusal::word).into();
    assert_eq!(words.len(), Refusal::ALL.len());
}

fn any_network() -> impl Strategy<Value = Network> {
    // Few addresses, so that they meet.
    (0_u32..64, 24_u8..=32).prop_map(|(low, prefix)| {
        Network::new(std::net::Ipv4Addr::from_bits(0x2d00_0000 | low).into(), prefix).unwrap()
    })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_ban_what_is_special(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
    ) {
        if let Ok(parsed) = parse(&bytes, true) {
            for entry in &parsed.entries {
                prop_assert_eq!(entry.special(), None::<Special>);
            }
        }
    }

    #[test]
    fn every_address_of_a_list_is_in_the_result_and_no_other(
        given in prop::collection::vec(any_network(), 1..40),
    ) {
        let text: String = given.iter().map(|network| format!("{network}\n")).collect();
        let parsed = parse(text.as_bytes(), true).unwrap();
        for low in 0..512_u32 {
            let address = Network::of(std::net::Ipv4Addr::from_bits(0x2d00_0000 | low).into());
            let is_in = |list: &[Network]| list.iter().any(|network| network.covers(address));
            prop_assert_eq!(is_in(&given), is_in(&parsed.entries));
        }
        for (at, entry) in parsed.entries.iter().enumerate() {
            prop_assert!(!parsed.entries[at + 1..].iter().any(|other| entry.overlaps(*other)));
        }
        prop_assert_eq!(parsed.merged as usize + parsed.entries.len(), given.len());
    }

    #[test]
    fn guards_act_as_one_by_one(
        given in prop::collection::vec(any_network(), 1..40),
        protected in prop::collection::vec(any_network(), 0..5),
    ) {
        let text: String = given.iter().map(|network| format!("{network}\n")).collect();
        let mut entries = parse(text.as_bytes(), true).unwrap().entries;
        let mut guards = Guards::default();
        protected.iter().for_each(|network| guards.protect(*network, Refusal::OwnAddress));
        let (kept, gone): (Vec<_>, Vec<_>) =
            entries.iter().partition(|entry| !protected.iter().any(|it| it.overlaps(**entry)));
        let mut refused = Refused::default();
        guards.apply(&mut entries, &mut refused);
        prop_assert_eq!(entries, kept);
        prop_assert_eq!(refused.total() as usize, gone.len());
    }
}
