//! Properties: whatever the bytes are, there is an answer, and never a panic.

use proptest::prelude::*;

use super::{BERLIN, RECORDED, TYPES};
use crate::fail2ban::{
    log_line,
    pickle::{Value, decode, encode_command},
    reply, reply_time,
};

/// Runs every parser; which of them fails does not matter here.
fn parse_everything(value: Value) {
    let Ok(value) = reply::unwrap(value) else { return };
    let jail = "sshd".parse().unwrap();
    let _ = reply::pong(&value);
    let _ = reply::text(&value);
    let _ = reply::count(&value);
    let _ = reply::jail_names(&value);
    let _ = reply::jail_status(&jail, &value);
    for line in reply::lines(&value).into_iter().flatten().flatten() {
        let _ = reply_time::parse_ban(&jail, line, &jiff::tz::TimeZone::UTC);
    }
}

fn take(bytes: &[u8]) {
    if let Ok(value) = decode(bytes) {
        parse_everything(value);
    }
}

/// Bytes that are mostly operations, so that the machine gets further than with any bytes.
fn operations() -> impl Strategy<Value = Vec<u8>> {
    let operation = prop::sample::select(
        b"(.012aebcdeghijlnopqrstuRNIJKMLFGSTUVX]})BC\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\
          \x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96"
            .to_vec(),
    );
    prop::collection::vec(prop_oneof![4 => operation, 1 => 0..4_u8, 1 => Just(b'\n')], 0..200)
}

#[test]
fn every_truncation_of_a_reply_is_an_error() {
    for reply in RECORDED.into_iter().chain(TYPES) {
        for end in 0..reply.len() {
            assert!(decode(&reply[..end]).is_err());
        }
    }
}

#[test]
fn every_flipped_byte_of_a_reply_is_survived() {
    for reply in RECORDED.into_iter().chain(TYPES) {
        let mut changed = reply.to_vec();
        for position in 0..reply.len() {
            for mask in [0x01, 0x20, 0x80, 0xff] {
                changed[position] = reply[position] ^ mask;
                take(&changed);
            }
            changed[position] = reply[position];
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        take(&bytes);
    }

    #[test]
    fn any_operations_are_survived(mut bytes in operations()) {
        take(&bytes);
        bytes.push(b'.');
        take(&bytes);
    }

    #[test]
    fn a_command_survives_the_round_trip(words in prop::collection::vec(".{0,40}", 0..10)) {
        let expected = words.iter().map(|word| Value::Str(word.as_str().into())).collect();
        prop_assert_eq!(decode(&encode_command(&words)), Ok(Value::List(expected)));
    }

    #[test]
    fn any_line_is_survived(line in ".{0,200}") {
        let _ = log_line::parse(&line);
        let jail = "sshd".parse().unwrap();
        let _ = reply_time::parse_ban(&jail, &line, &jiff::tz::TimeZone::UTC);
    }

    #[test]
    fn any_message_in_a_real_frame_is_survived(message in ".{0,80}", module in "[a-z]{1,8}") {
        let line = format!("2026-11-23 22:56:43,123 fail2ban.{module} [8]: NOTICE  {message}");
        let _ = log_line::parse(&line);
    }

    #[test]
    fn any_ban_time_is_survived(
        year in 0..12000_i32, day in 1..32_u8, hour in 0..25_u8, seconds in any::<i64>()
    ) {
        let zone = jiff::tz::TimeZone::posix(BERLIN).unwrap();
        let time = format!("{year:04}-03-{day:02} {hour:02}:30:00");
        let line = format!("192.0.2.1 \t{time} + {seconds} = {time}");
        let _ = reply_time::parse_ban(&"sshd".parse().unwrap(), &line, &zone);
    }
}
