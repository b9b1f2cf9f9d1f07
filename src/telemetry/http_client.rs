//! The HTTP client of the exporters: HTTP/1.1, in the clear or over TLS with the certificates that
//! the settings name.
//!
//! It works on the runtime of the exporters, whose threads are silent, whoever waits for the
//! answer. Redirects are not followed and no proxy is asked: a collector has an address.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio_rustls::rustls::ClientConfig;

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
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    runtime: Handle,
    timeout: Duration,
    cause: Cause,
}

impl Sender {
    /// Must be called within the runtime that is to do the work.
    pub(super) fn new(tls: ClientConfig, timeout: Duration, cause: Cause) -> Self {
        let mut plain = HttpConnector::new();
        plain.enforce_http(false);
        plain.set_nodelay(true);
        plain.set_connect_timeout(Some(timeout));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let connector = connector.enable_http1().wrap_connector(plain);
        // One signal has one batch under way.
        let client =
            Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector);
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
