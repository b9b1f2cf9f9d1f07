//! The certificate and key by which the service's own port speaks TLS.
//!
//! They are read at start, where a wrong pair is a wrong setting, and again while the service runs,
//! where it is not: a renewal that fails must not end what still works.

use std::sync::Arc;

use super::identity::{Identity, Pair};
use super::{Environment, Problem};

const CERTIFICATE: &str = "BANGUI_TLS_CERT_FILE";
const KEY: &str = "BANGUI_TLS_KEY_FILE";

/// The pair as it was at start, and where it is read again.
#[derive(Debug, Clone)]
pub struct ServedTls {
    /// The pair.
    pub identity: Arc<Identity>,
    files: Pair<String>,
}

/// The variables that name the files.
fn variables() -> Pair<String> {
    Pair { certificate: CERTIFICATE.into(), key: KEY.into() }
}

/// Whether the port is to speak TLS, be the files right or not.
pub(super) fn is_asked_for(env: &Environment) -> bool {
    env.any(&[CERTIFICATE, KEY])
}

impl ServedTls {
    pub(super) fn read(env: &mut Environment) -> Option<Self> {
        let variables = variables();
        let identity = variables.identity(env)?;
        Some(Self { identity, files: variables.files(env)? })
    }

    /// Reads the files as they are now; waits for the disk.
    pub fn read_again(&self) -> Result<Identity, String> {
        Identity::read(&self.files, &variables()).map_err(|problems| {
            let reasons: Vec<_> = problems.iter().map(Problem::to_string).collect();
            reasons.join("; ")
        })
    }

    /// The variables with what they say, for `bangui config`.
    pub(super) fn lines(&self) -> [(&'static str, &str); 2] {
        [(CERTIFICATE, &self.files.certificate), (KEY, &self.files.key)]
    }
}
