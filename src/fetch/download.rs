//! Downloads a document from a server that an operator named, within limits.
//!
//! The operator is trusted to choose a server, not to know where its name leads: the name is
//! resolved here, each address is judged, and the connection goes to the address that was judged,
//! so that no second answer of the DNS can lead elsewhere. That holds for each redirect too. The
//! address may hold a key, so no error and no span has more of it than its host.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument as _;
use url::Url;

use super::{inflate, question, record};
use crate::domain::{Network, Special};

/// From the first look-up to the last byte.
pub(super) const TOTAL_TIMEOUT: Duration = Duration::from_secs(60);
/// The document, on the wire and unpacked: a hundred thousand entries with long comments.
pub(super) const DOCUMENT_MAX_BYTES: usize = 16 * 1024 * 1024;
/// To one address; the next one is tried after it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A name with more addresses is tried at these only.
const ADDRESSES_MAX: usize = 4;
/// More are a loop.
const REDIRECTS_MAX: usize = 3;
const USER_AGENT: &str = concat!("bangui/", env!("CARGO_PKG_VERSION"));

/// Why there is no document. The texts are made to be shown to an operator.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The address, or one that it redirects to, is none.
    #[error("the address is not valid")]
    Address,
    /// The name is unknown.
    #[error("the name {0} has no address")]
    UnknownHost(String),
    /// The name leads where no list is.
    #[error("{0} leads to {1}, which is no public address")]
    Forbidden(String, IpAddr),
    /// Nobody answers there.
    #[error("nobody answers at {0}")]
    Unreachable(String),
    /// The certificate is wrong, or the other side speaks no TLS.
    #[error("no safe connection to {0}: {1}")]
    Tls(String, String),
    /// It redirects from https to http, or to something else.
    #[error("{0} redirects to an address that is not safe to follow")]
    UnsafeRedirect(String),
    /// It redirects for ever.
    #[error("more than {REDIRECTS_MAX} redirects")]
    Redirects,
    /// No document.
    #[error("{0} answered {1}")]
    Status(String, StatusCode),
    /// It is too slow.
    #[error("no whole answer within {} s", TOTAL_TIMEOUT.as_secs())]
    Timeout,
    /// Larger than it may be.
    #[error("the document is larger than {DOCUMENT_MAX_BYTES} bytes")]
    TooLarge,
    /// The connection broke in the middle.
    #[error("the answer was cut off")]
    Broken,
    /// Packed in a way that cannot be read.
    #[error("the document is packed in a way that cannot be read")]
    Packed,
    /// A page of a web site.
    #[error("{0} answered with a web page")]
    WebPage(String),
}

impl DownloadError {
    /// A word for spans and metrics.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::UnknownHost(_) => "unknown_host",
            Self::Forbidden(..) => "forbidden_address",
            Self::Unreachable(_) => "unreachable",
            Self::Tls(..) => "tls",
            Self::UnsafeRedirect(_) | Self::Redirects => "redirect",
            Self::Status(..) => "status",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Broken => "broken",
            Self::Packed => "packed",
            Self::WebPage(_) => "web_page",
        }
    }
}

/// What the server called the version that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// Its `ETag`.
    pub etag: Option<String>,
    /// Its `Last-Modified`.
    pub last_modified: Option<String>,
}

/// What came.
#[derive(Debug)]
pub enum Download {
    /// The known version is still the newest.
    Unchanged,
    /// A document, unpacked.
    Document(Vec<u8>, Validators),
}

/// Downloads a document. With `allow_private`, the server may be on a private network or on this
/// host.
pub async fn download(
    url: &str,
    known: &Validators,
    allow_private: bool,
) -> Result<Download, DownloadError> {
    let url = Url::parse(url).map_err(|_| DownloadError::Address)?;
    let work = follow(url, known, allow_private);
    timeout(TOTAL_TIMEOUT, work).await.unwrap_or(Err(DownloadError::Timeout))
}

async fn follow(
    mut url: Url,
    known: &Validators,
    allow_private: bool,
) -> Result<Download, DownloadError> {
    let first_host = url.host_str().map(str::to_owned);
    for _ in 0..=REDIRECTS_MAX {
        // A key is for the server that it was given for.
        let is_first = url.host_str().map(str::to_owned) == first_host;
        let response = ask(&url, known, allow_private, is_first).await?;
        let host = host_of(&url);
        match response.head.status {
            StatusCode::OK => return finish(response, host),
            StatusCode::NOT_MODIFIED if *known != Validators::default() => {
                return Ok(Download::Unchanged);
            }
            status if status.is_redirection() => url = target(&url, &response.head.headers)?,
            status => return Err(DownloadError::Status(host, status)),
        }
    }
    Err(DownloadError::Redirects)
}

