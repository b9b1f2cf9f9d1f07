//! What statements are measured by, in the terms of the conventions for databases.

use std::cell::RefCell;
use std::ptr;
use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Histogram, Meter};

use super::attributes::Attributes;
use super::definition::Definition;
use super::series::{self, Series};

/// Statements times the ways in which they fail.
const SERIES_MAX: usize = 300;

const OPERATION_DURATION: Definition =
    Definition::duration("db.client.operation.duration", "Duration of database client operations.")
        .with(
            &["db.system.name", "db.operation.name", "db.collection.name", "error.type"],
            SERIES_MAX,
        );

pub(super) const DEFINITIONS: &[&Definition] = &[&OPERATION_DURATION];

static OPERATIONS: OnceLock<Histogram<f64>> = OnceLock::new();

thread_local! {
    static SERIES: Series<BoundHistogram<f64>> = RefCell::default();
}

pub(super) fn install(meter: &Meter) {
    let _ = OPERATIONS.set(OPERATION_DURATION.build_histogram(meter));
}

/// A statement was run by the database, or failed with the given kind of error.
pub fn db_operation(
    system: &'static str,
    operation: &'static str,
    collection: &'static str,
    seconds: f64,
    error_type: Option<&'static str>,
) {
    let Some(operations) = OPERATIONS.get() else { return };
    let bind = || {
        let mut attributes = Attributes::default();
        attributes.push(KeyValue::new("db.system.name", system));
        attributes.push(KeyValue::new("db.operation.name", operation));
        attributes.push(KeyValue::new("db.collection.name", collection));
        attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
        operations.bind(&attributes)
    };
    let key = ([operation, collection, error_type.unwrap_or_default()].map(ptr::from_ref), 0);
    series::with(&SERIES, key, bind, |own| own.record(seconds));
}
