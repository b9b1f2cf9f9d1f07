//! One import of one list, from its claim to its last word.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tracing::Instrument as _;
use tracing::field::Empty;

use super::apply::{Apply, Done};
use super::source::Wanted;
use super::{Blocklists, Error, Inner, Preview, due_at};
use crate::domain::blocklist::{Current, EntryState, Parsed, Plan, Refused, check_size, plan};
use crate::domain::{Ban, JailName, Network};
use crate::fetch::Validators;
use crate::store::{BlocklistRow, Fence, ImportClaim, ImportEnd, KnownEntry};
use crate::telemetry::metrics::{self, BLOCKLIST_IMPORTS};
use crate::telemetry::span;

/// A claim is renewed so many times before it would be over.
const RENEWALS: u32 = 3;

/// What a jail bans.
pub(super) type Banned = HashMap<Network, Ban>;

/// How an import ended well.
#[derive(Debug, Default)]
struct Report {
    done: Done,
    entries: usize,
    refused: Refused,
    is_unchanged: bool,
    validators: Validators,
}

impl Blocklists {
    /// Imports each list that is due, and lifts the bans of those that were deleted. Answers with
    /// the number of changes; a list that fails does not keep the others from their turn.
    pub async fn refresh_due(&self, fence: &Fence) -> Result<u64, String> {
        let (mut changes, mut failed) = (0, Vec::new());
        for row in self.inner.store.blocklists().await.map_err(|error| error.to_string())? {
            let is_due = row.deleted_at.is_some() || (row.enabled && due_at(&row) <= row.now);
            if !is_due || row.is_claimed {
                continue;
            }
            let name = row.name.clone();
            match self.import_now(row, fence).await {
                Ok(done) => changes += done,
                Err(Error::Busy) => {}
                Err(_) => failed.push(name),
            }
        }
        self.count().await.map_err(|error| error.to_string())?;
        match failed.is_empty() {
            true => Ok(changes),
            // Why, stands in a line of its own for each.
            false => Err(format!("blocklists failed: {}", failed.join(", "))),
        }
    }

    /// Begins an import in the background, in the trace of who asked for it.
    pub(super) async fn begin_import(
        &self,
        id: i64,
        force: bool,
        caller: Option<IpAddr>,
    ) -> Result<(), Error> {
        if self.inner.stop.is_cancelled() {
            return Err(Error::Stopping);
        }
        let row = self.inner.store.blocklist(id).await?.ok_or(Error::NotFound)?;
        // Claimed here, so that who asked twice is told, and who looks afterwards sees it.
        let import = Import::claim(&self.inner, row, None, force, caller).await?;
        let this = self.clone();
        let work = async move {
            let _ = import.run().await;
            let _ = this.count().await;
        };
        self.inner.imports.spawn(work.in_current_span());
        Ok(())
    }

    /// What an import would do now.
    pub async fn preview(&self, id: i64, caller: IpAddr) -> Result<Preview, Error> {
        let row = self.unlocked(id).await?;
        let jail = row.jail.parse().map_err(|_| Error::NotFound)?;
        let inner = &self.inner;
        let Wanted::List(mut parsed, _) = inner.wanted(&row, true).await? else {
            return Err(Error::Interrupted);
        };
        let judgements = inner.judgements(&jail).await?;
        inner.protect(&mut parsed, &jail, &judgements, Some(caller)).await?;
        let problem = check_size(known_size(&row), parsed.entries.len()).err();
        let (plan, _, _) = inner.plan(&row, &jail, &parsed.entries).await?;
        let Parsed { entries, merged, refused } = parsed;
        Ok(Preview { entries: entries.len(), merged, plan, refused, problem })
    }

    async fn import_now(&self, row: BlocklistRow, fence: &Fence) -> Result<u64, Error> {
        let fence = Some(fence.clone());
        Import::claim(&self.inner, row, fence, false, None).await?.run().await
    }
}

/// One import.
struct Import {
    inner: Arc<Inner>,
    row: BlocklistRow,
    claim: ImportClaim,
    force: bool,
    caller: Option<IpAddr>,
}

