//! `bangui config --send-test`: sends one record on the service's own way, and tells how far it
//! got.
//!
//! The collector's acknowledgement is the record's own. What destinations did is told by the
//! collector's counters, which know numbers of records and not which: growth means that the
//! destination takes records, and its queue tells whether older ones stand before this one.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::{fail, print};
use crate::collector::{self, Destination};
use crate::config::{Export, Log, LogBuffer, LogLevel, Settings};
use crate::telemetry::receipt::Receipt;
use crate::telemetry::{self, Lines, Role, Telemetry};

/// `EX_UNAVAILABLE` of sysexits.h.
const EXIT_UNAVAILABLE: u8 = 69;
/// A collector that is there answers within milliseconds.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(10);
/// Batches wait up to 5 s, or what a setting says; a failed attempt is repeated within 5 s.
const DESTINATIONS_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

pub(super) fn run(settings: &Settings) -> ExitCode {
    let Some(export) = export_of(settings) else {
        return fail(
            &"the service sends no logs: OTEL_EXPORTER_OTLP_ENDPOINT is unset and \
                      BANGUI_EXTERNAL_LOGGING_ENABLED is false, or OTEL_SDK_DISABLED is true",
        );
    };
    // Nothing is worth waiting for at the end: by then it is known what became of the record.
    let role = Role { lines: Lines::Nowhere, flush_timeout: Duration::ZERO, ..Role::SERVICE };
    let log = Log { level: LogLevel::Info, suppress_third_party: true };
    let telemetry = match Telemetry::start_as(role, log, &export) {
        Ok(telemetry) => telemetry,
        Err(error) => return fail(&error),
    };
    let result = super::blocking(test(settings, &export));
    telemetry.shutdown();
    result.unwrap_or_else(|error| fail(&error))
}

/// The export of logs alone, without waiting for others to make a batch.
fn export_of(settings: &Settings) -> Option<Export> {
    let own = settings.export.clone();
    own.logs?;
    let log_buffer = LogBuffer { delay: Duration::ZERO, ..own.log_buffer };
    Some(Export { traces: None, metrics: None, log_buffer, ..own })
}

