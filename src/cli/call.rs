//! One call to the service: its span, its headers, its deadline.

use std::time::Duration;

use tokio::time::timeout;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Response, Status, Streaming};
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::failure::Failure;
use crate::config::ClientSettings;
use crate::proto::code_name;
use crate::telemetry::span;

/// A host that does not answer at all is given up sooner than a slow answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// So a watch notices that the other end is gone without a word.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// What a call does, as far as its deadline and its failure depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Look,
    Change,
}

/// The service, as a command sees it.
pub(super) struct Service {
    endpoint: Endpoint,
    address: String,
    host: String,
    port: u16,
    authorization: MetadataValue<Ascii>,
    wait: Duration,
    /// Whether something of the command is to be found under its trace id.
    is_traced: bool,
}

impl Service {
    /// Prepares the connection; nothing is sent yet.
    pub(super) fn new(
        settings: &ClientSettings,
        wait: Duration,
        is_traced: bool,
    ) -> Result<Self, Failure> {
        let uri = &settings.address;
        let address = uri.to_string().trim_end_matches('/').to_owned();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let unusable = |error: tonic::transport::Error| Failure::unreachable(&address, &error);
        let agent = concat!("bangui/", env!("CARGO_PKG_VERSION"));
        let mut endpoint = Endpoint::from(uri.clone())
            .user_agent(agent)
            .map_err(unusable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT);
        if is_https {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(unusable)?;
        }
        let authorization = format!("Bearer {}", settings.token.expose());
        // The settings have seen to it that a token is visible ASCII.
        let mut authorization: MetadataValue<Ascii> =
            authorization.parse().map_err(|_| Failure::inside())?;
        authorization.set_sensitive(true);
        let host = uri.host().unwrap_or_default().to_owned();
        Ok(Self { endpoint, address, host, port, authorization, wait, is_traced })
    }

    /// Makes a call with one answer.
    pub(super) async fn ask<M, A, W>(
        &self,
        method: &'static str,
        kind: Kind,
        message: M,
        call: impl FnOnce(Channel, Request<M>) -> W,
    ) -> Result<A, Failure>
    where
        W: Future<Output = Result<Response<A>, Status>>,
    {
        let span = self.span(method);
        let work = async {
            let channel = self.channel().await?;
            let mut request = self.request(message, &span);
            // The service is told, so that it does not go on reading for nobody.
            request.set_timeout(self.wait);
            call(channel, request).await.map_err(|status| self.failure(&status, kind))
        };
        let answer = timeout(self.wait, work.instrument(span.clone())).await;
        let answer = answer.unwrap_or_else(|_| Err(self.too_late(kind)));
        end(&span, answer.as_ref().err());
        Ok(answer?.into_inner())
    }

    /// Begins a stream of answers. Each of them may take as long as one answer, or as long as it
    /// likes: a reader may be slow, and what is watched may not happen.
    pub(super) async fn listen<M, A, W>(
        &self,
        method: &'static str,
        is_endless: bool,
        message: M,
        call: impl FnOnce(Channel, Request<M>) -> W,
    ) -> Result<Stream<'_, A>, Failure>
    where
        W: Future<Output = Result<Response<Streaming<A>>, Status>>,
    {
        let span = self.span(method);
        let work = async {
            let channel = self.channel().await?;
            let request = self.request(message, &span);
            call(channel, request).await.map_err(|status| self.failure(&status, Kind::Look))
        };
        let begun = timeout(self.wait, work.instrument(span.clone())).await;
        let begun = begun.unwrap_or_else(|_| Err(self.too_late(Kind::Look)));
        match begun {
            Ok(response) => {
                let messages = response.into_inner();
                Ok(Stream { service: self, messages, span, is_endless, is_over: false })
            }
            Err(failure) => {
                end(&span, Some(&failure));
                Err(failure)
            }
        }
    }

    async fn channel(&self) -> Result<Channel, Failure> {
        let connected = self.endpoint.connect().await;
        connected.map_err(|error| Failure::unreachable(&self.address, &error))
    }

    fn request<M>(&self, message: M, span: &Span) -> Request<M> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.authorization.clone());
        // A parent that nobody can ever see would only spoil the service's trace.
        let parent = span::request_header(span).filter(|_| self.is_traced);
        if let Some(parent) = parent.and_then(|text| text.parse::<MetadataValue<Ascii>>().ok()) {
            request.metadata_mut().insert("traceparent", parent);
        }
        request
    }

    fn span(&self, method: &'static str) -> Span {
        tracing::info_span!(
            "call",
            otel.name = method,
            otel.kind = "client",
            otel.status_code = Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = Empty,
            server.address = self.host,
            server.port = i64::from(self.port),
            error.type = Empty,
        )
    }

    fn failure(&self, status: &Status, kind: Kind) -> Failure {
        let failure = Failure::of(status);
        match status.code() {
            // tonic's own word for a deadline that has passed; nobody else cancels here.
            Code::Cancelled | Code::DeadlineExceeded => {
                Failure { correlation_id: failure.correlation_id, ..self.too_late(kind) }
            }
            _ => failure,
        }
    }

    fn too_late(&self, kind: Kind) -> Failure {
        Failure::too_late(self.wait.as_secs(), kind == Kind::Change)
    }
}

/// Answers as they come.
pub(super) struct Stream<'a, A> {
    service: &'a Service,
    messages: Streaming<A>,
    span: Span,
    is_endless: bool,
    is_over: bool,
}

impl<A> Stream<'_, A> {
    /// The next one; nothing behind the last.
    pub(super) async fn next(&mut self) -> Result<Option<A>, Failure> {
        let next = match self.is_endless {
            true => Ok(self.messages.message().await),
            false => timeout(self.service.wait, self.messages.message()).await,
        };
        let next = match next {
            Ok(next) => next.map_err(|status| self.service.failure(&status, Kind::Look)),
            Err(_) => Err(self.service.too_late(Kind::Look)),
        };
        if !matches!(next, Ok(Some(_))) {
            self.is_over = true;
            end(&self.span, next.as_ref().err());
        }
        next
    }
}

impl<A> Drop for Stream<'_, A> {
    /// Whoever stops reading has what it wanted.
    fn drop(&mut self) {
        if !self.is_over {
            self.span.record("rpc.response.status_code", code_name(Code::Cancelled));
        }
    }
}

fn end(span: &Span, failure: Option<&Failure>) {
    match failure {
        None => span.record("rpc.response.status_code", code_name(Code::Ok)),
        Some(failure) => span
            .record("otel.status_code", "ERROR")
            .record("error.type", failure.error_type)
            .record("rpc.response.status_code", failure.code),
    };
}
