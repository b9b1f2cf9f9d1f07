//! What the log path counts about itself; the instruments only read.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::super::{counts, sanitize};
use super::definition::Definition;

/// Levels and reasons are a handful.
const FEW: usize = 16;
/// More than there are rules.
const RULES_MAX: usize = 100;

const RECORDS: Definition =
    Definition::counter("bangui.log.records", "{record}", "Log records, by level.")
        .with(&["bangui.log.level"], FEW);
const DELIVERED: Definition = Definition::counter(
    "bangui.log.delivered",
    "{record}",
    "Log records that the collector has acknowledged.",
);
const LOST: Definition = Definition::counter(
    "bangui.log.lost",
    "{record}",
    "Log records that an output never got, by reason.",
)
.with(&["bangui.log.lost.reason"], FEW);
const BUFFERED: Definition = Definition::gauge(
    "bangui.log.buffered",
    "{record}",
    "Log records that the collector has not acknowledged yet.",
);
const BUFFER_LIMIT: Definition = Definition::gauge(
    "bangui.log.buffer.limit",
    "{record}",
    "Log records that may wait for the collector; beyond it the oldest are lost.",
);
const REDACTIONS: Definition = Definition::counter(
    "bangui.sanitizer.redactions",
    "{redaction}",
    "Secrets that were taken out of telemetry, by rule.",
)
.with(&["bangui.sanitizer.rule"], RULES_MAX);

pub(super) const DEFINITIONS: &[&Definition] =
    &[&RECORDS, &DELIVERED, &LOST, &BUFFERED, &BUFFER_LIMIT, &REDACTIONS];

pub(super) fn install(meter: &Meter) {
    RECORDS.observe(meter, |observer| {
        for (level, count) in counts::lines() {
            observer.observe(count, &[KeyValue::new("bangui.log.level", level)]);
        }
    });
    DELIVERED.observe(meter, |observer| observer.observe(counts::all_delivered(), &[]));
    LOST.observe(meter, |observer| {
        for (reason, count) in counts::lost() {
            observer.observe(count, &[KeyValue::new("bangui.log.lost.reason", reason)]);
        }
    });
    BUFFERED.observe(meter, |observer| observer.observe(counts::buffered(), &[]));
    BUFFER_LIMIT.observe(meter, |observer| {
        counts::buffer_limit().into_iter().for_each(|limit| observer.observe(limit, &[]));
    });
    REDACTIONS.observe(meter, |observer| {
        for (rule, count) in sanitize::hits() {
            observer.observe(count, &[KeyValue::new("bangui.sanitizer.rule", rule)]);
        }
    });
}
