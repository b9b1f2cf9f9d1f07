//! `GET /metrics`: this instance's part of the collector's exposition, passed through.
//!
//! The labels `job` and `instance` are taken out, because whoever scrapes us sets its own, and
//! several instances behind one collector must not be counted twice.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};

use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use crate::edge::Site;
use crate::fetch;

/// Shorter than any scraper's own limit.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(3);
/// An exposition of bounded series; a larger one is not ours.
const UPSTREAM_MAX_BYTES: usize = 16 * 1024 * 1024;
/// One scrape a second is more than any Prometheus asks for.
const KEPT_FOR: Duration = Duration::from_secs(1);
/// One question to the collector at a time.
static TURN: Semaphore = Semaphore::const_new(1);
static KEPT: Mutex<Option<Kept>> = Mutex::new(None);

/// An exposition and its age.
struct Kept {
    at: Instant,
    text: Bytes,
}

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(in crate::http) async fn pass_through(call: Call) -> Result<Response<Body>, Problem> {
    let own = cached(&call.services.site).await?;
    let mut response = body::with_status(StatusCode::OK, body::full(own));
    let format = HeaderValue::from_static(TEXT_FORMAT);
    response.headers_mut().insert(header::CONTENT_TYPE, format);
    Ok(response)
}

/// The exposition, fetched at most once a second however many ask: the route is open to
/// strangers. Who comes while it is fetched waits for that answer.
async fn cached(site: &Site) -> Result<Bytes, Problem> {
    let turn = timeout(UPSTREAM_TIMEOUT, TURN.acquire()).await;
    let _turn = turn.map_err(|_| Problem::unavailable("too many scrapes at once"))?;
    let fresh = |kept: &Option<Kept>| {
        let kept = kept.as_ref().filter(|kept| kept.at.elapsed() < KEPT_FOR)?;
        Some(kept.text.clone())
    };
    if let Some(text) = fresh(&KEPT.lock().unwrap_or_else(PoisonError::into_inner)) {
        return Ok(text);
    }
    let text = Bytes::from(fetch_own(site).await?);
    let kept = Kept { at: Instant::now(), text: text.clone() };
    *KEPT.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
    Ok(text)
}

async fn fetch_own(site: &Site) -> Result<String, Problem> {
    let upstream = fetch::get(&site.metrics_upstream_url, UPSTREAM_TIMEOUT, UPSTREAM_MAX_BYTES)
        .await
        .map_err(|error| Problem::unavailable(format!("the collector's metrics: {error}")))?;
    if upstream.status != StatusCode::OK {
        let status = upstream.status.as_u16();
        let detail = format!("the collector's metrics endpoint answered {status}");
        return Err(Problem::unavailable(detail));
    }
    let text = String::from_utf8_lossy(&upstream.body);
    let own = of_instance(&text, &site.instance_id);
    if own.is_empty() {
        let detail = "the collector has no metrics of this instance (yet); is export on?";
        return Err(Problem::unavailable(detail));
    }
    Ok(own)
}

/// The samples of one instance with their comments, without `job` and `instance`.
fn of_instance(text: &str, instance_id: &str) -> String {
    let mut own = String::with_capacity(text.len());
    let mut comments = Vec::new();
    for line in text.lines() {
        if line.starts_with('#') {
            // A HELP line begins a family; comments of one without samples of ours are dropped.
            if line.starts_with("# HELP") {
                comments.clear();
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
    fn garbage_is_passed_over() {
        assert_eq!(of_instance("a{instance=\"x\n}{\"\na{=\n\nx 1\n", "x"), "");
    }
}