/// A whole answer.
struct Whole {
    head: http::response::Parts,
    body: Bytes,
}

/// One question to one server, in a span of its own.
async fn ask(
    url: &Url,
    known: &Validators,
    allow_private: bool,
    with_key: bool,
) -> Result<Whole, DownloadError> {
    let span = question(url.host_str(), url.port_or_known_default());
    let answer = async {
        let request = request(url, known, with_key)?;
        let response = send(url, request, allow_private).await?;
        let (head, body) = response.into_parts();
        // Only a document is worth its bytes.
        if head.status != StatusCode::OK {
            return Ok(Whole { head, body: Bytes::new() });
        }
        let body = Limited::new(body, DOCUMENT_MAX_BYTES).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => DownloadError::TooLarge,
            false => DownloadError::Broken,
        })?;
        Ok::<_, DownloadError>(Whole { head, body: body.to_bytes() })
    };
    let result = answer.instrument(span.clone()).await;
    record(&span, result.as_ref().map(|whole| whole.head.status).map_err(DownloadError::kind));
    result
}

fn request(
    url: &Url,
    known: &Validators,
    with_key: bool,
) -> Result<Request<Empty<Bytes>>, DownloadError> {
    let host = match url.port() {
        Some(port) => format!("{}:{port}", host_of(url)),
        None => host_of(url),
    };
    let path = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let mut request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "text/plain, */*;q=0.5")
        .header(header::ACCEPT_ENCODING, "gzip")
        .header(header::CONNECTION, "close");
    for (name, value) in
        [(header::IF_NONE_MATCH, &known.etag), (header::IF_MODIFIED_SINCE, &known.last_modified)]
    {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    if with_key && (!url.username().is_empty() || url.password().is_some()) {
        let plain = |text: &str| {
            percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
        };
        let pair =
            format!("{}:{}", plain(url.username()), plain(url.password().unwrap_or_default()));
        let value = format!("Basic {}", STANDARD.encode(pair));
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Empty::new()).map_err(|_| DownloadError::Address)
}

/// Sends a request to the first address that is allowed and answers.
async fn send(
    url: &Url,
    request: Request<Empty<Bytes>>,
    allow_private: bool,
) -> Result<Response<Incoming>, DownloadError> {
    let host = host_of(url);
    let addresses = resolve(url, allow_private).await?;
    let stream = connect(&host, &addresses).await?;
    if url.scheme() == "http" {
        return exchange(TokioIo::new(stream), request).await;
    }
    let tls = |error: String| DownloadError::Tls(host.clone(), error);
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).map_err(|error| tls(error.to_string()))?;
    let connector = TlsConnector::from(Arc::clone(&TLS));
    let stream = timeout(CONNECT_TIMEOUT, connector.connect(name, stream)).await;
    let stream = stream
        .map_err(|_| tls("no answer in time".into()))?
        .map_err(|error| tls(error.to_string()))?;
    exchange(TokioIo::new(stream), request).await
}

async fn exchange<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<Response<Incoming>, DownloadError>
where
    S: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    let (mut sender, connection) =
        http1::handshake(stream).await.map_err(|_| DownloadError::Broken)?;
    // It ends with the answer's body, or with the timeout that drops its other half.
    let driver = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let mut response = sender.send_request(request).await.map_err(|_| DownloadError::Broken)?;
    response.extensions_mut().insert(Arc::new(driver));
    Ok(response)
}

/// The addresses of a host that may be asked.
async fn resolve(url: &Url, allow_private: bool) -> Result<Vec<SocketAddr>, DownloadError> {
    let host = host_of(url);
    let port = url.port_or_known_default().ok_or(DownloadError::Address)?;
    let name = (host.trim_matches(['[', ']']), port);
    let found = lookup_host(name).await.map_err(|_| DownloadError::UnknownHost(host.clone()))?;
    let (mut allowed, mut refused) = (Vec::new(), None);
    for address in found {
        match may_be_asked(address.ip(), allow_private) {
            true => allowed.push(address),
            false => refused = Some(address.ip()),
        }
    }
    allowed.truncate(ADDRESSES_MAX);
    match refused {
        _ if !allowed.is_empty() => Ok(allowed),
        Some(ip) => Err(DownloadError::Forbidden(host, ip)),
        None => Err(DownloadError::UnknownHost(host)),
    }
}