impl Import {
    /// Takes a list for an import.
    async fn claim(
        inner: &Arc<Inner>,
        row: BlocklistRow,
        fence: Option<Fence>,
        force: bool,
        caller: Option<IpAddr>,
    ) -> Result<Self, Error> {
        let mut random = [0_u8; 16];
        getrandom::fill(&mut random).map_err(|_| Error::Interrupted)?;
        let claim = ImportClaim {
            blocklist_id: row.id,
            claim: format!("{:032x}", u128::from_le_bytes(random)),
            lease_seconds: inner.options.lease_seconds.into(),
            fence,
        };
        let correlation_id = span::correlation_id();
        if !inner.store.claim_blocklist(&claim, correlation_id.as_deref()).await? {
            return Err(Error::Busy);
        }
        Ok(Self { inner: inner.clone(), row, claim, force, caller })
    }

    /// Does it in a span of its own.
    async fn run(&self) -> Result<u64, Error> {
        let span = tracing::info_span!(
            "blocklist_import",
            otel.name = "import blocklist",
            otel.status_code = Empty,
            bangui.blocklist.name = self.row.name,
            bangui.fail2ban.jail = self.row.jail,
            error.type = Empty,
        );
        // On the heap: what it holds for two databases would be carried by each caller.
        let result = Box::pin(self.run_in_span()).instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("otel.status_code", "ERROR").record("error.type", error.kind());
        }
        result
    }

    async fn run_in_span(&self) -> Result<u64, Error> {
        let BlocklistRow { name, jail, .. } = &self.row;
        tracing::info!(name: "blocklist_import_started", blocklist = %name, jail = %jail);
        let started = Instant::now();
        let result = tokio::select! {
            // What must not go on counts before what was done.
            biased;
            () = self.inner.stop.cancelled() => Err(Error::Stopping),
            error = self.keep() => Err(error),
            result = self.work() => result,
        };
        self.finish(started.elapsed(), result).await
    }

    /// Renews the claim for as long as it is looked after; returns when it was lost.
    async fn keep(&self) -> Error {
        let lease = Duration::from_secs(self.inner.options.lease_seconds.into());
        let mut ticks = interval(lease / RENEWALS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if let Err(error) = self.inner.store.renew_import(&self.claim).await {
                return error.into();
            }
        }
    }

    async fn work(&self) -> Result<Report, Error> {
        let Self { inner, row, claim, force, .. } = self;
        let jail: JailName = row.jail.parse().map_err(|_| Error::NotFound)?;
        if row.deleted_at.is_some() {
            return self.lift_all(&jail).await;
        }
        // The cheapest question comes first: without the jail nothing else is worth its cost.
        let bantime_seconds = inner.client.bantime_seconds(&jail).await?;
        let judgements = inner.judgements(&jail).await?;
        let mut report = Report::default();
        let mut parsed = match inner.wanted(row, *force).await? {
            Wanted::List(parsed, validators) => {
                report.validators = validators;
                parsed
            }
            Wanted::Unchanged => {
                report.is_unchanged = true;
                report.validators =
                    Validators { etag: row.etag.clone(), last_modified: row.last_modified.clone() };
                let known = inner.store.blocklist_entries(row.id).await?;
                let mut entries: Vec<Network> = known.iter().map(|known| known.entry).collect();
                entries.sort_unstable();
                Parsed { entries, ..Parsed::default() }
            }
        };
        let by_itself = parsed.refused.total();
        inner.protect(&mut parsed, &jail, &judgements, self.caller).await?;
        // Who is protected today may not be tomorrow: then the list is read anew.
        if parsed.refused.total() > by_itself {
            report.validators = Validators::default();
        }
        if !force {
            check_size(known_size(row), parsed.entries.len())?;
        }
        let (plan, banned, known) = inner.plan(row, &jail, &parsed.entries).await?;
        let apply = Apply { inner, claim, row, jail: &jail, bantime_seconds, judgements };
        report.done = apply.run(plan, &banned, &known).await?;
        (report.entries, report.refused) = (parsed.entries.len(), parsed.refused);
        Ok(report)
    }

    /// Lifts what a deleted list has brought, and forgets the list.
    async fn lift_all(&self, jail: &JailName) -> Result<Report, Error> {
        let Self { inner, row, claim, .. } = self;
        let (plan, banned, known) = match inner.plan(row, jail, &[]).await {
            // A jail that is gone has taken its bans with it.
            Err(Error::UnknownJail(_)) => (Plan::default(), Banned::new(), Vec::new()),
            planned => planned?,
        };
        let judgements = inner.judgements(jail).await?;
        let apply = Apply { inner, claim, row, jail, bantime_seconds: 0, judgements };
        let done = apply.run(plan, &banned, &known).await?;
        Ok(Report { done, ..Report::default() })
    }

    /// Tells how it went: to the store, the log and the metrics.
    async fn finish(&self, took: Duration, result: Result<Report, Error>) -> Result<u64, Error> {
        let (store, claim) = (&self.inner.store, &self.claim);
        let duration_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
        let BlocklistRow { name, jail, .. } = &self.row;
        if took.as_secs() >= self.inner.options.slow_seconds.into() {
            tracing::warn!(
                name: "blocklist_import_slow",
                blocklist = %name,
                jail = %jail,
                duration_ms,
            );
        }
        let ended = match result {
            Ok(report) if self.row.deleted_at.is_some() => {
                store.remove_blocklist(claim).await.map(|()| report).map_err(Error::from)
            }
            Ok(report) => {
                store.finish_import(claim, &end(&report, duration_ms)).await?;
                Ok(report)
            }
            Err(error) => Err(error),
        };
        match ended {
            Ok(report) => {
                self.tell_success(&report, duration_ms);
                let Done { added, renewed, removed } = report.done;
                Ok(added + renewed + removed)
            }
            Err(error) => {
                let text = error.to_string();
                BLOCKLIST_IMPORTS
                    .tell("blocklist_import_failed", &[Some("failure"), Some(error.kind())]);
                tracing::error!(
                    name: "blocklist_import_failed",
                    blocklist = %name,
                    jail = %jail,
                    error = %text,
                    duration_ms,
                );
                let end = ImportEnd {
                    result: "failed",
                    error_type: Some(error.kind()),
                    error: Some(text),
                    is_of_source: error.is_of_source(),
                    duration_ms,
                    ..ImportEnd::default()
                };
                // Whoever took the list over writes how it ended.
                let _ = store.finish_import(claim, &end).await;
                Err(error)
            }
        }
    }

    fn tell_success(&self, report: &Report, duration_ms: i64) {
        let word = if report.is_unchanged { "unchanged" } else { "success" };
        BLOCKLIST_IMPORTS.tell("blocklist_import_completed", &[Some(word), None]);
        for (refusal, count) in &report.refused.counts {
            metrics::blocklist_refused(refusal.word(), *count);
        }
        let Done { added, renewed, removed } = report.done;
        tracing::info!(
            name: "blocklist_import_completed",
            blocklist = %self.row.name,
            jail = %self.row.jail,
            entries = report.entries,
            added,
            renewed,
            removed,
            refused = report.refused.total(),
            duration_ms,
        );
    }
}

