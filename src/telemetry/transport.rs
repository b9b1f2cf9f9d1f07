//! What the three exporters have in common: how their signal gets to the collector.

use std::collections::HashMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry_otlp::tonic_types::metadata::MetadataMap;
use opentelemetry_otlp::tonic_types::transport::{Certificate, ClientTlsConfig, Identity};
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use percent_encoding::percent_decode_str;
use tokio_rustls::rustls::RootCertStore;

use super::http_client::{Cause, Sender};
use crate::config::{Link, Protocol};

/// Where an exporter is built: a signal's protocol, its way, and why it failed last.
#[derive(Debug)]
pub(super) struct Transport<'a> {
    pub(super) protocol: Protocol,
    pub(super) link: &'a Link,
    pub(super) cause: Cause,
}

impl<'a> Transport<'a> {
    pub(super) fn new(protocol: Protocol, link: &'a Link) -> Self {
        Self { protocol, link, cause: Cause::default() }
    }

    /// TLS for gRPC; nothing when the endpoint has none.
    pub(super) fn grpc_tls(&self) -> Option<ClientTlsConfig> {
        if !self.link.is_https {
            return None;
        }
        let tls = &self.link.tls;
        let config = match &tls.ca {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        Some(match &tls.identity {
            Some(own) => config.identity(Identity::from_pem(&own.certificate, own.key.expose())),
            None => config,
        })
    }

    /// The client of OTLP over HTTP. Must be called within the exporters' runtime.
    pub(super) fn http_client(&self) -> Result<Sender, super::Error> {
        let tls = match self.link.is_https {
            true => Some(self.link.tls.client(system_roots).map_err(super::Error::Tls)?),
            false => None,
        };
        Ok(Sender::new(tls, self.link.timeout, self.cause.clone()))
    }

    /// The headers of the file of headers, whose form the settings have checked.
    fn headers(&self) -> impl Iterator<Item = (String, String)> {
        let text = self.link.headers.as_ref().map(|secret| secret.expose().as_str());
        let pairs = text.unwrap_or_default().split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8_lossy().into_owned();
            (name.to_ascii_lowercase(), value)
        })
    }

    pub(super) fn http_headers(&self) -> HashMap<String, String> {
        self.headers().collect()
    }

    pub(super) fn grpc_headers(&self) -> MetadataMap {
        let header = |(name, value): (String, String)| {
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((HeaderName::from_bytes(name.as_bytes()).ok()?, value))
        };
        MetadataMap::from_headers(self.headers().filter_map(header).collect::<HeaderMap>())
    }
}

/// The authorities of the system. Without any, every certificate is refused.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

/// Adds why an attempt got no answer, which the exporters of HTTP leave out.
pub(super) fn explained(result: OTelSdkResult, cause: &Cause) -> OTelSdkResult {
    match (result, cause.get()) {
        (Err(OTelSdkError::InternalFailure(text)), Some(cause)) => {
            Err(OTelSdkError::InternalFailure(format!("{text}: {cause}")))
        }
        (result, _) => result,
    }
}