/// Whether a list may come from an address. A cloud's metadata, which tells keys, is link-local.
fn may_be_asked(ip: IpAddr, allow_private: bool) -> bool {
    match Network::of(ip).special() {
        None => true,
        Some(Special::Loopback | Special::Private | Special::Shared) => allow_private,
        Some(Special::LinkLocal | Special::Multicast | Special::Reserved) => false,
    }
}

async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, DownloadError> {
    for address in addresses {
        if let Ok(Ok(stream)) = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(DownloadError::Unreachable(host.to_owned()))
}

/// Where a redirect leads. From https it must not lead to http, which anybody on the way can
/// change.
fn target(url: &Url, headers: &HeaderMap) -> Result<Url, DownloadError> {
    let unsafe_redirect = || DownloadError::UnsafeRedirect(host_of(url));
    let location = headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
    let target = url.join(location.ok_or_else(unsafe_redirect)?).map_err(|_| unsafe_redirect())?;
    match (url.scheme(), target.scheme()) {
        (_, "https") | ("http", "http") => Ok(target),
        _ => Err(unsafe_redirect()),
    }
}

fn finish(whole: Whole, host: String) -> Result<Download, DownloadError> {
    let headers = &whole.head.headers;
    let kind = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    if kind.trim_start().to_ascii_lowercase().starts_with("text/html") {
        return Err(DownloadError::WebPage(host));
    }
    let encoding = text(headers, header::CONTENT_ENCODING).unwrap_or_default();
    if !["", "identity", "gzip", "x-gzip"].contains(&encoding.trim()) {
        return Err(DownloadError::Packed);
    }
    let validators = Validators {
        etag: text(headers, header::ETAG),
        last_modified: text(headers, header::LAST_MODIFIED),
    };
    let document = inflate::unpack(whole.body.into(), DOCUMENT_MAX_BYTES)?;
    Ok(Download::Document(document, validators))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    /// A server's word is kept in the store and sent back.
    const MAX_CHARS: usize = 200;
    let value = headers.get(name)?.to_str().ok()?;
    (value.len() <= MAX_CHARS).then(|| value.to_owned())
}

fn host_of(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

/// The certificates of the system, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
static TLS: LazyLock<Arc<ClientConfig>> = LazyLock::new(|| {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Arc::new(config)
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_asked_unless_private_ones_are_allowed() {
        for (ip, by_default, with_private) in [
            ("198.51.100.7", true, true),
            ("2001:db8::1", true, true),
            ("127.0.0.1", false, true),
            ("::1", false, true),
            ("10.0.0.1", false, true),
            ("100.100.100.200", false, true),
            ("::ffff:10.0.0.1", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fd00:ec2::254", false, false),
            ("fe80::1", false, false),
            ("0.0.0.0", false, false),
            ("64:ff9b::a9fe:a9fe", false, false),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(may_be_asked(ip, false), by_default, "{ip}");
            assert_eq!(may_be_asked(ip, true), with_private, "{ip}");
        }
    }

    #[test]
    fn no_servers_word_is_kept_at_any_length() {
        let mut headers = HeaderMap::new();
        for (value, is_kept) in [("\"v1\"".to_owned(), true), ("http".repeat(100), false)] {
            headers.insert(header::ETAG, value.parse().unwrap());
            assert_eq!(text(&headers, header::ETAG).is_some(), is_kept, "{value}");
        }
    }

    #[test]
    fn redirects_stay_safe() {
        let follow = |from: &str, to: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::LOCATION, to.parse().unwrap());
            target(&Url::parse(from).unwrap(), &headers).map(String::from).ok()
        };
        assert_eq!(follow("http://a/x", "/y").as_deref(), Some("http://a/y"));
        assert_eq!(follow("http://a/x", "https://b/").as_deref(), Some("https://b/"));
        assert_eq!(follow("https://a/x", "http://a/x"), None);
        assert_eq!(follow("http://a/x", "file:///etc/passwd"), None);
        assert_eq!(follow("http://a/x", "gopher://a/"), None);
    }

    #[test]
    fn a_key_is_sent_to_the_first_server_only_and_stands_in_no_error() {
        let url = Url::parse("https://me:p%40ss@lists.example.com/a?key=k").unwrap();
        let header = |with_key| {
            let request = request(&url, &Validators::default(), with_key).unwrap();
            request.headers().get(header::AUTHORIZATION).cloned()
        };
        assert_eq!(header(true).unwrap(), "Basic bWU6cEBzcw==");
        assert_eq!(header(false), None);
        let error = DownloadError::Status(host_of(&url), StatusCode::FORBIDDEN).to_string();
        assert_eq!(error, "lists.example.com answered 403 Forbidden");
    }
}
