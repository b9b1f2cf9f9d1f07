//! TLS on the service's own port: the handshake within limits, and certificates that are renewed
//! while the service runs.
//!
//! A renewal needs no restart and no signal, which programs that renew certificates may not send.
//! The files are read anew from time to time instead: their content decides, not their dates, so
//! that links that are turned over, as Kubernetes' and certbot's are, are seen as well.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ServerConfig, crypto};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::config::{Identity, ServedTls};
use crate::telemetry::metrics::{self, Certificate};

/// A client that takes longer for its handshake is given up; until then it holds a place among the
/// connections.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How soon a renewed certificate is seen. A look costs some microseconds.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;
/// What a client of plain http is told. It has sent its request, and more of that than this is not
/// read.
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\n\
    content-length: 28\r\nconnection: close\r\n\r\nthis port speaks https alone";
const PLAIN_REQUEST_MAX_BYTES: u64 = 64 * 1024;
/// A client of plain http has so long to take its answer and hang up.
const PLAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// What the client chose in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// Not worth a line: the client hung up before it said anything, or stayed silent.
    #[error("nothing was said")]
    Silent,
    /// It has been answered.
    #[error("a request in plain http")]
    PlainHttp,
    /// rustls tells why.
    #[error("{0}")]
    Handshake(std::io::Error),
    /// The client began and did not finish.
    #[error("the handshake took longer than {} s", HANDSHAKE_TIMEOUT.as_secs())]
    Late,
}

/// The port's TLS.
pub(super) struct Tls {
    acceptor: TlsAcceptor,
    current: Arc<Current>,
    served: ServedTls,
}

/// The certificate that is shown at the moment.
#[derive(Debug)]
struct Current(ArcSwap<CertifiedKey>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl Tls {
    /// Prepares handshakes with the pair that was read at start.
    pub(super) fn new(served: ServedTls) -> Result<Self, String> {
        let certified = served.identity.certified()?;
        let current = Arc::new(Current(ArcSwap::from_pointee(certified)));
        let provider: crypto::CryptoProvider = ring::default_provider();
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        tell_of(&served.identity);
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), current, served })
    }

    /// Does the handshake, then waits for the client's first bytes, each within a limit.
    pub(super) async fn accept(
        &self,
        stream: TcpStream,
        first_bytes_limit: Duration,
    ) -> Result<(TlsStream<TcpStream>, Protocol), Refused> {
        let handshake = timeout(HANDSHAKE_TIMEOUT, self.handshake(stream));
        let mut stream = handshake.await.unwrap_or(Err(Refused::Late))?;
        let protocol = match stream.get_ref().1.alpn_protocol() {
            Some(HTTP2) => Protocol::Http2,
            _ => Protocol::Http1,
        };
        match timeout(first_bytes_limit, speaks(&mut stream, protocol)).await {
            Ok(true) => Ok((stream, protocol)),
            Ok(false) | Err(_) => Err(Refused::Silent),
        }
    }

    async fn handshake(&self, mut stream: TcpStream) -> Result<TlsStream<TcpStream>, Refused> {
        let mut first = [0];
        match stream.peek(&mut first).await {
            Ok(1..) if first[0] == HANDSHAKE => {}
            // A method begins with a letter.
            Ok(1..) if first[0].is_ascii_uppercase() => {
                // Whether it has heard the answer makes no difference.
                let _ = timeout(PLAIN_TIMEOUT, answer_plain(&mut stream)).await;
                return Err(Refused::PlainHttp);
            }
            Ok(_) | Err(_) => return Err(Refused::Silent),
        }
        self.acceptor.accept(stream).await.map_err(Refused::Handshake)
    }

    /// Looks at the files until the service stops, and shows what they hold. What cannot be shown
    /// is told of when it is still there at the next look: a pair is two files, and between the
    /// writing of the one and of the other they do not fit.
    pub(super) async fn keep_current(self: Arc<Self>, stop: CancellationToken) {
        let mut shown = self.served.identity.clone();
        let mut doubt: Option<(String, bool)> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(LOOK_INTERVAL) => {}
            }
            match self.look(shown.clone()).await {
                Ok(None) => doubt = None,
                Ok(Some((identity, certified))) => {
                    self.current.0.store(Arc::new(certified));
                    tell_of(&identity);
                    (shown, doubt) = (Arc::new(identity), None);
                }
                Err(reason) => {
                    let is_told = match &doubt {
                        Some((before, is_told)) if *before == reason => {
                            if !is_told {
                                let error = reason.as_str();
                                tracing::warn!(name: "tls_certificate_reload_failed", error);
                            }
                            true
                        }
                        _ => false,
                    };
                    doubt = Some((reason, is_told));
                }
            }
        }
    }

    /// The pair in the files, if it is another one.
    async fn look(&self, shown: Arc<Identity>) -> Result<Option<(Identity, CertifiedKey)>, String> {
        let served = self.served.clone();
        let look = move || {
            let found = served.read_again()?;
            if found.certificate == shown.certificate && found.key == shown.key {
                return Ok(None);
            }
            let certified = found.certified()?;
            Ok(Some((found, certified)))
        };
        // Where the disk hangs, so does this, and nothing else.
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

/// Waits until the client has said what its protocol begins with. A client of HTTP/2 sends all of
/// its preface at once; one that sends half of it would hold its place for ever.
async fn speaks(stream: &mut TlsStream<TcpStream>, protocol: Protocol) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    match (stream.fill_buf().await, protocol) {
        (Ok(start), Protocol::Http2) => start.starts_with(PREFACE),
        (Ok(start), Protocol::Http1) => !start.is_empty(),
        (Err(_), _) => false,
    }
}

/// Says why there is no answer. What the client has sent is read first, or else the end of the
/// connection would overtake the answer.
async fn answer_plain(stream: &mut TcpStream) {
    let mut request = stream.take(PLAIN_REQUEST_MAX_BYTES);
    let mut part = [0; 4096];
    let _ = request.read(&mut part).await;
    let stream = request.get_mut();
    if stream.write_all(PLAIN_ANSWER).await.is_ok() && stream.shutdown().await.is_ok() {
        // Until the client hangs up.
        while matches!(request.read(&mut part).await, Ok(1..)) {}
    }
}

/// Tells of the certificate that is shown from now on: nothing of its subject, only how long it is
/// good.
fn tell_of(identity: &Identity) {
    let seconds = identity.not_after_unix_seconds;
    metrics::set_certificate_not_after(Certificate::Server, seconds);
    let not_after = i64::try_from(seconds).ok().and_then(|it| Timestamp::from_second(it).ok());
    let not_after = not_after.unwrap_or(Timestamp::MAX);
    tracing::info!(name: "tls_certificate_loaded", not_after = %not_after);
    if not_after < Timestamp::now() {
        // It is shown all the same: a browser's warning says more than a port that is closed.
        tracing::warn!(name: "tls_certificate_expired", not_after = %not_after);
    }
}
