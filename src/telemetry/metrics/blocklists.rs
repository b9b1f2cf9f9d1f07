//! How blocklists stand. Every instance may know, but only the one that runs the scheduled tasks
//! tells, so that a list is not told of by an instance that last saw it days ago.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwapOption;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::definition::Definition;
use super::scheduled;

/// As many as there may be, with some that were renamed while the process ran.
const SERIES_MAX: usize = 50;
const NAME: &[&str] = &["bangui.blocklist.name"];

const ENTRIES: Definition = Definition::gauge(
    "bangui.blocklist.entries",
    "{entry}",
    "Entries of a blocklist that are in force; of enabled lists, told by the instance that runs \
     the scheduled tasks.",
)
.with(NAME, SERIES_MAX);
const AGE: Definition = Definition::gauge(
    "bangui.blocklist.age",
    "s",
    "Time since a blocklist was last imported without a failure; absent before the first time.",
)
.with(NAME, SERIES_MAX);
const INTERVAL: Definition =
    Definition::gauge("bangui.blocklist.interval", "s", "How often a blocklist is to be imported.")
        .with(NAME, SERIES_MAX);

pub(super) const DEFINITIONS: &[&Definition] = &[&ENTRIES, &AGE, &INTERVAL];

/// A list as the gauges tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlocklistState {
    /// Its name.
    pub name: String,
    /// Entries in force.
    pub entries: u64,
    /// Since its last success.
    pub age_seconds: Option<i64>,
    /// How often it is imported.
    pub interval_seconds: i64,
}

/// The lists, and when that was known: ages go on growing while nobody reports.
type Known = (Instant, Vec<([KeyValue; 1], BlocklistState)>);

static LATEST: ArcSwapOption<Known> = ArcSwapOption::const_empty();

/// One of the numbers of a list, some seconds after it was known.
type Number = fn(&BlocklistState, u64) -> Option<u64>;

pub(super) fn install(meter: &Meter) {
    let each: [(Definition, Number); 3] = [
        (ENTRIES, |state, _| Some(state.entries)),
        (AGE, |state, later| u64::try_from(state.age_seconds?).ok()?.checked_add(later)),
        (INTERVAL, |state, _| u64::try_from(state.interval_seconds).ok()),
    ];
    for (definition, number) in each {
        definition.observe(meter, move |observer| {
            if scheduled::lock_held() != Some(1) {
                return;
            }
            let Some(known) = LATEST.load_full() else { return };
            let (at, states) = &*known;
            for (attributes, state) in states {
                if let Some(number) = number(state, at.elapsed().as_secs()) {
                    observer.observe(number, attributes);
                }
            }
        });
    }
}

/// The enabled lists, as the store has them.
pub fn set_blocklists(states: impl IntoIterator<Item = BlocklistState>) {
    let named = |state: BlocklistState| ([KeyValue::new(NAME[0], state.name.clone())], state);
    LATEST.store(Some(Arc::new((Instant::now(), states.into_iter().map(named).collect()))));
}
