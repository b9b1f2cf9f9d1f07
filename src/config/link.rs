//! The way of one signal to the collector: where it goes, who is believed to be the collector, and
//! what this process shows of itself.
//!
//! The variables are OpenTelemetry's own, the general ones and those of one signal, which win. The
//! exporters read endpoint, headers and compression themselves, but no certificate; and they would
//! send a token in the clear without a word.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::identity::{Identity, Pair, certificates};
use super::{Environment, forms};
use crate::domain::Secret;

const PREFIX: &str = "OTEL_EXPORTER_OTLP_";
const HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
const HEADERS_FILE: &str = "OTEL_EXPORTER_OTLP_HEADERS_FILE";
const TIMEOUT_DEFAULT_MS: usize = 10_000;
/// Nothing waits longer than this for an answer.
const TIMEOUT_MAX_MS: usize = 600_000;

/// Certificates and a key, each as the PEM text of its file.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// The authorities that are trusted instead of the system's.
    pub ca: Option<Arc<[u8]>>,
    /// The client's certificate with its key.
    pub identity: Option<Arc<Identity>>,
}

/// The way of one signal.
#[derive(Debug, Clone)]
pub struct Link {
    /// Whether the endpoint is `https://`.
    pub is_https: bool,
    /// What holds when it is.
    pub tls: Tls,
    /// How long an attempt may take.
    pub timeout: Duration,
    /// `OTEL_EXPORTER_OTLP_HEADERS_FILE`, which no exporter reads.
    pub headers: Option<Secret<String>>,
}

impl Default for Link {
    fn default() -> Self {
        let timeout = Duration::from_millis(TIMEOUT_DEFAULT_MS as u64);
        Self { is_https: false, tls: Tls::default(), timeout, headers: None }
    }
}

/// Where a signal goes: the variable that says so, and its value.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) variable: String,
    pub(super) endpoint: String,
}

impl Place {
    fn is_https(&self) -> bool {
        self.endpoint.starts_with("https://")
    }

    /// Whether others can read what is sent there: plain http to another host than this one.
    fn is_public(&self) -> bool {
        let Ok(uri) = self.endpoint.parse::<http::Uri>() else { return true };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let is_loopback =
            host == "localhost" || host.parse().is_ok_and(|it: IpAddr| it.is_loopback());
        !self.is_https() && !is_loopback
    }
}

/// What there is to tell people of all ways together.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// Variables by which telemetry travels in the clear to another host.
    pub unencrypted: Vec<String>,
    /// Variables of certificates and keys, with the files that they name.
    pub(super) files: Vec<(String, String)>,
    /// Whether there are headers for all signals.
    pub(super) has_headers: bool,
}

/// What is general: read once, so that what is wrong with it is told once.
pub(super) struct Links {
    tls: Tls,
    timeout_ms: usize,
    headers: Option<Secret<String>>,
    is_insecure: bool,
    /// Variables of certificates that are set, with their values.
    files: Vec<(String, String)>,
    any_https: bool,
    any_place: bool,
    /// Variables by which telemetry travels in the clear.
    unencrypted: BTreeSet<String>,
    /// Variables whose credentials would, by an endpoint's variable.
    exposed: BTreeSet<(String, String)>,
}

impl Links {
    pub(super) fn read(env: &mut Environment) -> Self {
        let mut files = Vec::new();
        Self {
            tls: tls(env, PREFIX, &mut files),
            timeout_ms: env.number(
                "OTEL_EXPORTER_OTLP_TIMEOUT",
                TIMEOUT_DEFAULT_MS,
                TIMEOUT_MAX_MS,
            ),
            headers: headers_of_file(env),
            is_insecure: env.boolean("OTEL_EXPORTER_OTLP_INSECURE", false),
            files,
            any_https: false,
            any_place: false,
            unencrypted: BTreeSet::new(),
            exposed: BTreeSet::new(),
        }
    }

