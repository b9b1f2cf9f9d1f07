//! What is to be done so that a jail holds what a list says, without touching anybody else's bans.

use std::collections::{BTreeMap, HashMap};

use super::parse::ListError;
use crate::domain::network::Network;

/// A list that had fewer entries may well lose half of them.
const SHRINK_ENTRIES_MIN: usize = 10;

/// How an entry of a list stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryState {
    /// It was about to be banned for the list when that was last heard of.
    Pending,
    /// The list's ban.
    Placed,
    /// Somebody else's ban; the list only wants it too.
    Held,
}

impl EntryState {
    /// The word for it in the store.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Placed => "placed",
            Self::Held => "held",
        }
    }

    /// The state of a word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::Pending, Self::Placed, Self::Held].into_iter().find(|state| state.word() == word)
    }
}

/// How things stand.
#[derive(Debug)]
pub struct Current<'a> {
    /// What is known of the list's entries.
    pub known: &'a BTreeMap<Network, EntryState>,
    /// What the jail bans, with the unix seconds of the end, if there is one.
    pub banned: &'a HashMap<Network, Option<i64>>,
    /// Bans that end before this (unix seconds) are made longer.
    pub renew_before: i64,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// To be banned.
    pub add: Vec<Network>,
    /// The list's bans that would end before the next import.
    pub renew: Vec<Network>,
    /// The list's bans that stay as they are.
    pub keep: Vec<Network>,
    /// Bans of others that the list wants too.
    pub held: Vec<Network>,
    /// The list's bans that it no longer wants.
    pub lift: Vec<Network>,
    /// What the list no longer wants and has no ban for.
    pub forget: Vec<Network>,
}

/// Compares what a list wants with what is.
pub fn plan(wanted: &[Network], current: &Current<'_>) -> Plan {
    let mut plan = Plan::default();
    for &entry in wanted {
        let is_ours = match current.known.get(&entry) {
            Some(EntryState::Pending | EntryState::Placed) => true,
            Some(EntryState::Held) | None => false,
        };
        let place = match current.banned.get(&entry) {
            None => &mut plan.add,
            Some(_) if !is_ours => &mut plan.held,
            Some(Some(end)) if *end < current.renew_before => &mut plan.renew,
            Some(_) => &mut plan.keep,
        };
        place.push(entry);
    }
    for (&entry, &state) in current.known {
        if wanted.binary_search(&entry).is_ok() {
            continue;
        }
        let is_ours = state != EntryState::Held && current.banned.contains_key(&entry);
        let place = if is_ours { &mut plan.lift } else { &mut plan.forget };
        place.push(entry);
    }
    plan
}

/// Refuses a list that lost so much that it is more likely broken than short.
pub fn check_size(before: usize, now: usize) -> Result<(), ListError> {
    if now == 0 {
        return Err(ListError::Empty);
    }
    if before >= SHRINK_ENTRIES_MIN && now * 2 < before {
        return Err(ListError::Shrunk { before, now });
    }
    Ok(())
}
