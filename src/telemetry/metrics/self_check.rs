//! What the check of telemetry's way came to, and how many there were: the collector has to show
//! the latter for the next check to pass.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::metrics::Meter;

use super::definition::Definition;

const SELF_CHECK: Definition = Definition::gauge(
    "bangui.telemetry.self_check",
    "{check}",
    "1 if the last check found that telemetry arrives, else 0; absent before the first one.",
);
const SELF_CHECKS: Definition = Definition::counter(
    "bangui.telemetry.self_checks",
    "{check}",
    "Checks of whether telemetry arrives; 0 from the start.",
);

pub(super) const DEFINITIONS: &[&Definition] = &[&SELF_CHECK, &SELF_CHECKS];

static CHECKS: AtomicU64 = AtomicU64::new(0);
static IS_PASSED: AtomicU64 = AtomicU64::new(0);

pub(super) fn install(meter: &Meter) {
    SELF_CHECK.observe(meter, |observer| {
        if CHECKS.load(Ordering::Relaxed) > 0 {
            observer.observe(IS_PASSED.load(Ordering::Relaxed), &[]);
        }
    });
    SELF_CHECKS.observe(meter, |observer| observer.observe(CHECKS.load(Ordering::Relaxed), &[]));
}

/// A check of telemetry's way is over.
pub fn telemetry_self_checked(is_passed: bool) {
    IS_PASSED.store(is_passed.into(), Ordering::Relaxed);
    CHECKS.fetch_add(1, Ordering::Relaxed);
}