    /// The way of a signal that goes to this place, or nowhere.
    pub(super) fn of(
        &mut self,
        env: &mut Environment,
        signal: &str,
        place: Option<&Place>,
    ) -> Link {
        let prefix = format!("{PREFIX}{signal}_");
        let own = tls(env, &prefix, &mut self.files);
        let name = format!("{prefix}TIMEOUT");
        let timeout_ms = env.number(&name, self.timeout_ms, TIMEOUT_MAX_MS);
        let is_insecure = env.boolean(&format!("{prefix}INSECURE"), self.is_insecure);
        if let Some(place) = place {
            self.any_place = true;
            self.any_https |= place.is_https();
            if place.is_public() {
                self.unencrypted.insert(place.variable.clone());
                let exposed = self.credentials(env, &prefix).filter(|_| !is_insecure);
                self.exposed.extend(exposed.map(|name| (name, place.variable.clone())));
            }
        }
        Link {
            is_https: place.is_some_and(Place::is_https),
            tls: Tls {
                ca: own.ca.or_else(|| self.tls.ca.clone()),
                identity: own.identity.or_else(|| self.tls.identity.clone()),
            },
            timeout: Duration::from_millis(timeout_ms as u64),
            headers: self.headers.clone(),
        }
    }

    /// Tells what is wrong with all of them together.
    pub(super) fn finish(self, env: &mut Environment) -> Summary {
        if let Some((name, _)) = self.files.first()
            && self.any_place
            && !self.any_https
        {
            env.problem(name, "is set, but no OTLP endpoint is https://");
        }
        for (headers, endpoint) in &self.exposed {
            let reason = format!(
                "holds credentials, which {endpoint} would show to everybody on the way: use \
                 https://, or say OTEL_EXPORTER_OTLP_INSECURE=true"
            );
            env.problem(headers, reason);
        }
        let has_headers = env.any(&[HEADERS, HEADERS_FILE]);
        let unencrypted = self.unencrypted.into_iter().collect();
        Summary { unencrypted, files: self.files, has_headers }
    }

    /// The variable of the signal's headers, if a name among them is one of credentials.
    fn credentials(&self, env: &Environment, prefix: &str) -> Option<String> {
        let own = format!("{prefix}HEADERS");
        let name = if env.any(&[&own]) { own } else { HEADERS.to_owned() };
        let of_file = self.headers.as_ref().map(|secret| secret.expose().as_str());
        if of_file.is_some_and(holds_credentials) {
            return Some(HEADERS_FILE.to_owned());
        }
        env.text(&name).is_some_and(|text| holds_credentials(&text)).then_some(name)
    }
}

fn holds_credentials(headers: &str) -> bool {
    const ENDINGS: [&str; 6] = ["authorization", "cookie", "key", "token", "secret", "password"];
    let names = headers.split(',').filter_map(|pair| pair.split_once('='));
    let mut names = names.map(|(name, _)| name.trim().to_ascii_lowercase());
    names.any(|name| ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

fn headers_of_file(env: &mut Environment) -> Option<Secret<String>> {
    if !env.any(&[HEADERS_FILE]) {
        return None;
    }
    let headers = env.secret(HEADERS)?;
    match forms::headers(headers.expose()) {
        Ok(()) => Some(headers),
        Err(reason) => {
            env.problem(HEADERS_FILE, reason);
            None
        }
    }
}

/// Reads the files that the variables with this prefix name, and notes which are set.
fn tls(env: &mut Environment, prefix: &str, set: &mut Vec<(String, String)>) -> Tls {
    let names = ["CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"];
    let [ca, certificate, key] = names.map(|name| format!("{prefix}{name}"));
    let named = |name: &String| Some((name.clone(), env.text(name)?));
    set.extend([&ca, &certificate, &key].into_iter().filter_map(named));
    Tls { ca: authorities(env, &ca), identity: Pair { certificate, key }.identity(env) }
}

fn authorities(env: &mut Environment, name: &str) -> Option<Arc<[u8]>> {
    let path = env.text(name)?;
    let read = forms::pem(&path).and_then(|pem| roots_of(&pem).map(|_| Arc::from(pem.as_slice())));
    read.map_err(|reason| env.problem(name, reason)).ok()
}

/// The authorities of a PEM text; each must be one.
fn roots_of(pem: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem)? {
        roots.add(certificate).map_err(|error| format!("holds no usable authority: {error}"))?;
    }
    Ok(roots)
}

impl Tls {
    /// The same for a client of rustls, with the given authorities unless there are own ones. TLS
    /// 1.2 is the least.
    pub fn client(
        &self,
        system: impl FnOnce() -> Result<RootCertStore, String>,
    ) -> Result<ClientConfig, String> {
        let roots = match &self.ca {
            Some(pem) => roots_of(pem)?,
            None => system()?,
        };
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots);
        match self.identity.as_ref().and_then(|identity| identity.parts()) {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key),
            None => return Ok(builder.with_no_client_auth()),
        }
        .map_err(|error| error.to_string())
    }
}
