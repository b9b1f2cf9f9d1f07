//! `GET /metrics`: this instance's part of the collector's exposition, passed through.
//!
//! The labels `job` and `instance` are taken out, because whoever scrapes us sets its own, and
//! several instances behind one collector must not be counted twice. The exposition is looked
//! through line by line as it comes, and only this instance's part is kept; it is answered when the
//! last line has come, since one that breaks off must be a 503 and not half of the series.

mod own_part;

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
use own_part::OwnPart;

/// Shorter than any scraper's own limit.
const UPSTREAM_TIMEOUT: Duration = Duration::from_secs(3);
/// Who comes while the exposition is fetched waits for that, and a little longer.
const TURN_TIMEOUT: Duration = Duration::from_millis(3500);
/// The exposition of many instances; a larger one is not ours.
const UPSTREAM_MAX_BYTES: usize = 128 * 1024 * 1024;
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
    let mut own = OwnPart::new(&site.instance_id);
    let upstream = &site.metrics_upstream_url;
    let status = fetch::stream(upstream, UPSTREAM_TIMEOUT, UPSTREAM_MAX_BYTES, |it| own.add(it))
        .await
        .map_err(|error| format!("the collector's metrics: {error}"))?;
    if status != StatusCode::OK {
        let status = status.as_u16();
        return Err(format!("the collector's metrics endpoint answered {status}"));
    }
    let own = own.finish()?;
    if own.is_empty() {
        return Err("the collector has no metrics of this instance (yet); is export on?".into());
    }
    Ok(own)
}
