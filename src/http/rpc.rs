//! Calls of the gRPC API on the stack of all requests: how they are recognised, their span, and
//! what is told when they end.
//!
//! A call ends with its status, which for a stream stands behind the last message. So its span,
//! its line and its duration last as long as its answer's body, unlike those of a request.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, Version, header};
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tonic::{Code, Status};
use tracing::Span;
use tracing::field::Empty;

use super::active::{Active, CLIENT_CLOSED_REQUEST};
use super::body::{Body, BodyError};
use super::router::Match;
use crate::edge::Failure;
use crate::grpc;
use crate::telemetry::metrics::{self, HttpRequest};
use crate::telemetry::milliseconds;

/// The conventions' name of a method that does not exist.
const OTHER_METHOD: &str = "_OTHER";

/// What a call is matched to; nothing for a request that has nothing to do with gRPC.
pub(super) fn find(request: &Request<Body>) -> Option<Match> {
    let method = grpc::Method::find(request.uri().path());
    match (is_call(request), method) {
        (true, method) => Some(Match::Rpc(method)),
        (false, Some(method)) => Some(Match::OnlyRpc(method)),
        (false, None) => None,
    }
}

/// Whether a request speaks gRPC: its type says so (gRPC-Web is another protocol), and it came by
/// HTTP/2, without which there are no trailers.
fn is_call(request: &Request<Body>) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let rest = content_type.and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"));
    let is_grpc = rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')));
    is_grpc && *request.method() == Method::POST && request.version() == Version::HTTP_2
}

/// The failure of a layer in front of the calls, in their own words.
pub(super) fn refused(failure: Failure) -> Response<Body> {
    boxed(grpc::refuse(failure))
}

/// An answer of the calls as an answer of the stack.
pub(super) fn boxed(response: Response<tonic::body::Body>) -> Response<Body> {
    response.map(|body| body.map_err(BodyError::new).boxed_unsync())
}

/// The conventions' name of a method.
fn name(method: Option<&grpc::Method>) -> &'static str {
    method.map_or(OTHER_METHOD, grpc::Method::name)
}

/// The span of a call. `http.route` is there because log lines take their `endpoint` from it.
pub(super) fn span(
    method: Option<&grpc::Method>,
    client_address: Option<String>,
    user_agent: Option<&str>,
) -> Span {
    tracing::info_span!(
        "rpc",
        otel.name = name(method),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = name(method),
        rpc.response.status_code = Empty,
        http.route = method.map(|method| method.path),
        client.address = client_address,
        user_agent.original = user_agent,
        user.id = Empty,
        error.type = Empty,
    )
}

/// One call that is not over. Dropped before, it was cancelled by its caller.
pub(super) struct Calling {
    facts: HttpRequest,
    method: Option<&'static grpc::Method>,
    span: Span,
    started: Instant,
    is_quiet: bool,
    has_head: bool,
    is_over: bool,
}

impl Calling {
    pub(super) fn begin(
        facts: HttpRequest,
        method: Option<&'static grpc::Method>,
        span: Span,
        is_quiet: bool,
    ) -> Self {
        let started = Instant::now();
        Self { facts, method, span, started, is_quiet, has_head: false, is_over: false }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// The answer's head is there; the call goes on with its body.
    pub(super) fn answer(mut self, response: Response<Body>, mut active: Active) -> Response<Body> {
        let status_code = response.status().as_u16();
        self.tell_head(status_code);
        active.answer(status_code);
        if let Some(code) = code(response.headers()) {
            self.end(code);
        }
        response.map(|body| Answer { body, calling: self, active }.boxed_unsync())
    }

    fn tell_head(&mut self, status_code: u16) {
        self.has_head = true;
        metrics::http_request(&self.facts, status_code, self.started.elapsed().as_secs_f64());
    }

    fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        let elapsed = self.started.elapsed();
        let status = grpc::code_name(code);
        self.span.record("rpc.response.status_code", status);
        let error = grpc::is_failure_of_ours(code).then_some(status);
        if let Some(error) = error {
            self.span.record("otel.status_code", "ERROR").record("error.type", error);
        }
        metrics::rpc_call(name(self.method), status, elapsed.as_secs_f64(), error);
        if self.is_quiet && code == Code::Ok {
            return;
        }
        let duration_ms = milliseconds(elapsed);
        let endpoint = self.method.map_or("other", |method| method.path);
        // The body is dropped and polled outside of the span, so the line enters it by itself.
        self.span.in_scope(|| {
            tracing::info!(
                name: "grpc_call_completed",
                endpoint,
                grpc_status = status,
                duration_ms,
            );
        });
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        if !self.has_head {
            self.tell_head(CLIENT_CLOSED_REQUEST);
        }
        self.end(Code::Cancelled);
    }
}

/// The status of a call, if these are the headers or trailers that have it.
fn code(headers: &HeaderMap) -> Option<Code> {
    headers.get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()))
}

/// The body of a call's answer, which ends the call.
struct Answer {
    body: Body,
    calling: Calling,
    active: Active,
}

impl http_body::Body for Answer {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let span = self.calling.span.clone();
        let polled = span.in_scope(|| Pin::new(&mut self.body).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.active.send(frame);
                if let Some(code) = frame.trailers_ref().and_then(code) {
                    self.calling.end(code);
                }
            }
            // An end without a status is one that the protocol does not know.
            Poll::Ready(Some(Err(_)) | None) => self.calling.end(Code::Unknown),
            Poll::Pending => {}
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

    fn found(method: Method, version: Version, path: &str, content_type: &str) -> Option<Match> {
        let mut request = Request::builder().method(method).version(version).uri(path);
        request = request.header(header::CONTENT_TYPE, content_type);
        find(&request.body(body::empty()).unwrap())
    }

    #[test]
    fn only_grpc_over_http2_is_a_call() {
        let ban = "/bangui.v1.BanService/Ban";
        let (post, h2) = (Method::POST, Version::HTTP_2);
        for content_type in
            ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"]
        {
            let call = found(post.clone(), h2, ban, content_type);
            assert!(matches!(call, Some(Match::Rpc(Some(method))) if method.path == ban));
        }
        let unknown = found(post.clone(), h2, "/api/bans", "application/grpc");
        assert!(matches!(unknown, Some(Match::Rpc(None))));
        for (method, version, content_type) in [
            (Method::GET, h2, "application/grpc"),
            (post.clone(), Version::HTTP_11, "application/grpc"),
            (post.clone(), h2, "application/grpc-web"),
            (post.clone(), h2, "application/json"),
        ] {
            assert!(matches!(found(method, version, ban, content_type), Some(Match::OnlyRpc(_))));
        }
        assert!(found(post, h2, "/api/bans", "application/json").is_none());
    }
}

#[cfg(test)]
#[path = "rpc_tests.rs"]
mod panic_tests;