fn end(report: &Report, duration_ms: i64) -> ImportEnd {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    ImportEnd {
        result: if report.is_unchanged { "unchanged" } else { "completed" },
        entries: Some(number(report.entries as u64)),
        added: number(report.done.added),
        renewed: number(report.done.renewed),
        removed: number(report.done.removed),
        refused: number(report.refused.total()),
        duration_ms,
        etag: report.validators.etag.clone(),
        last_modified: report.validators.last_modified.clone(),
        ..ImportEnd::default()
    }
}

/// How many entries a list had when it was last imported.
fn known_size(row: &BlocklistRow) -> usize {
    row.entries.try_into().unwrap_or(0)
}

impl Inner {
    /// Compares what a list wants with what its jail bans.
    async fn plan(
        &self,
        row: &BlocklistRow,
        jail: &JailName,
        wanted: &[Network],
    ) -> Result<(Plan, Banned, Vec<KnownEntry>), Error> {
        let known = self.store.blocklist_entries(row.id).await?;
        let bans = self.client.bans(jail).await?;
        let banned: Banned = bans
            .into_iter()
            .filter_map(|ban| Some((ban.ip.to_string().parse().ok()?, ban)))
            .collect();
        let ends = banned
            .iter()
            .map(|(network, ban)| (*network, ban.expires_at.map(Timestamp::as_second)))
            .collect();
        let states: BTreeMap<Network, EntryState> =
            known.iter().map(|known| (known.entry, known.state)).collect();
        let renew_before = Timestamp::now().as_second().saturating_add(row.interval_seconds);
        let current = Current { known: &states, banned: &ends, renew_before };
        Ok((plan(wanted, &current), banned, known))
    }
}
