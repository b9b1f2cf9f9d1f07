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
    cause: Cause,
}

impl<'a> Transport<'a> {
    pub(super) fn new(protocol: Protocol, link: &'a Link) -> Self {
        Self { protocol, link, cause: Cause::default() }
    }

    pub(super) fn explain(&self) -> Explain {
        let is_anonymous = self.link.is_https && self.link.tls.identity.is_none();
        Explain { cause: self.cause.clone(), is_anonymous }
    }

    /// TLS for gRPC; nothing when the endpoint has none.
    pub(super) fn grpc_tls(&self) -> Result<Option<ClientTlsConfig>, super::Error> {
        if !self.link.is_https {
            return Ok(None);
        }
        let tls = &self.link.tls;
        let config = match &tls.ca {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => {
                // It loads them itself, and would say less about their absence.
                system_roots().map_err(super::Error::Tls)?;
                ClientTlsConfig::new().with_native_roots()
            }
        };
        Ok(Some(match &tls.identity {
            Some(own) => config.identity(Identity::from_pem(&own.certificate, own.key.expose())),
            None => config,
        }))
    }

    /// The client of OTLP over HTTP. Must be called within the exporters' runtime.
    pub(super) fn http_client(&self) -> Result<Sender, super::Error> {
        // In the clear, nobody is asked who they are.
        let system = || match self.link.is_https {
            true => system_roots(),
            false => Ok(RootCertStore::empty()),
        };
        let tls = self.link.tls.client(system).map_err(super::Error::Tls)?;
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

/// The authorities of the system. Without any, every certificate would be refused.
fn system_roots() -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    match roots.is_empty() {
        true => Err("the system trusts no authority; install its ca-certificates, or set \
                     OTEL_EXPORTER_OTLP_CERTIFICATE"
            .into()),
        false => Ok(roots),
    }
}

/// Tells more of a failure than the exporters do.
#[derive(Debug, Clone)]
pub(super) struct Explain {
    cause: Cause,
    /// TLS without a certificate of the client.
    is_anonymous: bool,
}

impl Explain {
    /// Adds why an attempt got no answer, which the exporters of HTTP leave out. A server that
    /// misses a client's certificate says so after the handshake, and hangs up; who was about to
    /// write sees no more than that.
    pub(super) fn result(&self, result: OTelSdkResult) -> OTelSdkResult {
        const HUNG_UP: [&str; 4] =
            ["broken pipe", "reset by peer", "connection closed", "CertificateRequired"];
        let Err(OTelSdkError::InternalFailure(mut text)) = result else { return result };
        if let Some(cause) = self.cause.get() {
            text = format!("{text}: {cause}");
        }
        if self.is_anonymous && HUNG_UP.iter().any(|it| text.contains(it)) {
            text.push_str(" (does the collector ask for a client certificate?)");
        }
        Err(OTelSdkError::InternalFailure(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Secret;

    #[test]
    fn a_file_of_headers_is_decoded_and_its_values_stay_hidden() {
        let text = "Authorization=Bearer%20hunter2,x-scope=a=b".to_owned();
        let link = Link { headers: Some(Secret::new(text)), ..Link::default() };
        let transport = Transport::new(Protocol::Grpc, &link);
        let pairs = [("authorization", "Bearer hunter2"), ("x-scope", "a=b")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(transport.http_headers(), HashMap::from(pairs));
        let metadata = transport.grpc_headers();
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer hunter2");
        assert!(!format!("{metadata:?} {transport:?}").contains("hunter2"));
    }

    #[test]
    fn a_failure_is_told_with_its_cause_and_a_hint_where_one_helps() {
        let failed = |text: &str| Err(OTelSdkError::InternalFailure(text.into()));
        let told = |explain: &Explain, text: &str| match explain.result(failed(text)) {
            Err(OTelSdkError::InternalFailure(text)) => text,
            other => panic!("{other:?}"),
        };
        let plain = Transport::new(Protocol::Grpc, &Link::default()).explain();
        assert_eq!(told(&plain, "a broken pipe"), "a broken pipe");
        assert!(plain.result(Ok(())).is_ok());
        let link = Link { is_https: true, ..Link::default() };
        let anonymous = Transport::new(Protocol::Grpc, &link).explain();
        assert_eq!(told(&anonymous, "status 401"), "status 401");
        assert!(told(&anonymous, "a broken pipe").contains("client certificate"));
    }
}
