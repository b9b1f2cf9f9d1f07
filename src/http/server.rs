//! Accepts connections and serves HTTP/1.1 and HTTP/2 on one port: over TLS, where the client says
//! which, or in the clear, where its first bytes do (h2c by prior knowledge). gRPC comes by HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use super::Services;
use super::body::BodyError;
use super::client_address::{Peer, logged};
use super::places::{Place, Places};
use super::stack::{self, Stack};
use super::tls::{Protocol, Refused, Tls};
use crate::config::{ClientIpLogging, ServedTls};
use crate::grpc::{self, Grpc};

/// A client has so long to send a request's head; an idle connection ends after it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two looks at a preface that comes byte by byte.
const PREFACE_PAUSE: Duration = Duration::from_millis(50);
/// How long requests may take to finish when the service stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause after an accept that failed, for example because no file handle is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A head larger than this is no request of ours.
const HEAD_MAX_BYTES: usize = 32 * 1024;
/// Parallel requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;

/// A listening server that does not accept yet.
pub struct Server {
    listener: TcpListener,
    stack: Stack,
    tls: Option<Arc<Tls>>,
    log_client_ip: ClientIpLogging,
    places: Places,
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// The table of routes contradicts itself.
    #[error("the table of routes is wrong: {0}")]
    Routes(#[from] matchit::InsertError),
    /// The port cannot speak TLS.
    #[error("TLS cannot be served: {0}")]
    Tls(String),
    /// The contract of the gRPC API cannot be read.
    #[error("the gRPC contract is wrong: {0}")]
    Contract(#[from] grpc::Error),
}

impl Server {
    /// Listens on the address, where it speaks TLS if it has a certificate.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<ServedTls>,
        services: Arc<Services>,
    ) -> Result<Self, Error> {
        let tls = tls.map(|tls| Tls::new(tls).map_err(Error::Tls)).transpose()?.map(Arc::new);
        let log_client_ip = services.site.log_client_ip;
        let places = Places::new(services.site.trusted_proxies.clone());
        let stack = stack::build(services.clone(), Grpc::new(services)?)?;
        let listener =
            TcpListener::bind(address).await.map_err(|error| Error::Listen { address, error })?;
        Ok(Self { listener, stack, tls, log_client_ip, places })
    }

    /// The address that it listens on; the port is real even when 0 was asked for.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves until `stop`, then lets running requests finish within a time limit.
pub async fn serve(server: Server, stop: CancellationToken) {
    let graceful = GracefulShutdown::new();
    if let Some(tls) = server.tls.clone() {
        tokio::spawn(tls.keep_current(stop.clone()));
    }
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&server) => accepted,
        };
        let (stream, peer, place) = match accepted {
            Ok(Some(accepted)) => accepted,
            Ok(None) => continue,
            Err(error) => {
                tracing::warn!(name: "http_accept_failed", error = %error);
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (service, watcher) = (service(&server.stack, peer), graceful.watcher());
        let (silent, tls) = (stop.clone(), server.tls.clone());
        let client_ip = logged(peer.ip(), server.log_client_ip);
        tokio::spawn(async move {
            let _place = place;
            let begun = tokio::select! {
                // A browser's spare connection must not hold up the drain.
                () = silent.cancelled() => None,
                begun = begin(stream, tls.as_deref(), client_ip.as_deref()) => begun,
            };
            let ended = match begun {
                None => return,
                Some((Wire::Plain(stream), builder)) => {
                    let io = TokioIo::new(stream);
                    let connection = builder.serve_connection_with_upgrades(io, service);
                    watcher.watch(connection.into_owned()).await
                }
                Some((Wire::Tls(stream), builder)) => {
                    let io = TokioIo::new(stream);
                    let connection = builder.serve_connection_with_upgrades(io, service);
                    watcher.watch(connection.into_owned()).await
                }
            };
            if let Err(error) = ended {
                note_malformed(error.as_ref(), client_ip);
            }
        });
    }
    drop(server.listener);
    if timeout(DRAIN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::warn!(name: "http_drain_timed_out", timeout_seconds = DRAIN_TIMEOUT.as_secs());
    }
}

/// The next connection; nothing for one too many of its client, which is closed at once.
async fn accept(server: &Server) -> std::io::Result<Option<(TcpStream, SocketAddr, Place)>> {
    let free = server.places.free().await?;
    let (stream, peer) = server.listener.accept().await?;
    let Some(place) = server.places.take(free, peer.ip()) else {
        let client_ip = logged(peer.ip().to_canonical(), server.log_client_ip);
        tracing::warn!(name: "http_connection_refused", client_ip);
        return Ok(None);
    };
    // Small answers must not wait for more; a failure only costs some milliseconds.
    let _ = stream.set_nodelay(true);
    Ok(Some((stream, peer, place)))
}

/// What a connection's bytes go through.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Waits within limits until the client has begun to speak, and knows how; nothing if it does not.
async fn begin(
    stream: TcpStream,
    tls: Option<&Tls>,
    client_ip: Option<&str>,
) -> Option<(Wire, Builder<TokioExecutor>)> {
    let Some(tls) = tls else {
        let has_spoken = matches!(timeout(HEAD_TIMEOUT, speaks(&stream)).await, Ok(Ok(())));
        return has_spoken.then(|| (Wire::Plain(stream), builder()));
    };
    match tls.accept(stream, HEAD_TIMEOUT).await {
        Ok((stream, Protocol::Http1)) => {
            Some((Wire::Tls(Box::new(stream)), builder().http1_only()))
        }
        Ok((stream, Protocol::Http2)) => {
            Some((Wire::Tls(Box::new(stream)), builder().http2_only()))
        }
        Err(Refused::Silent) => None,
        Err(refused) => {
            tracing::info!(name: "http_tls_handshake_failed", client_ip, error = %refused);
            None
        }
    }
}

/// Waits until the client has sent enough to tell HTTP/1.1 from HTTP/2. The builder below waits
/// for the same, but without any limit, and so would hold a silent client's place for ever.
async fn speaks(stream: &TcpStream) -> std::io::Result<()> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut start = [0; PREFACE.len()];
    loop {
        let length = stream.peek(&mut start).await?;
        let is_undecided = PREFACE.starts_with(&start[..length]) && length < PREFACE.len();
        if length == 0 || !is_undecided {
            return Ok(());
        }
        sleep(PREFACE_PAUSE).await;
    }
}

/// What cannot be parsed has no route, no span and no answer of ours; a line says that it was
/// there. A connection that merely broke is no event.
fn note_malformed(
    error: &(dyn std::error::Error + Send + Sync + 'static),
    client_ip: Option<String>,
) {
    let Some(error) = error.downcast_ref::<hyper::Error>() else { return };
    if error.is_parse() || error.is_parse_too_large() {
        tracing::info!(name: "http_malformed_request", client_ip, error = %error);
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(HEAD_MAX_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_MAX_BYTES as u32)
        .keep_alive_interval(HEAD_TIMEOUT);
    builder
}

/// The stack, with the peer's address on each request.
fn service(
    stack: &Stack,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = http::Response<super::body::Body>,
    Error = Infallible,
    Future: Send,
> + Clone
+ use<> {
    let stack = stack.clone();
    hyper::service::service_fn(move |request: Request<Incoming>| {
        let stack = stack.clone();
        let mut request = request.map(|body| body.map_err(BodyError::new).boxed_unsync());
        request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
        stack.oneshot(request)
    })
}
