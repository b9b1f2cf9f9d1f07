//! The outermost layer: every request becomes a span, a line, two metrics and a correlation id.
//!
//! It matches the route first, so that the span's name, the `endpoint` of the log and the labels
//! of the metrics exist before anything else can fail. A request that its client gives up is
//! counted too: the guards tell when they are dropped.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use http_body_util::BodyExt as _;
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::Services;
use super::active::{Active, CLIENT_CLOSED_REQUEST, Guarded};
use super::body::Body;
use super::client_address::{Peer, client_address, logged};
use super::cookie::session_token;
use super::router::{Match, Router};
use super::rpc::{self, Calling};
use crate::edge::access::bearer_token;
use crate::telemetry::metrics::{self, HttpRequest};
use crate::telemetry::milliseconds;
use crate::telemetry::sanitize::{sanitize_for_logging, sanitize_url_path};
use crate::telemetry::span::{self, Remote};

/// A longer path or user agent is cut: it is a stranger's text in every span.
const STRANGERS_TEXT_MAX_BYTES: usize = 200;

/// Who a request comes from and what it was matched to, for the inner services.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) found: Match,
    pub(super) client: std::net::IpAddr,
}

/// Wraps the whole stack.
#[derive(Clone)]
pub(super) struct ObserveLayer {
    services: Arc<Services>,
    router: Arc<Router>,
}

impl ObserveLayer {
    pub(super) fn new(services: Arc<Services>, router: Arc<Router>) -> Self {
        Self { services, router }
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, services: self.services.clone(), router: self.router.clone() }
    }
}

/// The service of [`ObserveLayer`].
#[derive(Clone)]
pub(super) struct Observe<S> {
    inner: S,
    services: Arc<Services>,
    router: Arc<Router>,
}

impl<S> Service<Request<Body>> for Observe<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let peer = request.extensions().get::<Peer>().map_or([0, 0, 0, 0].into(), |peer| peer.0);
        let site = &self.services.site;
        let client = client_address(peer, request.headers(), &site.trusted_proxies);
        let found = rpc::find(&request)
            .unwrap_or_else(|| self.router.find(request.method(), request.uri().path()));
        let facts = HttpRequest {
            method: method_name(request.method()),
            route: found.endpoint(),
            scheme: if site.https { "https" } else { "http" },
        };
        let span = self.span(&request, &facts, &found, client, peer);
        let (mut active, mut request) = Active::begin(facts, request);
        let is_quiet = found.is_quiet(&site.quiet_endpoints);
        if let Match::Rpc(method) = found {
            let calling = Calling::begin(facts, method, span.clone(), is_quiet);
            request.extensions_mut().insert(Observed { found, client });
            let response = self.inner.call(request);
            let answered = async move {
                let Ok(mut response) = response.await;
                identify(&mut response, &calling.span());
                Ok(calling.answer(response, active))
            };
            return Box::pin(answered.instrument(span));
        }
        let running = Running {
            facts,
            span: span.clone(),
            started: Instant::now(),
            is_quiet,
            is_over: false,
        };
        request.extensions_mut().insert(Observed { found, client });
        let response = self.inner.call(request);
        Box::pin(
            async move {
                let Ok(mut response) = response.await;
                identify(&mut response, &running.span);
                let status_code = response.status().as_u16();
                running.finish(status_code);
                active.answer(status_code);
                Ok(response.map(|body| Guarded::new(body, active).boxed_unsync()))
            }
            .instrument(span),
        )
    }
}

impl<S> Observe<S> {
    fn span(
        &self,
        request: &Request<Body>,
        facts: &HttpRequest,
        found: &Match,
        client: std::net::IpAddr,
        peer: std::net::IpAddr,
    ) -> Span {
        let site = &self.services.site;
        let headers = request.headers();
        let span = self.new_span(request, facts, found, client);
        // A call is never made with a session, so it is not continued for one either.
        let cookie = (!matches!(found, Match::Rpc(_))).then(|| session_token(headers, site.https));
        let token = bearer_token(headers).or(cookie.flatten());
        let is_known = site.trusted_proxies.contains(peer)
            || token.is_some_and(|token| self.services.auth.is_known(token));
        let is_quiet = found.is_quiet(&site.quiet_endpoints);
        match Remote::from_header(single(headers.get_all("traceparent")), is_known) {
            Remote::Absent | Remote::Linked(_) if is_quiet => span::unsampled_root(span),
            // A page sends a context with all its calls, so it does not ask for this one's trace.
            Remote::Continued(_) if is_quiet && is_of_page(headers) => span::unsampled_root(span),
            remote => {
                remote.place(&span);
                span
            }
        }
    }

