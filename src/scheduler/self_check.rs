//! Does telemetry arrive? Looks at each instance's own way: what its exports came to, what waits,
//! whether the collector shows its metrics and sends its canaries on.
//!
//! Not under the scheduler's lock: each instance has its own way to the collector, and one that
//! holds no lock goes blind just as well. The check is told like everything else, and so it cannot
//! arrive when nothing does; then stdout has it, and the alerts on what is missing fire.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::collector::{Collector, exposed_value};
use crate::telemetry::{self, Sent, metrics, span};

/// The series that a check counts itself in, as the collector shows it.
const CHECKS: &str = "bangui_telemetry_self_checks_total";
/// Within a shorter time there need not have been a canary that is acknowledged.
const CANARY_TIME: Duration = Duration::from_secs(150);

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct SelfCheck {
    /// How often.
    pub interval: Duration,
    /// Whether anything leaves at all.
    pub has_export: bool,
    /// Whether metrics do.
    pub has_metrics: bool,
    /// Whether canaries go out.
    pub has_canaries: bool,
    /// What the collector tells of itself.
    pub collector_metrics_url: String,
    /// Where it shows the metrics of instances.
    pub exposition_url: String,
    /// Which one this is.
    pub instance_id: String,
}

/// What the collector shows of this instance's metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shown {
    /// It cannot be asked.
    Unreachable,
    /// It shows none.
    Nothing,
    /// So many checks.
    Checks(u64),
}

/// All that is looked at.
#[derive(Debug, Clone)]
struct Look {
    sent: Sent,
    /// Records that each destination has acknowledged; nothing if the collector does not tell.
    acknowledged: Option<BTreeMap<String, u64>>,
    shown: Shown,
}

/// What was seen at least once, and so is expected from then on: who sends somewhere else than to
/// our collector has neither.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    has_collector: bool,
    has_exposition: bool,
}

/// Why a check failed, in words of the source.
type Reasons = Vec<&'static str>;

impl SelfCheck {
    /// Checks until it is told to stop. The first check is one interval after the start.
    pub(super) async fn run(self, stop: CancellationToken) {
        if !self.has_export {
            tracing::info!(name: "telemetry_self_check_skipped", reason = "nothing is exported");
            return;
        }
        stop.run_until_cancelled(self.check_always()).await;
    }

    async fn check_always(self) {
        let collector = Collector::new(self.collector_metrics_url.clone());
        let (mut known, mut before, mut checks) = (Known::default(), None, 0);
        let mut is_failing = false;
        loop {
            sleep(self.interval).await;
            let quiet = span::unsampled_root(tracing::info_span!(
                "self_check",
                bangui.task.name = "telemetry_self_check"
            ));
            let look = self.look(&collector).instrument(quiet).await;
            known.has_collector |= look.acknowledged.is_some();
            known.has_exposition |= look.shown != Shown::Unreachable;
            let reasons = self.judge(before.as_ref(), &look, known, checks);
            tell(&look, &reasons, is_failing);
            is_failing = !reasons.is_empty();
            checks += 1;
            metrics::telemetry_self_checked(!is_failing);
            before = Some(look);
        }
    }

    async fn look(&self, collector: &Collector) -> Look {
        let state = collector.state().await;
        let counts = state.destinations.into_iter().map(|it| (it.counts.name, it.counts.sent));
        let acknowledged = state.error.is_none().then(|| counts.collect());
        let shown = match exposed_value(&self.exposition_url, CHECKS, &self.instance_id).await {
            // Counts are whole and small; the cast saturates.
            Ok(Some(checks)) => Shown::Checks(checks as u64),
            Ok(None) => Shown::Nothing,
            Err(_) => Shown::Unreachable,
        };
        Look { sent: telemetry::sent(), acknowledged, shown }
    }

    /// What is wrong. `checks` is how many there were before this one.
    fn judge(&self, before: Option<&Look>, now: &Look, known: Known, checks: u64) -> Reasons {
        let mut reasons = Vec::new();
        let grown = |count: fn(&Sent) -> u64| {
            count(&now.sent) > before.map_or(0, |before| count(&before.sent))
        };
        if grown(|sent| sent.exports_failed) {
            reasons.push("exports_failed");
        }
        if grown(|sent| sent.records_lost) {
            reasons.push("records_lost");
        }
        if now.sent.buffer_limit.is_some_and(|limit| now.sent.buffered > limit / 2) {
            reasons.push("buffer_fills");
        }
        if known.has_collector && now.acknowledged.is_none() {
            reasons.push("collector_unreachable");
        }
        // What a check counts is exported some time after it, so the last one need not be there.
        if self.has_metrics && known.has_exposition && checks >= 2 {
            match now.shown {
                Shown::Unreachable => reasons.push("exposition_unreachable"),
                Shown::Nothing => reasons.push("metrics_missing"),
                Shown::Checks(shown) if shown + 1 < checks => reasons.push("metrics_stale"),
                Shown::Checks(_) => {}
            }
        }
        if !self.silent(before, now).is_empty() {
            reasons.push("canary_not_delivered");
        }
        reasons
    }

