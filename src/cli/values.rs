//! What messages say in numbers, in words.

use prost_types::Timestamp;

use crate::proto::v1::EventSource;

/// A time as the JSON API writes it; nothing for one that is absent or that no calendar has.
pub(super) fn time(at: Option<&Timestamp>) -> Option<String> {
    let at = at?;
    jiff::Timestamp::new(at.seconds, at.nanos).ok().map(|at| at.to_string())
}

/// What told of something, as the JSON API names it.
pub(super) fn source(source: EventSource) -> Option<&'static str> {
    match source {
        EventSource::Unspecified => None,
        EventSource::List => Some("list"),
        EventSource::Log => Some("log"),
        EventSource::Operator => Some("operator"),
    }
}
