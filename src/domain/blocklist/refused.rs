//! Entries of a list that are not banned, and why.

use std::collections::BTreeMap;

use crate::domain::network::Special;

/// So many refused entries are kept word by word, for whoever looks at a list.
const EXAMPLES_MAX: usize = 20;
/// And so much of each.
const EXAMPLE_CHARS_MAX: usize = 80;

/// Why an entry is not banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// It is neither an address nor a network.
    Unreadable,
    /// The network is too wide to be meant.
    TooWide,
    /// It is a network, and the list is set up to take addresses only.
    Network,
    /// It touches a range that is never a stranger's.
    Special(Special),
    /// It touches an address of this server.
    OwnAddress,
    /// It touches a proxy in front of this service.
    TrustedProxy,
    /// Somebody who is signed in comes from there.
    SignedIn,
    /// The jail ignores it.
    Ignored,
    /// An operator has lifted its ban in this jail.
    Unbanned,
}

impl Refusal {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 14] = [
        Self::Unreadable,
        Self::TooWide,
        Self::Network,
        Self::Special(Special::Loopback),
        Self::Special(Special::Private),
        Self::Special(Special::LinkLocal),
        Self::Special(Special::Shared),
        Self::Special(Special::Multicast),
        Self::Special(Special::Reserved),
        Self::OwnAddress,
        Self::TrustedProxy,
        Self::SignedIn,
        Self::Ignored,
        Self::Unbanned,
    ];

    /// The word for it in answers, logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::TooWide => "too_wide",
            Self::Network => "network",
            Self::Special(Special::Loopback) => "loopback",
            Self::Special(Special::Private) => "private",
            Self::Special(Special::LinkLocal) => "link_local",
            Self::Special(Special::Shared) => "shared",
            Self::Special(Special::Multicast) => "multicast",
            Self::Special(Special::Reserved) => "reserved",
            Self::OwnAddress => "own_address",
            Self::TrustedProxy => "trusted_proxy",
            Self::SignedIn => "signed_in",
            Self::Ignored => "ignored",
            Self::Unbanned => "unbanned",
        }
    }
}

/// A refused entry as it stood in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The line, from 1; nothing when the list was not read anew.
    pub line: Option<usize>,
    /// The beginning of what stood there.
    pub text: String,
    /// Why it is refused.
    pub refusal: Refusal,
}

/// How many entries were refused for which reason, with the first ones word by word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// By reason.
    pub counts: BTreeMap<Refusal, u64>,
    /// The first ones.
    pub examples: Vec<Example>,
}

impl Refused {
    /// Notes one more.
    pub fn note(&mut self, line: Option<usize>, text: &str, refusal: Refusal) {
        *self.counts.entry(refusal).or_default() += 1;
        if self.examples.len() < EXAMPLES_MAX {
            let clean = |char: char| if char.is_control() { ' ' } else { char };
            let text = text.chars().take(EXAMPLE_CHARS_MAX).map(clean).collect();
            self.examples.push(Example { line, text, refusal });
        }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// How many there are for a reason.
    pub fn count(&self, refusal: Refusal) -> u64 {
        self.counts.get(&refusal).copied().unwrap_or(0)
    }
}