    /// The destinations that have acknowledged nothing since the last check, although canaries were
    /// sent. Another count, a smaller one too, is that of a collector that was started anew.
    fn silent<'a>(&self, before: Option<&Look>, now: &'a Look) -> Vec<&'a str> {
        let before = before.and_then(|before| before.acknowledged.as_ref());
        let (Some(before), Some(now)) = (before, &now.acknowledged) else { return Vec::new() };
        if !self.has_canaries || self.interval < CANARY_TIME {
            return Vec::new();
        }
        let silent = now.iter().filter(|(name, sent)| before.get(*name) == Some(*sent));
        silent.map(|(name, _)| name.as_str()).collect()
    }
}

/// A failure each time, since it lasts; a success where nobody looks, unless it ends a failure.
fn tell(look: &Look, reasons: &Reasons, was_failing: bool) {
    let sent = look.sent;
    if !reasons.is_empty() {
        tracing::warn!(
            name: "telemetry_self_check_failed",
            reasons = reasons.join(", "),
            exports_failed = sent.exports_failed,
            records_lost = sent.records_lost,
            buffered = sent.buffered,
            buffer_limit = sent.buffer_limit,
        );
    } else if was_failing {
        tracing::info!(name: "telemetry_self_check_completed", buffered = sent.buffered);
    } else {
        tracing::debug!(name: "telemetry_self_check_completed", buffered = sent.buffered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(interval_seconds: u64) -> SelfCheck {
        SelfCheck {
            interval: Duration::from_secs(interval_seconds),
            has_export: true,
            has_metrics: true,
            has_canaries: true,
            collector_metrics_url: String::new(),
            exposition_url: String::new(),
            instance_id: String::new(),
        }
    }

    fn look(acknowledged: Option<u64>, shown: Shown) -> Look {
        let sent =
            Sent { exports_failed: 0, records_lost: 0, buffered: 0, buffer_limit: Some(1000) };
        let acknowledged = acknowledged.map(|count| [("otlp".to_owned(), count)].into());
        Look { sent, acknowledged, shown }
    }

    const KNOWN: Known = Known { has_collector: true, has_exposition: true };

    #[test]
    fn a_way_on_which_everything_arrives_is_fine() {
        let (before, now) = (look(Some(1), Shown::Checks(6)), look(Some(2), Shown::Checks(6)));
        assert_eq!(check(300).judge(Some(&before), &now, KNOWN, 7), [""; 0]);
        // A first check knows of no canary, and its own count cannot be there.
        assert_eq!(check(300).judge(None, &look(Some(1), Shown::Nothing), KNOWN, 0), [""; 0]);
        // Who sends elsewhere has no collector of ours.
        let elsewhere = look(None, Shown::Unreachable);
        let nothing = Known::default();
        assert_eq!(check(300).judge(Some(&elsewhere), &elsewhere, nothing, 7), [""; 0]);
    }

    #[test]
    fn each_way_to_fail_has_its_word() {
        let before = look(Some(1), Shown::Checks(6));
        let fine = look(Some(2), Shown::Checks(6));
        let judge = |now: &Look| check(300).judge(Some(&before), now, KNOWN, 7);
        let with = |change: fn(&mut Sent)| {
            let mut now = fine.clone();
            change(&mut now.sent);
            judge(&now)
        };
        assert_eq!(with(|sent| sent.exports_failed = 1), ["exports_failed"]);
        assert_eq!(with(|sent| sent.records_lost = 1), ["records_lost"]);
        assert_eq!(with(|sent| sent.buffered = 501), ["buffer_fills"]);
        assert_eq!(judge(&look(None, Shown::Checks(6))), ["collector_unreachable"]);
        assert_eq!(judge(&look(Some(2), Shown::Unreachable)), ["exposition_unreachable"]);
        assert_eq!(judge(&look(Some(2), Shown::Nothing)), ["metrics_missing"]);
        assert_eq!(judge(&look(Some(2), Shown::Checks(5))), ["metrics_stale"]);
        assert_eq!(judge(&look(Some(1), Shown::Checks(6))), ["canary_not_delivered"]);
        let all = judge(&look(None, Shown::Unreachable));
        assert_eq!(all, ["collector_unreachable", "exposition_unreachable"]);
    }

    #[test]
    fn canaries_are_missed_only_where_there_must_have_been_one() {
        let (before, now) = (look(Some(1), Shown::Checks(6)), look(Some(1), Shown::Checks(6)));
        assert_eq!(check(60).judge(Some(&before), &now, KNOWN, 7), [""; 0]);
        let none = SelfCheck { has_canaries: false, ..check(300) };
        assert_eq!(none.judge(Some(&before), &now, KNOWN, 7), [""; 0]);
        // A new collector counts from the start.
        let anew = look(Some(0), Shown::Checks(6));
        assert_eq!(check(300).judge(Some(&before), &anew, KNOWN, 7), [""; 0]);
    }
}
