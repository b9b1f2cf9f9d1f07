//! Passwords: Argon2id with the parameters that OWASP recommends (19 MiB, two passes), off the
//! threads that serve requests.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use tokio::sync::Semaphore;

use crate::domain::Secret;

/// Each hash takes a core and 19 MiB for a while: a flood of sign-ins must not take them all.
const PARALLEL_MAX: usize = 2;
/// How long a sign-in waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a password could not be hashed or verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many sign-ins at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// The hashing itself failed.
    #[error("hashing failed: {0}")]
    Hashing(String),
}

/// Hashes and verifies passwords, a few at a time.
#[derive(Debug, Clone)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
    /// A hash that no password fits: an unknown name must take as long as a wrong password.
    decoy: Arc<str>,
}

impl Passwords {
    /// Prepares the decoy, which costs one hash.
    pub(super) fn new() -> Result<Self, Error> {
        let unknowable = getrandom::u64().map_err(|error| Error::Hashing(error.to_string()))?;
        let decoy = hash(&unknowable.to_be_bytes())?.into();
        Ok(Self { turns: Arc::new(Semaphore::new(PARALLEL_MAX)), decoy })
    }

    /// The PHC string of a password.
    pub(super) async fn hash(&self, password: Secret<String>) -> Result<String, Error> {
        self.in_turn(move || hash(password.expose().as_bytes())).await?
    }

    /// Whether the password fits the hash; without a hash, no password does, just as slowly.
    pub(super) async fn verify(
        &self,
        password: Secret<String>,
        expected: Option<Secret<String>>,
    ) -> Result<bool, Error> {
        let decoy = self.decoy.clone();
        self.in_turn(move || {
            let is_known = expected.is_some();
            let phc = expected.as_ref().map_or(&*decoy, |hash| hash.expose());
            let fits = PasswordHash::new(phc).is_ok_and(|phc| {
                Argon2::default().verify_password(password.expose().as_bytes(), &phc).is_ok()
            });
            fits && is_known
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let turn = self.turns.clone().acquire_owned();
        let permit = tokio::time::timeout(TURN_TIMEOUT, turn)
            .await
            .map_err(|_| Error::Busy)?
            .map_err(|_| Error::Busy)?;
        tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::Hashing(error.to_string()))
    }
}

fn hash(password: &[u8]) -> Result<String, Error> {
    Argon2::default()
        .hash_password(password)
        .map(|phc| phc.to_string())
        .map_err(|error| Error::Hashing(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_and_no_password_fits_nobody() {
        let passwords = Passwords::new().unwrap();
        let secret = |text: &str| Secret::new(text.to_owned());
        let phc = passwords.hash(secret("correct horse")).await.unwrap();
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
        assert!(passwords.verify(secret("correct horse"), Some(secret(&phc))).await.unwrap());
        assert!(!passwords.verify(secret("wrong horse"), Some(secret(&phc))).await.unwrap());
        assert!(!passwords.verify(secret("correct horse"), None).await.unwrap());
        assert!(!passwords.verify(secret("x"), Some(secret("garbage"))).await.unwrap());
    }
}