    fn new_span(
        &self,
        request: &Request<Body>,
        facts: &HttpRequest,
        found: &Match,
        client: std::net::IpAddr,
    ) -> Span {
        let site = &self.services.site;
        let agent = request.headers().get(header::USER_AGENT).and_then(|it| it.to_str().ok());
        let agent = agent.map(sanitize_for_logging);
        let (agent, address) = (agent.as_deref().map(shown), logged(client, site.log_client_ip));
        if let Match::Rpc(method) = found {
            return rpc::span(*method, address, agent);
        }
        // The conventions' name of a span: the method, and the route if there is one.
        let method = if facts.method == "_OTHER" { "HTTP" } else { facts.method };
        let name = facts.route.map_or(method.to_owned(), |route| format!("{method} {route}"));
        tracing::info_span!(
            "request",
            otel.name = name,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = facts.method,
            http.route = facts.route,
            http.response.status_code = Empty,
            url.path = shown(sanitize_url_path(request.uri().path())),
            url.scheme = facts.scheme,
            network.protocol.version = version(request.version()),
            client.address = address,
            user_agent.original = agent,
            user.id = Empty,
            error.type = Empty,
        )
    }
}

/// Whether a browser says that the request comes from a page of this service.
fn is_of_page(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site == "same-origin")
}

/// The value of a header that must not be repeated.
fn single<'a>(values: http::header::GetAll<'a, HeaderValue>) -> Option<&'a str> {
    let mut values = values.iter();
    let first = values.next()?;
    if values.next().is_some() { None } else { first.to_str().ok() }
}

/// A stranger's text, sanitized before, as much of it as a span holds. The cut comes last: it
/// could leave half a secret that no rule recognises.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(STRANGERS_TEXT_MAX_BYTES)]
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}

/// The known methods; any other text would make a series of its own.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Puts the ids of the request's trace on its answer.
fn identify(response: &mut Response<Body>, span: &Span) {
    let id = span::correlation_id_of(span).and_then(|id| HeaderValue::try_from(id).ok());
    let trace = span::response_header(span).and_then(|text| HeaderValue::try_from(text).ok());
    response.headers_mut().extend(
        [("x-correlation-id", id), ("traceresponse", trace)]
            .into_iter()
            .filter_map(|(name, value)| Some((http::HeaderName::from_static(name), value?))),
    );
}

/// One request that has no answer yet. Dropped before, it was given up by its client.
struct Running {
    facts: HttpRequest,
    span: Span,
    started: Instant,
    is_quiet: bool,
    is_over: bool,
}

impl Running {
    fn finish(mut self, status_code: u16) {
        self.tell(status_code);
    }

    fn tell(&mut self, status_code: u16) {
        self.is_over = true;
        let elapsed = self.started.elapsed();
        self.span.record("http.response.status_code", i64::from(status_code));
        if let Some(error) = metrics::http_error_type(status_code) {
            self.span.record("otel.status_code", "ERROR").record("error.type", error);
        }
        metrics::http_request(&self.facts, status_code, elapsed.as_secs_f64());
        // What failed is told, wherever it was asked: a probe that is refused has a reason, too.
        if self.is_quiet && status_code < 400 {
            return;
        }
        let duration_ms = milliseconds(elapsed);
        let (method, endpoint) = (self.facts.method, self.facts.route.unwrap_or("other"));
        let status_code = i64::from(status_code);
        // A dropped request is dropped outside its span, so the line enters it by itself.
        self.span.in_scope(|| {
            tracing::info!(
                name: "http_request_completed",
                method,
                endpoint,
                status_code,
                duration_ms,
            );
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.is_over {
            self.tell(CLIENT_CLOSED_REQUEST);
        }
    }
}
