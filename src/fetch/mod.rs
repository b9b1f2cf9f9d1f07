//! Fetches a document over http from a neighbour (the collector, Jaeger), within limits. Documents
//! of strangers, as blocklists are, have stricter rules: see `download` and `file`.

mod download;
mod file;
mod inflate;

mod unverified;

use std::ops::ControlFlow;
use std::sync::LazyLock;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::time::timeout;
use tracing::{Instrument as _, Span, field};

pub use download::{Download, DownloadError, Validators, download};
pub use file::{FileError, read_file};

type HttpClient = Client<HttpConnector, Empty<Bytes>>;

/// Connections are kept for the next question.
static CLIENT: LazyLock<HttpClient> =
    LazyLock::new(|| Client::builder(TokioExecutor::new()).build_http());

/// Why there is no answer. The texts are made to be shown to an operator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("the address is not valid")]
    Address,
    /// Nobody answers there.
    #[error("nobody answers there")]
    Unreachable,
    /// No whole answer came in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The answer is larger than it may be.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The connection broke in the middle.
    #[error("the answer was cut off")]
    Broken,
}

impl Error {
    /// A word for spans.
    fn error_type(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Unreachable => "unreachable",
            Self::Timeout(_) => "timeout",
            Self::TooLarge(_) => "too_large",
            Self::Broken => "broken",
        }
    }
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its body.
    pub body: Bytes,
}

/// `GET`s a document. The wait covers connecting, head and body.
pub async fn get(url: &str, wait: Duration, max_bytes: usize) -> Result<Answer, Error> {
    whole(&*CLIENT, url, wait, max_bytes).await
}

/// The same over TLS, whoever answers: for the service's own port and nothing else.
pub async fn get_unverified(url: &str, wait: Duration, max_bytes: usize) -> Result<Answer, Error> {
    let connector = unverified::connector().map_err(|_| Error::Unreachable)?;
    let client = Client::builder(TokioExecutor::new()).build(connector);
    whole(&client, url, wait, max_bytes).await
}

async fn whole(
    client: &Client<impl Connect + Clone + Send + Sync + 'static, Empty<Bytes>>,
    url: &str,
    wait: Duration,
    max_bytes: usize,
) -> Result<Answer, Error> {
    let mut body = BytesMut::new();
    let status = parts(client, url, wait, max_bytes, |part| {
        body.extend_from_slice(part);
        ControlFlow::Continue(())
    })
    .await?;
    Ok(Answer { status, body: body.freeze() })
}

/// `GET`s a document of which not everything is to be kept: each part is handed on as it comes,
/// until one is answered with a break. Only the end of the call tells whether it was whole.
pub async fn stream(
    url: &str,
    wait: Duration,
    max_bytes: usize,
    part: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<StatusCode, Error> {
    parts(&*CLIENT, url, wait, max_bytes, part).await
}

async fn parts(
    client: &Client<impl Connect + Clone + Send + Sync + 'static, Empty<Bytes>>,
    url: &str,
    wait: Duration,
    max_bytes: usize,
    part: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<StatusCode, Error> {
    let request = Request::get(url).body(Empty::new()).map_err(|_| Error::Address)?;
    let host = request.uri().host().unwrap_or_default().to_owned();
    let span = question(Some(&host), request.uri().port_u16());
    let answer = async {
        let response = client.request(request).await.map_err(|_| Error::Unreachable)?;
        let status = response.status();
        read(response.into_body(), max_bytes, part).await?;
        Ok(status)
    };
    let result = timeout(wait, answer.instrument(span.clone())).await;
    let result = result.unwrap_or(Err(Error::Timeout(wait)));
    record(&span, result.as_ref().copied().map_err(Error::error_type));
    result
}

/// The span of one question to a server.
fn question(host: Option<&str>, port: Option<u16>) -> Span {
    tracing::info_span!(
        "fetch",
        otel.name = "GET",
        otel.kind = "client",
        http.request.method = "GET",
        server.address = host,
        server.port = port.map(i64::from),
        http.response.status_code = field::Empty,
        otel.status_code = field::Empty,
        error.type = field::Empty,
    )
}

/// Tells the span how it ended: with an answer, or with a word for why there is none.
fn record(span: &Span, ended: Result<StatusCode, &'static str>) {
    match ended {
        Ok(status) => span.record("http.response.status_code", i64::from(status.as_u16())),
        Err(word) => span.record("otel.status_code", "ERROR").record("error.type", word),
    };
}

async fn read(
    body: Incoming,
    max_bytes: usize,
    mut part: impl FnMut(&[u8]) -> ControlFlow<()>,
) -> Result<(), Error> {
    let mut body = Limited::new(body, max_bytes);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Error::TooLarge(max_bytes),
            false => Error::Broken,
        })?;
        if let Some(data) = frame.data_ref()
            && part(data).is_break()
        {
            break;
        }
    }
    Ok(())
}
