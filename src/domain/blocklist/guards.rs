//! Who must not be locked out: networks that no list may ban.

use super::refused::{Refusal, Refused};
use crate::domain::network::Network;

/// A network that no list may touch, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Guard {
    /// What is protected.
    pub network: Network,
    /// As what its ban is refused.
    pub refusal: Refusal,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guards(Vec<Guard>);

impl Guards {
    /// Protects one more network.
    pub fn protect(&mut self, network: Network, refusal: Refusal) {
        self.0.push(Guard { network, refusal });
    }

    /// Takes entries that touch a protected network out of a list in which none covers another.
    pub fn apply(&self, entries: &mut Vec<Network>, refused: &mut Refused) {
        // In such a list everything that a network touches lies together: what it covers, or the
        // one that covers it and stands right before where it would stand itself.
        let mut hit: Vec<(usize, Refusal)> = Vec::new();
        for Guard { network, refusal } in &self.0 {
            let start = entries.partition_point(|entry| entry < network);
            let before = start.checked_sub(1).filter(|at| entries[*at].covers(*network));
            let within = entries[start..].iter().take_while(|entry| network.covers(**entry));
            hit.extend(before.map(|at| (at, *refusal)));
            hit.extend((start..start + within.count()).map(|at| (at, *refusal)));
        }
        hit.sort_unstable();
        hit.dedup_by_key(|(at, _)| *at);
        for (at, refusal) in &hit {
            refused.note(None, &entries[*at].to_string(), *refusal);
        }
        let mut hit = hit.into_iter().map(|(at, _)| at).peekable();
        let mut at = 0;
        entries.retain(|_| {
            let is_hit = hit.next_if_eq(&at).is_some();
            at += 1;
            !is_hit
        });
    }
}
