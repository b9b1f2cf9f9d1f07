//! `GET /api/events`: server-sent events, read by each page at its own speed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use serde::Serialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};
use tracing::{Instrument as _, Span};

use super::super::Services;
use super::super::access;
use super::super::body::{self, Body};
use super::super::call::Call;
use super::super::problem::Problem;
use super::bans::BanItem;
use super::jails;
use crate::edge::listeners::{self, Place};
use crate::edge::status;
use crate::history::live::{LiveEvent, News, Position};
use crate::telemetry::span;

/// Proxies end connections that are silent for long; a comment keeps them open. The session is
/// checked as often, so that a page does not outlive it.
const HEARTBEAT: Duration = Duration::from_secs(15);

struct Listener {
    services: Arc<Services>,
    headers: HeaderMap,
    position: Position,
    wake: watch::Receiver<u64>,
    heartbeat: Interval,
    waiting: VecDeque<Bytes>,
    /// The request's own span ended with its head; what is asked later for the page is no trace
    /// that anybody looks for.
    span: Span,
    _place: Place,
}

/// `GET /api/events`
pub(in crate::http) async fn stream(call: Call) -> Result<Response<Body>, Problem> {
    let place = Place::take(listeners::Listener::Page)?;
    let services = call.services;
    let live = services.history.live();
    let headers = call.request.headers().clone();
    let last_seen = headers.get("last-event-id").and_then(|value| value.to_str().ok());
    let last_seen = last_seen.and_then(|text| text.parse::<Position>().ok());
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let wake = live.wake();
    let position = last_seen.unwrap_or_else(|| live.now());
    let mut waiting = VecDeque::new();
    waiting.push_back(frame(None, "status", &status::state(&services).await));
    waiting.push_back(frame(None, "jail", &jails::page(&services.history.jails())));
    let span = span::unsampled_root(tracing::info_span!("events"));
    let listener =
        Listener { services, headers, position, wake, heartbeat, waiting, span, _place: place };
    let frames = stream::unfold(listener, |mut listener| async move {
        let span = listener.span.clone();
        let bytes = listener.next().instrument(span).await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), listener))
    });
    let body = StreamBody::new(frames).map_err(|never| match never {}).boxed_unsync();
    let mut response = body::with_status(StatusCode::OK, body);
    let media_type = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    // nginx would otherwise collect events until a buffer is full.
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

impl Listener {
    /// The next piece for the page; nothing ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            self.collect().await;
            if !self.waiting.is_empty() {
                continue;
            }
            let stop = self.services.stop.clone();
            tokio::select! {
                () = stop.cancelled() => return None,
                woken = self.wake.changed() => woken.ok()?,
                _ = self.heartbeat.tick() => {
                    // A session that has ended ends its pages; a store that fails does not.
                    let caller = access::caller(&self.services, &self.headers).await;
                    if matches!(caller, Ok(None)) {
                        return None;
                    }
                    self.waiting.push_back(Bytes::from_static(b": still here\n\n"));
                }
            }
        }
    }

    async fn collect(&mut self) {
        match self.services.history.live().after(self.position) {
            News::Events(events) => {
                for (position, event) in events {
                    self.position = position;
                    let bytes = render(&self.services, position, &event).await;
                    self.waiting.push_back(bytes);
                }
            }
            News::Missed(position) => {
                self.position = position;
                self.waiting.push_back(frame(Some(position), "reset", &json!({})));
            }
        }
    }
}

async fn render(services: &Services, position: Position, event: &LiveEvent) -> Bytes {
    let place = Some(position);
    match event {
        LiveEvent::Ban { held, is_correction, source, correlation_id } => {
            let BanItem { jail, ip, banned_at, expires_at, reason } = BanItem::from(held);
            let ban = json!({
                "jail": jail, "ip": ip, "banned_at": banned_at, "expires_at": expires_at,
                "reason": reason, "is_correction": is_correction, "source": source,
                "correlation_id": correlation_id,
            });
            frame(place, "ban", &ban)
        }
        LiveEvent::Unban { jail, ip, source, correlation_id } => {
            let unban = json!({
                "jail": jail, "ip": ip, "source": source, "correlation_id": correlation_id,
            });
            frame(place, "unban", &unban)
        }
        LiveEvent::Jails => frame(place, "jail", &jails::page(&services.history.jails())),
        LiveEvent::Status => frame(place, "status", &status::state(services).await),
    }
}

/// One event. JSON has no raw newlines, so one `data:` line is enough.
fn frame(position: Option<Position>, event: &str, data: &impl Serialize) -> Bytes {
    let data = serde_json::to_string(data).unwrap_or_else(|_| "{}".into());
    let id = position.map(|position| format!("id: {position}\n")).unwrap_or_default();
    Bytes::from(format!("{id}event: {event}\ndata: {data}\n\n"))
}
