//! A client of the port's own TLS: it trusts the authorities that it is told, chooses the protocol,
//! and knows which certificate it was shown.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::{Answer, SOON};

/// Who connects.
pub(crate) struct Https {
    runtime: Runtime,
    port: u16,
    roots: RootCertStore,
}

/// One connection.
pub(crate) struct Connection<'a> {
    client: &'a Https,
    sender: Sender,
    /// The certificate that the server showed.
    pub(crate) certificate: Vec<u8>,
    /// What was agreed on, as `TLSv1_3`.
    pub(crate) version: String,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Https {
    pub(crate) fn to(port: u16, authorities: &[PathBuf]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        }
        Self { runtime, port, roots }
    }

    /// Connects for `h2` or `http/1.1`; fails with what went wrong.
    pub(crate) fn connect(&self, protocol: &str) -> Result<Connection<'_>, String> {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let connecting = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(text)?;
            let name = ServerName::try_from("localhost").unwrap();
            let connector = TlsConnector::from(Arc::new(config));
            let stream = connector.connect(name, stream).await.map_err(text)?;
            let session = stream.get_ref().1;
            assert_eq!(session.alpn_protocol(), Some(protocol.as_bytes()));
            let certificate = session.peer_certificates().unwrap()[0].to_vec();
            let version = format!("{:?}", session.protocol_version().unwrap());
            let io = TokioIo::new(stream);
            let sender = if protocol == "h2" {
                let begun = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, connection) = begun.map_err(text)?;
                tokio::spawn(connection);
                Sender::Http2(sender)
            } else {
                let (sender, connection) = http1::handshake(io).await.map_err(text)?;
                tokio::spawn(connection);
                Sender::Http1(sender)
            };
            Ok(Connection { client: self, sender, certificate, version })
        };
        self.runtime.block_on(async { timeout(SOON, connecting).await.map_err(text)? })
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Connection<'_> {
    /// Sends a request with these headers, and a JSON body if there is one.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Answer, String> {
        let uri = match &self.sender {
            Sender::Http1(_) => path.to_owned(),
            Sender::Http2(_) => format!("https://localhost:{}{path}", self.client.port),
        };
        let mut request = Request::builder().method(method).uri(uri);
        if matches!(self.sender, Sender::Http1(_)) {
            request = request.header("host", format!("localhost:{}", self.client.port));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(ToString::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let sender = &mut self.sender;
        let asking = async {
            let response: Response<Incoming> = match sender {
                Sender::Http1(sender) => {
                    sender.ready().await.map_err(text)?;
                    sender.send_request(request).await.map_err(text)?
                }
                Sender::Http2(sender) => sender.send_request(request).await.map_err(text)?,
            };
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(text)?.to_bytes();
            let body = String::from_utf8_lossy(&body).into_owned();
            Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        self.client.runtime.block_on(async { timeout(SOON, asking).await.map_err(text)? })
    }
}
