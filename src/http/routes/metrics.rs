//! `GET /metrics`: this instance's part of the collector's exposition, passed through.
//!
//! The labels `job` and `instance` are taken out, because whoever scrapes us sets its own, and
//! several instances behind one collector must not be counted twice. The exposition is fetched as a
//! whole before it is answered: one that breaks off must be a 503 and not half of the series.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use tracing::Instrument as _;

use super::super::Services;
use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::edge::Site;
use crate::fetch;

/// Shorter than any scraper's own limit.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(3);
/// Who comes while the exposition is fetched waits for that, and a little longer.
const TURN_TIMEOUT: Duration = Duration::from_millis(3500);
/// An exposition of bounded series; a larger one is not ours.
const UPSTREAM_MAX_BYTES: usize = 16 * 1024 * 1024;
/// One scrape a second is more than any Prometheus asks for.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// Scrapes that may wait at once: a collector that hangs must not let strangers fill the house.
const SCRAPES_MAX: usize = 32;
static PLACES: Semaphore = Semaphore::const_new(SCRAPES_MAX);
/// One question to the collector at a time.
static TURN: Semaphore = Semaphore::const_new(1);
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// An exposition, or why there is none.
type Outcome = Result<Bytes, String>;

/// What the collector was last found to say, and when.
struct Kept {
    at: Instant,
    outcome: Outcome,
}

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(in crate::http) async fn pass_through(call: Call) -> Result<Response<Body>, Problem> {
    let own = cached(&call.services).await.map_err(Problem::unavailable)?;
    let mut response = body::with_status(StatusCode::OK, body::full(own));
    let format = HeaderValue::from_static(TEXT_FORMAT);
    response.headers_mut().insert(header::CONTENT_TYPE, format);
    Ok(response)
}

/// The exposition, fetched at most once a second however many ask, and however it ends: the route
/// is open to strangers. Who comes while it is fetched waits for that answer.
async fn cached(services: &Arc<Services>) -> Outcome {
    let too_many = || "too many scrapes at once".to_owned();
    if let Some(outcome) = fresh() {
        return outcome;
    }
    let _place = PLACES.try_acquire().map_err(|_| too_many())?;
    let turn = timeout(TURN_TIMEOUT, TURN.acquire()).await.ok().and_then(Result::ok);
    let turn = turn.ok_or_else(too_many)?;
    if let Some(outcome) = fresh() {
        return outcome;
    }
    // A task of its own: others wait for it when the scraper that began it hangs up.
    let fetching = tokio::spawn(fetch_and_keep(services.clone(), turn).in_current_span());
    fetching.await.unwrap_or_else(|_| Err("the fetch was broken off".to_owned()))
}

fn fresh() -> Option<Outcome> {
    let kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let kept = kept.as_ref().filter(|kept| kept.at.elapsed() < KEPT_FOR)?;
    Some(kept.outcome.clone())
}

async fn fetch_and_keep(services: Arc<Services>, _turn: SemaphorePermit<'static>) -> Outcome {
    let outcome = fetch_own(&services.site).await.map(Bytes::from);
    let kept = Kept { at: Instant::now(), outcome: outcome.clone() };
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    outcome
}

async fn fetch_own(site: &Site) -> Result<String, String> {
    let upstream = fetch::get(&site.metrics_upstream_url, UPSTREAM_TIMEOUT, UPSTREAM_MAX_BYTES)
        .await
        .map_err(|error| format!("the collector's metrics: {error}"))?;
    if upstream.status != StatusCode::OK {
        let status = upstream.status.as_u16();
        return Err(format!("the collector's metrics endpoint answered {status}"));
    }
    let text = String::from_utf8_lossy(&upstream.body);
    let own = of_instance(&text, &escaped(&site.instance_id));
    if own.is_empty() {
        return Err("the collector has no metrics of this instance (yet); is export on?".into());
    }
    Ok(own)
}

/// A label's value as it stands in an exposition.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// The samples of one instance with their comments, without `job` and `instance`.
fn of_instance(text: &str, instance_id: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let (mut comments, mut family) = (Vec::new(), None);
    for line in text.lines() {
        if line.starts_with('#') {
            // `# HELP name …`, `# TYPE name …`; those of a family without samples of ours are
            // dropped.
            let named = line.split(' ').nth(2);
            if named != family {
                comments.clear();
                family = named;
            }
            comments.push(line);
        } else if let Some(sample) = own_sample(line, instance_id) {
            for comment in comments.drain(..) {
                own.push_str(comment);
                own.push('\n');
            }
            own.push_str(&sample);
            own.push('\n');
        }
    }
    own
}

/// The sample without `job` and `instance`, if it is of the instance.
fn own_sample(line: &str, instance_id: &str) -> Option<String> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = split_labels(rest)?;
    let is_own = labels.iter().any(|(key, own)| *key == "instance" && *own == instance_id);
    if !is_own {
        return None;
    }
    let kept: Vec<_> = labels
        .iter()
        .filter(|(key, _)| !matches!(*key, "job" | "instance"))
        .map(|(key, value)| format!("{key}=\"{value}\""))
        .collect();
    Some(match kept.is_empty() {
        true => format!("{name}{value}"),
        false => format!("{name}{{{}}}{value}", kept.join(",")),
    })
}

/// The labels, with values as they are escaped, and what follows the closing brace.
fn split_labels(mut rest: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut labels = Vec::new();
    loop {
        if let Some(value) = rest.strip_prefix('}') {
            return Some((labels, value));
        }
        let (key, quoted) = rest.trim_start_matches(',').split_once("=\"")?;
        let end = end_of_quoted(quoted)?;
        labels.push((key, &quoted[..end]));
        rest = &quoted[end + 1..];
    }
}

fn end_of_quoted(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_instances_samples_pass_with_their_comments() {
        let text = "# HELP a_total A.\n# TYPE a_total counter\n\
            a_total{instance=\"x\",job=\"bangui\",m=\"q\\\"},z\"} 3\n\
            a_total{instance=\"y\",job=\"bangui\"} 4\n\
            # HELP b B.\n# TYPE b gauge\nb{instance=\"y\",job=\"bangui\"} 5\n\
            # HELP c C.\n# TYPE c gauge\nc{instance=\"x\",job=\"bangui\"} 6\n";
        assert_eq!(
            of_instance(text, "x"),
            "# HELP a_total A.\n# TYPE a_total counter\na_total{m=\"q\\\"},z\"} 3\n\
             # HELP c C.\n# TYPE c gauge\nc 6\n"
        );
    }

    #[test]
    fn a_type_without_help_is_not_given_to_the_next_family() {
        let text = "# TYPE a gauge\na{instance=\"y\"} 1\n# TYPE b gauge\nb{instance=\"x\"} 2\n";
        assert_eq!(of_instance(text, "x"), "# TYPE b gauge\nb 2\n");
    }

    #[test]
    fn an_instance_may_be_called_anything() {
        let text = "a{instance=\"\\\"\\\\n\",m=\"1\"} 1\n";
        assert_eq!(of_instance(text, &escaped("\"\\n")), "a{m=\"1\"} 1\n");
    }

    #[test]
    fn garbage_is_passed_over() {
        assert_eq!(of_instance("a{instance=\"x\n}{\"\na{=\n\nx 1\n", "x"), "");
    }
}
