//! Answers: failures as statuses with details, and bodies that end with a deadline, with the
//! service, or with a panic, and always with a status.

use std::collections::HashMap;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::Frame;
use tokio::time::{Sleep, sleep_until};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::MESSAGE_MAX_BYTES;
use super::deadline::{self, Deadline};
use crate::edge::listeners::Place;
use crate::edge::{Failure, Kind};
use crate::telemetry::span;

/// Whose reasons they are, in a status' details.
const DOMAIN: &str = "bangui";

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        let kind = failure.kind();
        let mut details = ErrorDetails::new();
        details.set_error_info(kind.reason(), DOMAIN, HashMap::new());
        if let Some(field) = failure.of_field() {
            details.add_bad_request_violation(field, failure.message());
        }
        if let Some(id) = span::correlation_id() {
            details.set_request_info(id, "");
        }
        if let Some(wait) = failure.retry_after() {
            details.set_retry_info(Some(wait));
        }
        Self::with_error_details(kind.code(), failure.detail(), details)
    }
}

/// An answer that is nothing but a failure.
pub fn refuse(failure: Failure) -> Response<Body> {
    Status::from(failure).into_http()
}

/// Whether a code means that the server failed and not its caller, by the semantic conventions.
pub fn is_failure_of_ours(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

/// The generated servers answer by themselves what cannot be decoded, in words about protobuf and
/// as a failure of the server. Our own statuses have details.
pub(super) fn normalised(response: Response<Body>) -> Result<Response<Body>, Failure> {
    let headers = response.headers();
    let is_ours = headers.contains_key(Status::GRPC_STATUS_DETAILS);
    match headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes())) {
        Some(Code::Internal | Code::InvalidArgument) if !is_ours => {
            Err(Failure::new(Kind::Malformed, "the message is not the one that this method takes"))
        }
        Some(Code::OutOfRange) if !is_ours => Err(too_large()),
        _ => Ok(response),
    }
}

/// A message beyond the limit, or one that says so of itself.
pub(super) fn too_large() -> Failure {
    let detail = format!("the message is larger than {MESSAGE_MAX_BYTES} bytes");
    Failure::new(Kind::TooLarge, detail)
}

/// The body of an answer. Whoever polls it has entered the call's span.
pub(super) struct CallBody {
    inner: Body,
    deadline: Option<Pin<Box<Sleep>>>,
    stop: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    is_over: bool,
    _place: Option<Place>,
}

impl CallBody {
    pub(super) fn new(
        inner: Body,
        Deadline(end): Deadline,
        stop: Option<CancellationToken>,
        place: Option<Place>,
    ) -> Self {
        let deadline = end.map(|end| Box::pin(sleep_until(end)));
        let stop = stop.map(|stop| Box::pin(stop.cancelled_owned()));
        Self { inner, deadline, stop, is_over: false, _place: place }
    }

    /// The last frame, in the place of whatever else would have come.
    fn end(&mut self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.is_over = true;
        self.inner = Body::empty();
        let mut trailers = HeaderMap::new();
        Poll::Ready(Some(match Status::from(failure).add_header(&mut trailers) {
            Ok(()) => Ok(Frame::trailers(trailers)),
            Err(status) => Err(status),
        }))
    }
}

impl http_body::Body for CallBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        // These come first: a stream that always has something to say must end, too.
        if self.deadline.as_mut().is_some_and(|it| it.as_mut().poll(context).is_ready()) {
            return self.end(deadline::passed());
        }
        if self.stop.as_mut().is_some_and(|it| it.as_mut().poll(context).is_ready()) {
            return self.end(Failure::new(Kind::Stopping, "the service stops"));
        }
        let polled = catch_unwind(AssertUnwindSafe(|| {
            http_body::Body::poll_frame(Pin::new(&mut self.inner), context)
        }));
        match polled {
            Ok(polled) => {
                let is_last = |frame: &Frame<Bytes>| frame.is_trailers();
                self.is_over = match &polled {
                    Poll::Ready(Some(Ok(frame))) => is_last(frame),
                    Poll::Ready(_) => true,
                    Poll::Pending => false,
                };
                polled
            }
            Err(_) => self.end(Failure::panicked()),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.inner.is_end_stream()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::StreamExt as _;
    use futures_util::stream;
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::time::Instant;

    use super::*;

    const NO_LIMIT: Deadline = Deadline(None);

    fn endless(each: impl Fn() + Send + 'static) -> Body {
        let frames = stream::repeat_with(move || {
            each();
            Ok::<_, Status>(Frame::data(Bytes::from_static(b"x")))
        });
        Body::new(StreamBody::new(frames.boxed()))
    }

    /// Reads to the end, which must be a status.
    async fn end(mut body: CallBody) -> Code {
        while let Some(frame) = body.frame().await {
            if let Some(trailers) = frame.unwrap().trailers_ref() {
                assert!(body.frame().await.is_none(), "nothing comes after the status");
                return Status::from_header_map(trailers).unwrap().code();
            }
        }
        panic!("the body ended without a status");
    }

    #[tokio::test]
    async fn a_panic_in_a_stream_ends_it_with_a_status() {
        let body = CallBody::new(endless(|| panic!("in a stream")), NO_LIMIT, None, None);
        assert_eq!(end(body).await, Code::Internal);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_always_has_something_to_say_ends_too() {
        let deadline = Deadline(Some(Instant::now() + Duration::from_secs(1)));
        let mut body = CallBody::new(endless(|| {}), deadline, None, None);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(end(body).await, Code::DeadlineExceeded);

        let stop = CancellationToken::new();
        let mut body = CallBody::new(endless(|| {}), NO_LIMIT, Some(stop.clone()), None);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        stop.cancel();
        assert_eq!(end(body).await, Code::Unavailable);
    }

    #[test]
    fn what_the_generated_servers_refuse_is_no_failure_of_ours() {
        let refused = |code| normalised(Status::new(code, "in their words").into_http());
        let kind = |code| refused(code).map(drop).unwrap_err().kind();
        assert_eq!(kind(Code::Internal), Kind::Malformed);
        assert_eq!(kind(Code::OutOfRange), Kind::TooLarge);
        assert!(refused(Code::Unimplemented).is_ok(), "an encoding that is not known");
        let ours = Failure::panicked();
        assert!(normalised(refuse(ours)).is_ok());
    }
}
