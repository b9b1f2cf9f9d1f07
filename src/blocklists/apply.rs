//! Makes a jail hold what a plan says, in steps that are small for fail2ban and safe to break off.
//!
//! Before each step the store says what is about to be done, after it what was done. A step that
//! was broken off is found by the next import: what was about to be banned and is banned now was
//! banned for the list.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tracing::Instrument as _;

use super::import::Banned;
use super::protected::Judgements;
use super::{Error, Inner};
use crate::domain::blocklist::{EntryState, Plan};
use crate::domain::{Ban, JailName, Network, Subject};
use crate::history::Held;
use crate::store::{BlocklistRow, ImportClaim, KnownEntry};
use crate::telemetry::span;

/// The first step, and the bounds of the others. fail2ban serves nobody else during one.
const STEP_ENTRIES: usize = 32;
const STEP_ENTRIES_MIN: usize = 16;
const STEP_ENTRIES_MAX: usize = 256;
/// Steps grow while they take less than half of this, and shrink when they take more: a page that
/// asks meanwhile waits no longer.
const STEP_TARGET: Duration = Duration::from_millis(250);
/// After a step fail2ban is left alone for as long as the step took, but no longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Entries that only the store is told of are told in groups of this size.
const ROWS_AT_ONCE: usize = 1000;
/// Pages are told at most so often that there is news.
const NEWS_INTERVAL: Duration = Duration::from_secs(5);

/// What was done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) added: u64,
    pub(super) renewed: u64,
    pub(super) removed: u64,
}

/// A plan on its way.
pub(super) struct Apply<'a> {
    pub(super) inner: &'a Inner,
    pub(super) claim: &'a ImportClaim,
    pub(super) row: &'a BlocklistRow,
    pub(super) jail: &'a JailName,
    pub(super) bantime_seconds: i64,
    pub(super) judgements: Judgements,
}

/// What a step did, and how long fail2ban was busy with it. The store's time is not counted: a slow
/// disk is no reason for smaller steps.
#[derive(Debug, Default)]
struct Step {
    changed: u64,
    busy: Duration,
}

/// How large the next step is, and when pages were last told.
struct Pace {
    entries: usize,
    told: Instant,
}

