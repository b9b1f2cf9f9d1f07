//! The hook for what the product does: a use case tells a fact, and the edge makes the rest of it.
//!
//! A [`Fact`] is a counter with a list of attributes, whose values are words of the source. Use
//! cases tell it by [`report!`](super::report), which makes of one sentence the log event, the
//! count and an event of the span that is entered. Who has no event of the log to tell, or tells it
//! elsewhere, uses [`Fact::count`]. Neither knows OpenTelemetry.
//!
//! The count does not depend on the level of the log, and the span's event has the words only, no
//! field of the log: those may tell of persons.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Meter};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use super::attributes::Attributes;
use super::definition::Definition;

/// Words are few, and so are their combinations.
pub(super) const SERIES_MAX: usize = 50;

/// A value of an attribute: a word of the source, or nothing where it does not apply.
pub type Word = Option<&'static str>;

/// Something that the product does, counted.
pub struct Fact {
    definition: Definition,
    /// The words of the series that exist from the start, with a zero, so that an alert on their
    /// increase sees the first one.
    starts: &'static [&'static [Word]],
    counter: OnceLock<Counter<u64>>,
}

impl std::fmt::Debug for Fact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.definition.fmt(f)
    }
}

impl Fact {
    pub(super) const fn new(
        name: &'static str,
        unit: &'static str,
        brief: &'static str,
        attributes: &'static [&'static str],
        starts: &'static [&'static [Word]],
    ) -> Self {
        let definition = Definition::counter(name, unit, brief).with(attributes, SERIES_MAX);
        Self { definition, starts, counter: OnceLock::new() }
    }

    pub(super) const fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(super) fn install(&self, meter: &Meter) {
        let counter = self.definition.build_counter(meter);
        for words in self.starts {
            counter.add(0, &self.attributes(words));
        }
        let _ = self.counter.set(counter);
    }

    /// It happened: the words are the values of its attributes, in the order of its definition.
    pub fn count(&self, words: &[Word]) {
        self.add(1, words);
    }

    /// It happened so many times.
    pub(super) fn add(&self, times: u64, words: &[Word]) {
        if let Some(counter) = self.counter.get() {
            counter.add(times, &self.attributes(words));
        }
    }

    /// It happened, and the trace shall tell as well, under the name of its log event.
    pub fn tell(&self, event: &'static str, words: &[Word]) {
        self.count(words);
        Span::current().add_event(event, self.attributes(words).to_vec());
    }

    fn attributes(&self, words: &[Word]) -> Attributes {
        let named = self.definition.attributes.iter().zip(words);
        let mut attributes = Attributes::default();
        attributes.extend(named.filter_map(|(key, word)| Some(KeyValue::new(*key, (*word)?))));
        attributes
    }
}

/// Tells a fact: the log event with its fields, the count with its words, and an event of the
/// span.
///
/// ```text
/// report!(
///     name: "ban_executed",
///     level: info,
///     counts: BANS_EXECUTED["success", None],
///     jail = %jail,
/// );
/// ```
macro_rules! report {
    (
        name: $name:literal, level: $level:ident, counts: $fact:path [$($word:expr),* $(,)?]
        $(, $($fields:tt)*)?
    ) => {{
        $fact.tell($name, &[$($crate::telemetry::metrics::Word::from($word)),*]);
        ::tracing::$level!(name: $name, $($($fields)*)?);
    }};
}
pub(crate) use report;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_attributes_in_the_order_of_the_definition() {
        let fact = Fact::new("test.facts", "{fact}", "Facts.", &["error.type", "cpu.mode"], &[]);
        let attributes = fact.attributes(&[Some("timeout"), Some("user")]);
        let expected = [KeyValue::new("error.type", "timeout"), KeyValue::new("cpu.mode", "user")];
        assert_eq!(*attributes, expected);
        assert_eq!(*fact.attributes(&[None, Some("user")]), expected[1..]);
    }

    #[test]
    fn before_telemetry_runs_a_fact_is_told_to_nobody() {
        let fact = Fact::new("test.facts", "{fact}", "Facts.", &[], &[]);
        fact.count(&[]);
        fact.tell("test_told", &[]);
        assert!(fact.counter.get().is_none());
    }
}
