//! The HTTP client of the exporters: HTTP/1.1, in the clear or over TLS with the certificates that
//! the settings name.
//!
//! It works on the runtime of the exporters, whose threads are silent, whoever waits for the
//! answer. Redirects are not followed and no proxy is asked: a collector has an address.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

/// An answer says how many records were refused, and perhaps why.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// Why the last attempt got no answer. The exporters keep that to themselves, and without it
/// nobody can tell a wrong certificate from a collector that is away.
#[derive(Debug, Clone, Default)]
pub(super) struct Cause(Arc<Mutex<Option<String>>>);

impl Cause {
    fn set(&self, text: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }

    /// The cause, as a person would tell it.
    pub(super) fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// One client for one signal.
pub(super) struct Sender {
    client: Client<Connector, Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
    cause: Cause,
}

impl Sender {
    /// Must be called within the runtime that is to do the work.
    pub(super) fn new(tls: Option<ClientConfig>, timeout: Duration, cause: Cause) -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(timeout));
        let tls = tls.map(|config| TlsConnector::from(Arc::new(config)));
        // One signal has one batch under way.
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(1)
            .build(Connector { plain, tls });
        Self { client, runtime: Handle::current(), timeout, cause }
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sender")
    }
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let (client, limit) = (self.client.clone(), self.timeout);
        let work = async move {
            let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
            let body = Limited::new(body, ANSWER_MAX_BYTES).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        // A timer is made on the runtime too: whoever waits here may have none.
        let task = self.runtime.spawn(async move { tokio::time::timeout(limit, work).await });
        Box::pin(async move {
            let result = match task.await {
                Ok(Ok(result)) => result,
                Ok(Err(_)) => Err("no answer in time".into()),
                Err(_) => Err("the process ends".into()),
            };
            self.cause.set(result.as_ref().err().map(|error: &HttpError| chain(error.as_ref())));
            result
        })
    }
}

/// An error and what caused it. Some repeat their cause, which is then told once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

/// Connects by TCP and, for `https`, on by TLS.
#[derive(Clone)]
struct Connector {
    plain: HttpConnector,
    tls: Option<TlsConnector>,
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, HttpError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        self.plain.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = self.tls.clone().filter(|_| uri.scheme_str() == Some("https"));
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let connect = self.plain.call(uri);
        Box::pin(async move {
            let tcp = connect.await?;
            let Some(tls) = tls else { return Ok(Stream(Box::new(tcp))) };
            let name = ServerName::try_from(host)?;
            let stream = tls.connect(name, tcp.into_inner()).await?;
            Ok(Stream(Box::new(TokioIo::new(stream))))
        })
    }
}

trait ReadWrite: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> ReadWrite for T {}

/// A connection, whatever it is made of.
struct Stream(Box<dyn ReadWrite>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
