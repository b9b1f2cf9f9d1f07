//! What fail2ban is measured by: its commands and its connection, and what it counts itself.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::attributes::Attributes;
use super::definition::Definition;

/// Commands times the ways in which they fail.
const COMMAND_SERIES_MAX: usize = 200;

const COMMAND_DURATION: Definition = Definition::duration(
    "bangui.fail2ban.command.duration",
    "Duration of commands sent to fail2ban, the wait for their turn included.",
)
.with(&["bangui.fail2ban.command", "error.type"], COMMAND_SERIES_MAX);
const CONNECTION_ERRORS: Definition = Definition::counter(
    "bangui.fail2ban.connection.errors",
    "{error}",
    "Failures to reach fail2ban or to keep its connection; 0 from the start.",
);
const UP: Definition =
    Definition::gauge("bangui.fail2ban.up", "{server}", "1 while fail2ban answers, else 0.");
const BANS: Definition = Definition::gauge(
    "bangui.bans.total",
    "{ban}",
    "Bans in force over all jails; absent while fail2ban is unreachable.",
);
const JAILS: Definition = Definition::gauge(
    "bangui.jails.total",
    "{jail}",
    "Jails of fail2ban; absent while it is unreachable.",
);

pub(super) const DEFINITIONS: &[&Definition] =
    &[&COMMAND_DURATION, &CONNECTION_ERRORS, &UP, &BANS, &JAILS];

struct Instruments {
    command_duration: Histogram<f64>,
    connection_errors: Counter<u64>,
}

static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
/// Counts over all jails; negative means unknown, and then nothing is observed.
static BAN_COUNT: AtomicI64 = AtomicI64::new(-1);
static JAIL_COUNT: AtomicI64 = AtomicI64::new(-1);

pub(super) fn install(meter: &Meter) {
    for (definition, count) in [(BANS, &BAN_COUNT), (JAILS, &JAIL_COUNT)] {
        definition.observe(meter, |observer| {
            if let Ok(count) = u64::try_from(count.load(Ordering::Relaxed)) {
                observer.observe(count, &[]);
            }
        });
    }
    UP.observe(meter, |observer| {
        let is_up = JAIL_COUNT.load(Ordering::Relaxed) >= 0;
        observer.observe(u64::from(is_up), &[]);
    });
    let _ = INSTRUMENTS.set(Instruments {
        command_duration: COMMAND_DURATION.build_histogram(meter),
        connection_errors: CONNECTION_ERRORS.build_counter_from_zero(meter),
    });
}

/// A command was answered by fail2ban, or failed with the given kind of error.
pub fn fail2ban_command(command: &'static str, seconds: f64, error_type: Option<&'static str>) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let mut attributes = Attributes::default();
    attributes.push(KeyValue::new("bangui.fail2ban.command", command));
    attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
    instruments.command_duration.record(seconds, &attributes);
}

/// fail2ban could not be reached, or its connection was lost.
pub fn fail2ban_connection_error() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.connection_errors.add(1, &[]);
    }
}

/// How many bans and jails there are; nothing while fail2ban is unreachable.
pub fn set_counts(counts: Option<(usize, usize)>) {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (bans, jails) = counts.map_or((-1, -1), |(bans, jails)| (number(bans), number(jails)));
    BAN_COUNT.store(bans, Ordering::Relaxed);
    JAIL_COUNT.store(jails, Ordering::Relaxed);
}