async fn test(settings: &Settings, export: &Export) -> ExitCode {
    let url = &settings.collector_metrics_url;
    let before = collector::destinations(url).await;
    let uid = match new_uid() {
        Ok(uid) => uid,
        Err(error) => return fail(&error),
    };
    print(&format!("uid: {uid}"));
    let endpoint = export.endpoint.as_deref().unwrap_or_default();
    match send(&uid).await {
        Ok(duration) => {
            print(&format!("collector: acknowledged in {} ms ({endpoint})", duration.as_millis()));
        }
        Err(reason) => {
            fail(&format_args!("collector: {reason} ({endpoint})"));
            return ExitCode::from(EXIT_UNAVAILABLE);
        }
    }
    let all_took = match before {
        Ok(before) => watch(settings, &before).await,
        Err(error) => {
            print(&format!("destinations: unknown, because {url} cannot be read: {error}"));
            true
        }
    };
    print("find it:");
    let file = settings.collector_dir.join("logs.jsonl");
    print(&format!("  collector: grep {uid} {}", file.display()));
    for (provider, query) in settings.external.queries(&uid) {
        print(&format!("  {provider}: {query}"));
    }
    if all_took { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The uid of a record, as all others have one.
fn new_uid() -> Result<String, getrandom::Error> {
    let (high, low) = (getrandom::u64()?, getrandom::u64()?);
    Ok(format!("{high:016x}{low:016x}"))
}

/// Sends the record; how long it took until the collector had it, or why it has not.
async fn send(uid: &str) -> Result<Duration, String> {
    let started = Instant::now();
    let receipt = Receipt::of(uid);
    tracing::info!(name: "telemetry_test", version = env!("CARGO_PKG_VERSION"), log.uid = uid);
    receipt.close();
    if timeout(COLLECTOR_TIMEOUT, receipt.is_delivered()).await == Ok(true) {
        return Ok(started.elapsed());
    }
    let seconds = COLLECTOR_TIMEOUT.as_secs();
    let last = telemetry::last_log_export_error().map(|error| format!(": {error}"));
    Err(format!("not acknowledged within {seconds} s{}", last.unwrap_or_default()))
}

/// Looks until every destination has taken something, or the time is over; whether all have.
async fn watch(settings: &Settings, before: &[Destination]) -> bool {
    let until = Instant::now() + DESTINATIONS_TIMEOUT;
    let mut now = before.to_vec();
    while Instant::now() < until && !now.iter().all(|own| took(before, own) > 0) {
        sleep(LOOK_INTERVAL).await;
        // One answer that does not come says nothing about the destinations.
        now = collector::destinations(&settings.collector_metrics_url).await.unwrap_or(now);
    }
    now.iter().for_each(|own| _ = print(&described(before, own)));
    let expected = settings.external.queries("");
    let is_missing = |word: &str| !now.iter().any(|own| own.name == word);
    let missing: Vec<_> =
        expected.iter().map(|(word, _)| *word).filter(|word| is_missing(word)).collect();
    for word in &missing {
        print(&format!("{word}: the collector does not know it; has it the same settings?"));
    }
    if now.is_empty() && missing.is_empty() {
        print("destinations: the collector sends logs on to nobody");
    }
    missing.is_empty() && now.iter().all(|own| took(before, own) > 0)
}

/// What a destination was before.
fn earlier(before: &[Destination], now: &Destination) -> Destination {
    before.iter().find(|own| own.name == now.name).cloned().unwrap_or_default()
}

/// Records that it has taken since. A collector that was restarted counts from zero.
fn took(before: &[Destination], now: &Destination) -> u64 {
    now.sent.checked_sub(earlier(before, now).sent).unwrap_or(now.sent)
}

fn described(before: &[Destination], now: &Destination) -> String {
    let seconds = DESTINATIONS_TIMEOUT.as_secs();
    let took = took(before, now);
    let earlier = earlier(before, now);
    let has_failed = now.failed > earlier.failed;
    let why = now.error_type_since(&earlier).map(|why| format!(" ({why})")).unwrap_or_default();
    let what = match (took, has_failed) {
        (0, true) => format!("attempts fail{why}, none succeeded within {seconds} s"),
        (0, false) => format!("took nothing within {seconds} s"),
        (1, _) => "took 1 record".to_owned(),
        (_, _) => format!("took {took} records"),
    };
    let (name, waiting, most) = (&now.name, now.queue_size, now.queue_capacity);
    format!("{name}: {what}; waiting in its queue: {waiting} of {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn destination(sent: u64, failed: u64) -> Destination {
        let name = "otlp".to_owned();
        let (queue_size, queue_capacity) = (2, 9);
        Destination { name, queue_size, queue_capacity, sent, failed, ..Destination::default() }
    }

    #[test]
    fn what_a_destination_did_is_told_by_what_has_changed() {
        let before = [destination(5, 3)];
        let told = |now: &Destination| described(&before, now);
        let queue = "; waiting in its queue: 2 of 9";
        assert_eq!(told(&destination(6, 3)), format!("otlp: took 1 record{queue}"));
        assert_eq!(told(&destination(9, 4)), format!("otlp: took 4 records{queue}"));
        assert_eq!(told(&destination(5, 3)), format!("otlp: took nothing within 30 s{queue}"));
        let failing = format!("otlp: attempts fail, none succeeded within 30 s{queue}");
        assert_eq!(told(&destination(5, 4)), failing);
        let refused = Destination { refusals: [("401".into(), 1)].into(), ..destination(5, 4) };
        assert_eq!(told(&refused), failing.replace("fail,", "fail (401),"));
        // The counters of a collector that was restarted begin anew.
        assert_eq!(told(&destination(1, 0)), format!("otlp: took 1 record{queue}"));
    }
}
