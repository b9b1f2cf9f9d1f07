//! What fail2ban counts for each jail, as the watch last saw it. While fail2ban is unreachable
//! nobody knows, and the series are absent.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::definition::Definition;

/// Jails with series of their own; the rest are one, `other`. Nobody has as many, but their number
/// is not ours to decide.
const JAILS_MAX: usize = 200;
const OTHER: &str = "other";
const JAIL: &[&str] = &["bangui.fail2ban.jail"];

const BANNED: Definition = Definition::gauge(
    "bangui.jail.banned",
    "{ban}",
    "Bans in force in a jail; absent while fail2ban is unreachable.",
)
.with(JAIL, JAILS_MAX + 1);
const FAILING: Definition = Definition::gauge(
    "bangui.jail.failing",
    "{address}",
    "Addresses with failures in a jail that have not led to a ban; absent while fail2ban is \
     unreachable.",
)
.with(JAIL, JAILS_MAX + 1);
const BANS: Definition = Definition::counter(
    "bangui.jail.bans",
    "{ban}",
    "Bans of a jail since fail2ban started it; absent while fail2ban is unreachable.",
)
.with(JAIL, JAILS_MAX + 1);
const FAILURES: Definition = Definition::counter(
    "bangui.jail.failures",
    "{failure}",
    "Failures that a jail has found since fail2ban started it; absent while fail2ban is \
     unreachable.",
)
.with(JAIL, JAILS_MAX + 1);

pub(super) const DEFINITIONS: &[&Definition] = &[&BANNED, &FAILING, &BANS, &FAILURES];

/// What fail2ban counts for a jail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JailCounts {
    /// Bans in force.
    pub banned: u64,
    /// Addresses on their way to a ban.
    pub failing: u64,
    /// Bans since its start.
    pub bans: u64,
    /// Failures since its start.
    pub failures: u64,
}

impl JailCounts {
    fn plus(self, other: Self) -> Self {
        Self {
            banned: self.banned.saturating_add(other.banned),
            failing: self.failing.saturating_add(other.failing),
            bans: self.bans.saturating_add(other.bans),
            failures: self.failures.saturating_add(other.failures),
        }
    }
}

/// A jail with the attribute of its points, made once.
type Jail = ([KeyValue; 1], JailCounts);

/// One of the numbers of a jail.
type Number = fn(&JailCounts) -> u64;

/// Replaced as a whole, by swapping a pointer: whoever reads it waits for nobody.
static LATEST: ArcSwapOption<Vec<Jail>> = ArcSwapOption::const_empty();

pub(super) fn install(meter: &Meter) {
    let each: [(Definition, Number); 4] = [
        (BANNED, |counts| counts.banned),
        (FAILING, |counts| counts.failing),
        (BANS, |counts| counts.bans),
        (FAILURES, |counts| counts.failures),
    ];
    for (definition, number) in each {
        definition.observe(meter, move |observer| {
            let latest = LATEST.load();
            for (attribute, counts) in latest.iter().flat_map(|jails| jails.iter()) {
                observer.observe(number(counts), attribute);
            }
        });
    }
}

/// What fail2ban counts, by jail; nothing while it is unreachable.
pub fn set_jails(jails: Option<impl IntoIterator<Item = (String, JailCounts)>>) {
    LATEST.store(jails.map(|jails| Arc::new(limited(jails))));
}

fn limited(jails: impl IntoIterator<Item = (String, JailCounts)>) -> Vec<Jail> {
    let (mut limited, mut rest): (Vec<Jail>, Option<JailCounts>) = (Vec::new(), None);
    let attribute = |name: String| [KeyValue::new(JAIL[0], name)];
    for (name, counts) in jails {
        if limited.len() < JAILS_MAX && name != OTHER {
            limited.push((attribute(name), counts));
        } else {
            rest = Some(rest.unwrap_or_default().plus(counts));
        }
    }
    limited.extend(rest.map(|counts| (attribute(OTHER.to_owned()), counts)));
    limited
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jails(count: u64) -> impl Iterator<Item = (String, JailCounts)> {
        let counts = |n| JailCounts { banned: n, failing: 1, bans: 2, failures: 3 };
        (0..count).map(move |n| (format!("jail-{n}"), counts(n)))
    }

    #[test]
    fn jails_beyond_the_limit_are_one() {
        let all = limited(jails(203));
        assert_eq!(all.len(), JAILS_MAX + 1);
        let rest = JailCounts { banned: 200 + 201 + 202, failing: 3, bans: 6, failures: 9 };
        assert_eq!(all[JAILS_MAX], ([KeyValue::new("bangui.fail2ban.jail", "other")], rest));
    }

    #[test]
    fn as_many_as_there_may_be_have_their_own_names() {
        let all = limited(jails(200));
        assert_eq!(all.len(), JAILS_MAX);
        assert!(all.iter().all(|([name], _)| name.value.as_str() != OTHER));
    }

    #[test]
    fn a_jail_that_is_called_other_is_counted_once() {
        let all = limited([(OTHER.to_owned(), JailCounts::default())]);
        assert_eq!(all.len(), 1);
        let both = [(OTHER.to_owned(), JailCounts::default())].into_iter().chain(jails(201));
        assert_eq!(limited(both).len(), JAILS_MAX + 1);
    }
}
