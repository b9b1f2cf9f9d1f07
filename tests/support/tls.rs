//! A TLS proxy in front of a service, with a certificate that was just made.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{free_port, inherited, script};

/// The proxy; it ends when it is dropped.
pub(crate) struct TlsProxy {
    port: u16,
    folder: TempDir,
    runtime: Option<Runtime>,
}

impl TlsProxy {
    /// Listens on a port of its own and passes what it decrypts on to another.
    pub(crate) fn to(port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        make_certificate(folder.path());
        let acceptor = TlsAcceptor::from(Arc::new(config(folder.path())));
        let (own, inner) = (free_port(), SocketAddr::from(([127, 0, 0, 1], port)));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", own))).unwrap();
        runtime.spawn(async move {
            while let Ok((outer, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who does not trust the certificate hangs up in the middle.
                    let Ok(mut outer) = acceptor.accept(outer).await else { return };
                    let Ok(mut inner) = TcpStream::connect(inner).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
                });
            }
        });
        Self { port: own, folder, runtime: Some(runtime) }
    }

    pub(crate) fn address(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// The certificate, for who is to trust it.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }
}

impl Drop for TlsProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn config(folder: &Path) -> ServerConfig {
    let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).unwrap();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// Makes a key and a certificate of 127.0.0.1, good for a day.
fn make_certificate(folder: &Path) {
    let mut command = Command::new(openssl());
    command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-nodes", "-days", "1", "-subj", "/CN=test", "-keyout", "key.pem"]);
    command.args(["-out", "certificate.pem", "-addext", "subjectAltName=IP:127.0.0.1"]);
    // It is its own authority, and no authority for others.
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.current_dir(folder).env_clear().envs(inherited()).stdin(Stdio::null());
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl made no certificate: {error}");
}

/// The host's openssl, or Debian's in the cache.
pub(super) fn openssl() -> PathBuf {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&paths).map(|folder| folder.join("openssl"));
    found.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
        let mut command = Command::new(script("debian-packages.sh"));
        let output = command.arg("openssl").env_clear().envs(inherited()).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "openssl cannot be had: {error}");
        Path::new(String::from_utf8(output.stdout).unwrap().trim()).join("usr/bin/openssl")
    })
}
