//! When the certificates expire that the service shows: the moment itself, so that whoever asks can
//! subtract the time of asking.

use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;

use super::definition::Definition;

const NOT_AFTER: Definition = Definition::gauge(
    "bangui.tls.certificate.not_after",
    "s",
    "When the first certificate of a chain expires, in seconds since 1970, by where the chain is \
     shown; absent where none is.",
)
.with(&["bangui.tls.certificate.role"], 2);

pub(super) const DEFINITIONS: &[&Definition] = &[&NOT_AFTER];

/// Where a certificate is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// To those who come to the service's own port.
    Server,
    /// To the collector.
    OtlpClient,
}

impl Certificate {
    const ALL: [Self; 2] = [Self::Server, Self::OtlpClient];

    fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::OtlpClient => "otlp_client",
        }
    }
}

/// A certificate that is not there.
const ABSENT: u64 = u64::MAX;

static UNIX_SECONDS: [AtomicU64; Certificate::ALL.len()] =
    [const { AtomicU64::new(ABSENT) }; Certificate::ALL.len()];

pub(super) fn install(meter: &Meter) {
    NOT_AFTER.observe(meter, |observer| {
        for certificate in Certificate::ALL {
            let seconds = UNIX_SECONDS[certificate as usize].load(Ordering::Relaxed);
            if seconds != ABSENT {
                let role = KeyValue::new("bangui.tls.certificate.role", certificate.as_str());
                observer.observe(seconds, &[role]);
            }
        }
    });
}

/// A chain is shown from now on whose first certificate expires at this moment.
pub fn set_certificate_not_after(certificate: Certificate, unix_seconds: u64) {
    UNIX_SECONDS[certificate as usize].store(unix_seconds, Ordering::Relaxed);
}
