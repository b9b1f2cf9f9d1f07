//! A certificate with its key, as one side of TLS shows it: out of two PEM files, checked to belong
//! together, and how long it is good.

use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring::sign::any_supported_type;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SigningKey};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode as _;
use zeroize::Zeroizing;

use super::{Environment, Problem, forms};
use crate::domain::Secret;

/// What one side shows of itself.
#[derive(Debug)]
pub struct Identity {
    /// The certificate, and those between it and its authority, as PEM.
    pub certificate: Vec<u8>,
    /// The certificate's key, as PEM.
    pub key: Secret<Vec<u8>>,
    /// When the first of the certificates expires, in seconds since 1970.
    pub not_after_unix_seconds: u64,
}

/// Two variables that name the files of a pair, or the files themselves.
#[derive(Debug, Clone)]
pub(super) struct Pair<T> {
    pub(super) certificate: T,
    pub(super) key: T,
}

impl Pair<String> {
    /// The files that the variables name, if both do; one alone is a problem.
    pub(super) fn files(&self, env: &mut Environment) -> Option<Self> {
        let (missing, other) = match (env.text(&self.certificate), env.text(&self.key)) {
            (Some(certificate), Some(key)) => return Some(Self { certificate, key }),
            (None, None) => return None,
            (Some(_), None) => (&self.key, &self.certificate),
            (None, Some(_)) => (&self.certificate, &self.key),
        };
        env.problem(missing, format!("is needed beside {other}; set both or neither"));
        None
    }

    /// The identity that the variables name; what is wrong with it is noted.
    pub(super) fn identity(&self, env: &mut Environment) -> Option<Arc<Identity>> {
        let files = self.files(env)?;
        match Identity::read(&files, self) {
            Ok(identity) => Some(Arc::new(identity)),
            Err(problems) => {
                problems.into_iter().for_each(|it| env.problem(&it.name, it.reason));
                None
            }
        }
    }
}

impl Identity {
    /// Reads both files. What is wrong is told by the variables' names and shows nothing of a key.
    pub(super) fn read(
        files: &Pair<String>,
        variables: &Pair<String>,
    ) -> Result<Self, Vec<Problem>> {
        let problem = |name: &String, reason| Problem { name: name.clone(), reason };
        let shown = forms::pem(&files.certificate).and_then(|pem| {
            let not_after = not_after_unix_seconds(&certificates(&pem)?)?;
            Ok((pem.to_vec(), not_after))
        });
        let kept = forms::pem(&files.key).and_then(|pem| signing_key(&pem).map(|_| pem));
        let ((certificate, not_after_unix_seconds), kept) = match (shown, kept) {
            (Ok(shown), Ok(kept)) => (shown, kept),
            (shown, kept) => {
                let of_certificate = shown.err().map(|it| problem(&variables.certificate, it));
                let of_key = kept.err().map(|it| problem(&variables.key, it));
                return Err(of_certificate.into_iter().chain(of_key).collect());
            }
        };
        let key = Secret::new(kept.to_vec());
        let own = Self { certificate, key, not_after_unix_seconds };
        match own.certified() {
            Ok(_) => Ok(own),
            Err(_) => {
                let reason = format!("is not the key of {}", variables.certificate);
                Err(vec![problem(&variables.key, reason)])
            }
        }
    }

    /// The chain and the key, for a client of rustls.
    pub(super) fn parts(&self) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let key = PrivateKeyDer::from_pem_slice(self.key.expose()).ok()?;
        Some((certificates(&self.certificate).ok()?, key))
    }

    /// The chain with a key that can sign, for a server of rustls; an error if they do not belong
    /// together.
    pub fn certified(&self) -> Result<CertifiedKey, String> {
        let chain = certificates(&self.certificate)?;
        let certified = CertifiedKey::new(chain, signing_key(self.key.expose())?);
        certified.keys_match().map_err(|error| error.to_string())?;
        Ok(certified)
    }
}

/// The key of a PEM text; its bytes are overwritten when they have been read.
fn signing_key(pem: &[u8]) -> Result<Arc<dyn SigningKey>, String> {
    let unusable = || "holds no private key without a passphrase".to_owned();
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unusable())?;
    let key = Zeroizing::new(key);
    any_supported_type(&key).map_err(|_| "holds a private key of an unknown kind".to_owned())
}

/// The certificates of a PEM text, of which there must be one.
pub(super) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match read {
        Ok(read) if !read.is_empty() => Ok(read),
        Ok(_) => Err("holds no certificate".into()),
        Err(_) => Err("holds a certificate that is no valid PEM".into()),
    }
}

/// A chain is as good as the first of it to expire.
fn not_after_unix_seconds(chain: &[CertificateDer<'_>]) -> Result<u64, String> {
    let not_after = |der: &CertificateDer<'_>| {
        // Only the date is of interest, so the rules on serial numbers and the like are left out.
        let certificate = CertificateInner::<Raw>::from_der(der.as_ref()).ok()?;
        let not_after = certificate.tbs_certificate().validity().not_after;
        Some(not_after.to_unix_duration().as_secs())
    };
    let dates: Option<Vec<u64>> = chain.iter().map(not_after).collect();
    let earliest = dates.and_then(|dates| dates.into_iter().min());
    earliest.ok_or_else(|| "holds a certificate that cannot be read".to_owned())
}
