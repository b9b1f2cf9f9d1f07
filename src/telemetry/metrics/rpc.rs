//! What gRPC calls are measured by, in the terms of the conventions for RPC.

use std::cell::RefCell;
use std::ptr;
use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{BoundHistogram, Histogram, Meter};

use super::attributes::Attributes;
use super::definition::Definition;
use super::series::{self, Series};

/// Methods times the statuses that they can end with.
const SERIES_MAX: usize = 300;

const CALL_DURATION: Definition = Definition::duration(
    "rpc.server.call.duration",
    "Duration of gRPC calls, to the end of their answers.",
)
.with(&["rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"], SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] = &[&CALL_DURATION];

static CALLS: OnceLock<Histogram<f64>> = OnceLock::new();

thread_local! {
    static SERIES: Series<BoundHistogram<f64>> = RefCell::default();
}

pub(super) fn install(meter: &Meter) {
    let _ = CALLS.set(CALL_DURATION.build_histogram(meter));
}

/// A gRPC call is over, with the name of its status.
pub fn rpc_call(
    method: &'static str,
    status: &'static str,
    seconds: f64,
    error_type: Option<&'static str>,
) {
    let Some(calls) = CALLS.get() else { return };
    let bind = || {
        let mut attributes = Attributes::default();
        attributes.push(KeyValue::new("rpc.system.name", "grpc"));
        attributes.push(KeyValue::new("rpc.method", method));
        attributes.push(KeyValue::new("rpc.response.status_code", status));
        attributes.extend(error_type.map(|error| KeyValue::new("error.type", error)));
        calls.bind(&attributes)
    };
    let key = ([method, status, error_type.unwrap_or_default()].map(ptr::from_ref), 0);
    series::with(&SERIES, key, bind, |own| own.record(seconds));
}
