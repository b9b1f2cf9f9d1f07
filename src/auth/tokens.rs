//! Tokens: how they are made, and how they are remembered without being kept.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::domain::Secret;

/// 256 bits: a token cannot be guessed.
const TOKEN_BYTES: usize = 32;
/// Tokens remembered at once. When it is full it is emptied: a caller's trace is then linked to
/// instead of continued, once.
const KNOWN_MAX: usize = 1000;

/// SHA-256 of a token. Comparing hashes leaks nothing of the token through time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    pub(crate) fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The first 16 hexadecimal digits, for the log.
    pub(super) fn short(&self) -> String {
        self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A new random token, as text for a cookie.
pub(super) fn random() -> Result<Secret<String>, String> {
    let mut bytes = Zeroizing::new([0_u8; TOKEN_BYTES]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| format!("no random numbers: {error}"))?;
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}

/// Tokens that were valid when last seen.
#[derive(Debug, Default)]
pub(super) struct KnownTokens(Mutex<HashSet<TokenHash>>);

impl KnownTokens {
    pub(super) fn remember(&self, hash: TokenHash) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(hash);
    }

    pub(super) fn forget(&self, hash: &TokenHash) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(hash);
    }

    pub(super) fn contains(&self, hash: &TokenHash) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(hash)
    }
}
