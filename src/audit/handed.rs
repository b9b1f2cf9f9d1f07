//! The rows that this process has handed to the log and that are not marked as told yet.
//!
//! A row is handed over once: its record waits in the log's own queue for as long as the collector
//! is away, and a second line on stdout would tell nothing new. Only a row whose record was given
//! up is handed over again, ever more seldom, and while nothing gets through one at a time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::store::UntoldAudit;

/// Rows that may be on their way at once; further ones wait in the store.
const HANDED_MAX: usize = 1000;
/// Rows that are read, or handed over again, in one go.
const BATCH_MAX: usize = 100;
/// The pause before a row that was given up is handed over again; it doubles each time.
const PAUSE_MIN: Duration = Duration::from_secs(30);
/// However often a row was given up, it is tried again after this.
const PAUSE_MAX: Duration = Duration::from_secs(600);

/// What is known of the rows, by their ids.
#[derive(Debug)]
pub(super) struct Handed {
    /// At most so many rows.
    max: usize,
    rows: BTreeMap<i64, Row>,
    /// Whether the last receipt said that a record was given up.
    is_refused: bool,
}

#[derive(Debug)]
struct Row {
    audit: UntoldAudit,
    /// How often it was handed over.
    tellings: u32,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Its receipt is waited for.
    Waiting,
    /// Its record was given up; it may be handed over again from then on.
    GivenUp(Instant),
    /// Its record has arrived, which is to be written into the store.
    Delivered,
}

impl Default for Handed {
    fn default() -> Self {
        Self::new(HANDED_MAX)
    }
}

impl Handed {
    /// Room for so many rows.
    pub(super) fn new(max: usize) -> Self {
        Self { max, rows: BTreeMap::new(), is_refused: false }
    }

    /// How many rows may be read and handed over now.
    pub(super) fn room(&self) -> usize {
        self.max.saturating_sub(self.rows.len()).min(BATCH_MAX)
    }

    /// How many rows are not marked as told.
    pub(super) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The rows that must not be read as new ones.
    pub(super) fn ids(&self) -> Vec<i64> {
        self.rows.keys().copied().collect()
    }

    /// Takes a row that is handed over for the first time.
    pub(super) fn add(&mut self, audit: UntoldAudit) {
        let id = audit.entry.id;
        self.rows.insert(id, Row { audit, tellings: 1, state: State::Waiting });
    }

    /// Takes what a receipt says.
    pub(super) fn settle(&mut self, id: i64, is_delivered: bool, now: Instant) {
        self.is_refused = !is_delivered;
        let Some(row) = self.rows.get_mut(&id) else { return };
        row.state = if is_delivered {
            State::Delivered
        } else {
            // After so many doublings the longest pause is reached anyway.
            let doublings = row.tellings.saturating_sub(1).min(16);
            State::GivenUp(now + PAUSE_MIN.saturating_mul(1 << doublings).min(PAUSE_MAX))
        };
    }

    /// The rows that are to be marked as told.
    pub(super) fn delivered(&self) -> Vec<i64> {
        let is_delivered = |row: &Row| matches!(row.state, State::Delivered);
        self.rows.iter().filter(|(_, row)| is_delivered(row)).map(|(id, _)| *id).collect()
    }

    /// Forgets rows that are marked as told.
    pub(super) fn forget(&mut self, ids: &[i64]) {
        for id in ids {
            self.rows.remove(id);
        }
    }

    /// Takes the rows that are to be handed over again now, of those that are let through. While
    /// the log gives records up, one row tries whether it still does, and not always the same one.
    pub(super) fn again(
        &mut self,
        now: Instant,
        is_let_through: impl Fn(&UntoldAudit) -> bool,
    ) -> Vec<UntoldAudit> {
        let is_due = |row: &Row| {
            matches!(row.state, State::GivenUp(at) if at <= now) && is_let_through(&row.audit)
        };
        let mut due: Vec<(u32, i64)> = self
            .rows
            .iter()
            .filter(|(_, row)| is_due(row))
            .map(|(id, row)| (row.tellings, *id))
            .collect();
        due.sort_unstable();
        due.truncate(if self.is_refused { 1 } else { BATCH_MAX });
        let mut taken = Vec::with_capacity(due.len());
        for (_, id) in due {
            if let Some(row) = self.rows.get_mut(&id) {
                row.tellings = row.tellings.saturating_add(1);
                row.state = State::Waiting;
                taken.push(row.audit.clone());
            }
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::super::outbox::tests::row;
    use super::*;

    fn handed(count: i64) -> Handed {
        let mut handed = Handed::default();
        (1..=count).for_each(|id| handed.add(row(id)));
        handed
    }

    fn ids(rows: &[UntoldAudit]) -> Vec<i64> {
        rows.iter().map(|row| row.entry.id).collect()
    }

    #[test]
    fn a_row_without_a_receipt_is_not_handed_over_again() {
        let mut handed = handed(2);
        assert!(handed.again(Instant::now() + Duration::from_secs(1_000_000), |_| true).is_empty());
        assert_eq!(handed.ids(), [1, 2]);
    }

    #[test]
    fn a_delivered_row_is_kept_until_it_is_marked() {
        let mut handed = handed(2);
        handed.settle(2, true, Instant::now());
        assert_eq!((handed.ids(), handed.delivered()), (vec![1, 2], vec![2]));
        handed.forget(&[2]);
        assert_eq!((handed.ids(), handed.delivered()), (vec![1], vec![]));
    }

    #[test]
    fn rows_that_were_given_up_are_tried_one_at_a_time_until_one_gets_through() {
        let (mut handed, now) = (handed(3), Instant::now());
        (1..=3).for_each(|id| handed.settle(id, false, now));
        assert!(handed.again(now, |_| true).is_empty(), "there is a pause");
        let later = now + PAUSE_MIN;
        assert_eq!(ids(&handed.again(later, |_| true)), [1]);
        handed.settle(1, false, later);
        assert_eq!(ids(&handed.again(later + PAUSE_MIN, |_| true)), [2], "another one is tried");
        handed.settle(2, true, later + PAUSE_MIN);
        let last = later + 2 * PAUSE_MIN;
        assert_eq!(ids(&handed.again(last, |_| true)), [3, 1], "then all of them");
    }

    #[test]
    fn a_row_that_the_level_hides_is_not_handed_over_again() {
        let (mut handed, now) = (handed(2), Instant::now());
        (1..=2).for_each(|id| handed.settle(id, false, now));
        assert_eq!(ids(&handed.again(now + PAUSE_MIN, |row| row.entry.id == 2)), [2]);
    }

    #[test]
    fn the_pauses_grow_and_have_a_limit() {
        let (mut handed, mut now) = (handed(1), Instant::now());
        let mut pauses = Vec::new();
        for _ in 0..40 {
            handed.settle(1, false, now);
            let pause = (1..).find(|seconds| {
                !handed.again(now + Duration::from_secs(*seconds), |_| true).is_empty()
            });
            pauses.push(pause.unwrap());
            now += Duration::from_secs(pauses[pauses.len() - 1]);
        }
        assert_eq!(pauses[..6], [30, 60, 120, 240, 480, 600]);
        assert!(pauses[6..].iter().all(|pause| *pause == 600));
    }

    #[test]
    fn only_so_many_rows_are_on_their_way() {
        let mut handed = handed(i64::try_from(HANDED_MAX).unwrap() - 1);
        assert_eq!(handed.room(), 1);
        handed.add(row(-1));
        assert_eq!(handed.room(), 0);
        handed.forget(&handed.ids()[..500]);
        assert_eq!(handed.room(), BATCH_MAX);
    }
}
