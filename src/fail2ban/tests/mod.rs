//! Tests that take recorded replies, any bytes at all, or a server that misbehaves.

mod any_bytes;
mod client;
mod fake_server;
mod pickle;
mod replies;

/// A recorded reply; see tests/fixtures/fail2ban/README.md.
macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../tests/fixtures/fail2ban/", $name, ".pickle")).as_slice()
    };
}
use fixture;

/// The recorded replies of a real server.
const RECORDED: [&[u8]; 29] = [
    fixture!("banned"),
    fixture!("get_banip_with_time"),
    fixture!("get_banip_with_time_empty"),
    fixture!("get_bantime"),
    fixture!("get_bantime_permanent"),
    fixture!("get_findtime"),
    fixture!("get_logtarget"),
    fixture!("get_maxretry"),
    fixture!("invalid_command"),
    fixture!("invalid_get"),
    fixture!("load_error"),
    fixture!("ping"),
    fixture!("set_banip"),
    fixture!("set_banip_again"),
    fixture!("set_banip_cidr"),
    fixture!("set_unbanip"),
    fixture!("status"),
    fixture!("status_sshd"),
    fixture!("status_sshd_empty"),
    fixture!("status_sshd_short"),
    fixture!("status_sshd_systemd"),
    fixture!("unbanip_absent"),
    fixture!("unbanip_zero"),
    fixture!("unknown_jail_banip"),
    fixture!("unknown_jail_get"),
    fixture!("unknown_jail_get_bantime"),
    fixture!("unknown_jail_status"),
    fixture!("unknown_jail_unbanip"),
    fixture!("version"),
];

/// The same values in each protocol.
const TYPES: [&[u8]; 6] = [
    fixture!("types_protocol0"),
    fixture!("types_protocol1"),
    fixture!("types_protocol2"),
    fixture!("types_protocol3"),
    fixture!("types_protocol4"),
    fixture!("types_protocol5"),
];

/// The zone of the recorded server, as a rule, so that no time zone database is needed.
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