impl Apply<'_> {
    /// Carries the plan out.
    pub(super) async fn run(
        &self,
        plan: Plan,
        banned: &Banned,
        known: &[KnownEntry],
    ) -> Result<Done, Error> {
        let span = tracing::info_span!(
            "blocklist_apply",
            bangui.blocklist.add = plan.add.len(),
            bangui.blocklist.renew = plan.renew.len(),
            bangui.blocklist.remove = plan.lift.len(),
        );
        self.carry_out(plan, banned, known).instrument(span).await
    }

    async fn carry_out(
        &self,
        plan: Plan,
        banned: &Banned,
        known: &[KnownEntry],
    ) -> Result<Done, Error> {
        let known: HashMap<Network, &KnownEntry> =
            known.iter().map(|known| (known.entry, known)).collect();
        let mut done = Done::default();
        self.note_what_is(&plan, banned, &known).await?;
        let mut pace = Pace { entries: STEP_ENTRIES, told: Instant::now() };
        let mut rest = plan.lift.as_slice();
        while let Some(step) = pace.next(&mut rest) {
            let Step { changed, busy } = self.lift(step, &known).await?;
            done.removed += changed;
            self.rest_after(busy, &mut pace).await;
        }
        let mut rest = plan.add.as_slice();
        while let Some(step) = pace.next(&mut rest) {
            let Step { changed, busy } = self.add(step).await?;
            done.added += changed;
            self.rest_after(busy, &mut pace).await;
        }
        let mut rest = plan.renew.as_slice();
        while let Some(step) = pace.next(&mut rest) {
            let started = Instant::now();
            self.inner.client.ban(self.jail, &subjects(step)).await?;
            done.renewed += step.len() as u64;
            self.rest_after(started.elapsed(), &mut pace).await;
        }
        if done != Done::default() {
            self.inner.history.tell_much().await;
        }
        Ok(done)
    }

    /// Brings the store up to date with what needs no command.
    async fn note_what_is(
        &self,
        plan: &Plan,
        banned: &Banned,
        known: &HashMap<Network, &KnownEntry>,
    ) -> Result<(), Error> {
        let store = &self.inner.store;
        for rows in plan.forget.chunks(ROWS_AT_ONCE) {
            store.forget_blocklist_entries(self.claim, rows).await?;
        }
        let is_new = |entry: &&Network, state| known.get(*entry).is_none_or(|it| it.state != state);
        let held: Vec<_> =
            plan.held.iter().filter(|it| is_new(it, EntryState::Held)).copied().collect();
        for rows in held.chunks(ROWS_AT_ONCE) {
            store.set_blocklist_entries(self.claim, rows, EntryState::Held).await?;
        }
        // An earlier import was broken off between a ban and its record.
        let ours = plan.keep.iter().chain(&plan.renew);
        let found: Vec<_> = ours.filter(|it| is_new(it, EntryState::Placed)).copied().collect();
        for rows in found.chunks(ROWS_AT_ONCE) {
            let bans = rows.iter().filter_map(|entry| banned.get(entry).cloned());
            self.tell_history(bans.collect()).await;
            store.set_blocklist_entries(self.claim, rows, EntryState::Placed).await?;
        }
        Ok(())
    }

    /// Bans entries that were not banned when the plan was made. Those that somebody else has
    /// banned meanwhile are not the list's.
    async fn add(&self, step: &[Network]) -> Result<Step, Error> {
        let Inner { store, client, history, .. } = self.inner;
        store.set_blocklist_entries(self.claim, step, EntryState::Pending).await?;
        let ips = subjects(step);
        let change = history.begin_changes(self.jail, &ips);
        let (sent, banned_at) = (Instant::now(), Ban::now());
        let count = client.ban(self.jail, &ips).await?;
        let busy = sent.elapsed();
        let is_all = usize::try_from(count).is_ok_and(|count| count == step.len());
        let held = if is_all { Vec::new() } else { self.banned_before(banned_at, step).await? };
        let own: Vec<Network> = step.iter().filter(|it| !held.contains(it)).copied().collect();
        let expires_at = Ban::end(banned_at, self.bantime_seconds);
        let ban = |ip: Subject| Ban { jail: self.jail.clone(), ip, banned_at, expires_at };
        self.tell_history(subjects(&own).into_iter().map(ban).collect()).await;
        drop(change);
        if !held.is_empty() {
            store.set_blocklist_entries(self.claim, &held, EntryState::Held).await?;
        }
        store.set_blocklist_entries(self.claim, &own, EntryState::Placed).await?;
        Ok(Step { changed: own.len() as u64, busy })
    }

    /// Which entries were banned before a moment. fail2ban can be asked for single addresses too,
    /// but it goes through all its bans for each of them.
    async fn banned_before(
        &self,
        moment: Timestamp,
        step: &[Network],
    ) -> Result<Vec<Network>, Error> {
        let bans = self.inner.client.bans(self.jail).await?;
        let older = bans.iter().filter(|ban| ban.banned_at < moment);
        let older: HashSet<&Subject> = older.map(|ban| &ban.ip).collect();
        let is_older = |entry: &&Network| entry.subject().is_some_and(|ip| older.contains(&ip));
        Ok(step.iter().filter(is_older).copied().collect())
    }

    /// Lifts the list's bans, unless an operator wants one or another list does.
    async fn lift(
        &self,
        step: &[Network],
        known: &HashMap<Network, &KnownEntry>,
    ) -> Result<Step, Error> {
        let Inner { store, client, history, .. } = self.inner;
        let is_operators = |entry: &Network| {
            let since = known.get(entry).map_or(0, |known| known.changed_at);
            self.judgements.get(entry).is_some_and(|last| last.is_ban && last.at >= since)
        };
        let (kept, own): (Vec<Network>, Vec<Network>) =
            step.iter().partition(|it| is_operators(it));
        let handed = store.hand_over_entries(self.claim, self.jail, &own).await?;
        let lifted: Vec<Network> = own.into_iter().filter(|it| !handed.contains(it)).collect();
        let ips = subjects(&lifted);
        let mut done = Step::default();
        if !ips.is_empty() {
            let change = history.begin_changes(self.jail, &ips);
            let sent = Instant::now();
            done.changed = client.unban(self.jail, &ips).await?;
            done.busy = sent.elapsed();
            history.blocklist_lifted(self.jail, &ips, span::correlation_id()).await;
            drop(change);
        }
        let gone = [kept, lifted].concat();
        store.forget_blocklist_entries(self.claim, &gone).await?;
        Ok(done)
    }

    async fn tell_history(&self, bans: Vec<Ban>) {
        let reason = format!("blocklist {}", self.row.name);
        let held = |ban| Held { ban, reason: Some(reason.clone()) };
        let held = bans.into_iter().map(held).collect();
        self.inner.history.blocklist_banned(held, span::correlation_id()).await;
    }

    /// Leaves fail2ban to others for a while, and tells pages now and then.
    async fn rest_after(&self, busy: Duration, pace: &mut Pace) {
        pace.adapt(busy);
        if pace.told.elapsed() >= NEWS_INTERVAL {
            self.inner.history.tell_much().await;
            pace.told = Instant::now();
        }
        sleep(busy.min(PAUSE_MAX)).await;
    }
}

impl Pace {
    /// The next step of what is left.
    fn next<'a>(&self, rest: &mut &'a [Network]) -> Option<&'a [Network]> {
        let (step, after) = rest.split_at(rest.len().min(self.entries));
        *rest = after;
        (!step.is_empty()).then_some(step)
    }

    fn adapt(&mut self, took: Duration) {
        if took < STEP_TARGET / 2 {
            self.entries = (self.entries * 2).min(STEP_ENTRIES_MAX);
        } else if took > STEP_TARGET {
            self.entries = (self.entries / 2).max(STEP_ENTRIES_MIN);
        }
    }
}

fn subjects(entries: &[Network]) -> Vec<Subject> {
    entries.iter().filter_map(|entry| entry.subject()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_how_long_they_take() {
        let mut pace = Pace { entries: STEP_ENTRIES, told: Instant::now() };
        (0..9).for_each(|_| pace.adapt(STEP_TARGET / 10));
        assert_eq!(pace.entries, STEP_ENTRIES_MAX);
        pace.adapt(STEP_TARGET);
        assert_eq!(pace.entries, STEP_ENTRIES_MAX);
        (0..9).for_each(|_| pace.adapt(STEP_TARGET * 10));
        assert_eq!(pace.entries, STEP_ENTRIES_MIN);
        let entries = vec!["192.0.2.1".parse().unwrap(); STEP_ENTRIES_MIN + 1];
        let mut rest = entries.as_slice();
        assert_eq!(pace.next(&mut rest).map(<[_]>::len), Some(STEP_ENTRIES_MIN));
        assert_eq!(pace.next(&mut rest).map(<[_]>::len), Some(1));
        assert_eq!(pace.next(&mut rest), None);
    }
}
