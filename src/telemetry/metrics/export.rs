//! What export tells of itself: how often it was tried, and how it ended.

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::super::counts;
use super::definition::Definition;

/// Three signals that succeed or fail.
const SERIES_MAX: usize = 6;

const EXPORTS: Definition = Definition::counter(
    "bangui.telemetry.exports",
    "{export}",
    "Exports to the collector, by signal and by how they ended.",
)
.with(&["bangui.telemetry.signal", "bangui.result"], SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] = &[&EXPORTS];

pub(super) fn install(meter: &Meter) {
    EXPORTS.observe(meter, |observer| {
        for (signal, result, count) in counts::exports() {
            let attributes = [
                KeyValue::new("bangui.telemetry.signal", signal),
                KeyValue::new("bangui.result", result),
            ];
            observer.observe(count, &attributes);
        }
    });
}
