//! A request from its head to its answer's last byte: as long as it counts as active. At its end it
//! tells how large the two bodies were.
//!
//! Bytes are counted as they pass, not read from `content-length`: a client may announce what it
//! never sends, and a stream announces nothing.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::body::{Body, BodyError};
use crate::telemetry::metrics::{self, HttpRequest};

/// The status under which a request is counted whose client went away (nginx's custom).
pub(super) const CLIENT_CLOSED_REQUEST: u16 = 499;

/// One active request; its end is its drop, whoever drops it.
pub(super) struct Active {
    facts: HttpRequest,
    status_code: u16,
    /// Nothing where the request has no body.
    received: Option<Arc<AtomicU64>>,
    sent: u64,
}

impl Active {
    /// Begins to count, and puts a counter in front of the body, if there is one.
    pub(super) fn begin(facts: HttpRequest, request: Request<Body>) -> (Self, Request<Body>) {
        metrics::http_active_requests(&facts, 1);
        let mut active =
            Self { facts, status_code: CLIENT_CLOSED_REQUEST, received: None, sent: 0 };
        if request.body().is_end_stream() {
            return (active, request);
        }
        let received: Arc<AtomicU64> = Arc::default();
        active.received = Some(Arc::clone(&received));
        let count = move |frame: &Frame<Bytes>| {
            received.fetch_add(length(frame), Ordering::Relaxed);
        };
        (active, request.map(|body| body.inspect_frame(count).boxed_unsync()))
    }

    /// The answer's head is there.
    pub(super) fn answer(&mut self, status_code: u16) {
        self.status_code = status_code;
    }

    /// A piece of the answer's body is on its way.
    pub(super) fn send(&mut self, frame: &Frame<Bytes>) {
        self.sent += length(frame);
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        metrics::http_active_requests(&self.facts, -1);
        let received = self.received.as_ref().map(|it| it.load(Ordering::Relaxed));
        metrics::http_bodies(&self.facts, self.status_code, received, self.sent);
    }
}

fn length(frame: &Frame<Bytes>) -> u64 {
    frame.data_ref().map_or(0, |data| data.len() as u64)
}

/// An answer's body that keeps its request active.
pub(super) struct Guarded {
    body: Body,
    active: Active,
}

impl Guarded {
    pub(super) fn new(body: Body, active: Active) -> Self {
        Self { body, active }
    }
}

impl http_body::Body for Guarded {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.active.send(frame);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::super::body;
    use super::*;

    const FACTS: HttpRequest = HttpRequest { method: "POST", route: None, scheme: "http" };

    #[tokio::test]
    async fn what_is_read_and_sent_is_counted() {
        let (active, request) = Active::begin(FACTS, Request::new(body::full("twelve bytes")));
        let received = active.received.clone().unwrap();
        assert_eq!(received.load(Ordering::Relaxed), 0, "nothing was read yet");
        request.into_body().collect().await.unwrap();
        assert_eq!(received.load(Ordering::Relaxed), 12);
        let mut answer = Guarded::new(body::full("seven b"), active);
        while answer.frame().await.is_some() {}
        assert_eq!(answer.active.sent, 7);
    }

    #[test]
    fn a_request_without_a_body_has_no_counter_in_front() {
        let (active, _) = Active::begin(FACTS, Request::new(body::empty()));
        assert!(active.received.is_none());
        assert_eq!(active.status_code, CLIENT_CLOSED_REQUEST, "it has no answer yet");
    }
}
