//! How a list is set up: its name, and where it is had from.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use crate::domain::Secret;

/// Names are labels of metrics and words on a page.
const NAME_CHARS_MAX: usize = 40;
/// No vendor's address is longer.
const SOURCE_CHARS_MAX: usize = 2000;
/// A part of a path that is as long as this and has digits is more likely a key than a name.
const KEY_CHARS_MIN: usize = 20;

/// The name of a list: lower-case letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlocklistName(String);

/// Why a text is not a list's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {NAME_CHARS_MAX} lower-case letters, digits and hyphens, a letter first")]
pub struct NameError;

impl FromStr for BlocklistName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = text.len() <= NAME_CHARS_MAX
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && text.bytes().all(fits);
        if is_name { Ok(Self(text.to_owned())) } else { Err(NameError) }
    }
}

impl fmt::Display for BlocklistName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Where a list is had from. An address may hold a key, so it is shown masked only.
#[derive(Clone, Debug)]
pub enum BlocklistSource {
    /// From a server.
    Url(Secret<String>),
    /// From a file.
    File(PathBuf),
}

/// Why a text is no source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// Neither an address nor a path.
    #[error("must be an https:// or http:// address, or the absolute path of a file")]
    Neither,
    /// The address is broken.
    #[error("is not a usable address")]
    BadUrl,
    /// Too long.
    #[error("has more than {SOURCE_CHARS_MAX} characters")]
    TooLong,
    /// A path that could mislead.
    #[error("is not a usable path: it has .. or characters that cannot be shown")]
    BadPath,
}

impl FromStr for BlocklistSource {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let text = text.trim();
        if text.chars().count() > SOURCE_CHARS_MAX {
            return Err(SourceError::TooLong);
        }
        if text.starts_with('/') {
            let path = PathBuf::from(text);
            let is_plain = !text.chars().any(char::is_control)
                && !path.components().any(|part| part == std::path::Component::ParentDir);
            return if is_plain { Ok(Self::File(path)) } else { Err(SourceError::BadPath) };
        }
        let lower = text.to_ascii_lowercase();
        if !lower.starts_with("https://") && !lower.starts_with("http://") {
            return Err(SourceError::Neither);
        }
        let url = Url::parse(text).map_err(|_| SourceError::BadUrl)?;
        match url.host_str() {
            Some(host) if !host.is_empty() => Ok(Self::Url(Secret::new(url.to_string()))),
            _ => Err(SourceError::BadUrl),
        }
    }
}

impl BlocklistSource {
    /// The whole text, for the store.
    pub fn secret_text(&self) -> Secret<String> {
        match self {
            Self::Url(url) => url.clone(),
            Self::File(path) => Secret::new(path.display().to_string()),
        }
    }

    /// What may be shown of it.
    pub fn shown(&self) -> String {
        match self {
            Self::Url(url) => mask(url.expose()),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// An address without what may be a key: credentials, query, and long parts of the path.
pub fn mask(text: &str) -> String {
    let Ok(url) = Url::parse(text) else { return "***".to_owned() };
    let is_key = |part: &&str| part.len() >= KEY_CHARS_MIN && part.bytes().any(is_digit);
    let mut shown = format!("{}://", url.scheme());
    if !url.username().is_empty() || url.password().is_some() {
        shown.push_str("***@");
    }
    shown.push_str(url.host_str().unwrap_or_default());
    if let Some(port) = url.port() {
        shown.push_str(&format!(":{port}"));
    }
    for part in url.path().split('/').skip(1) {
        shown.push('/');
        shown.push_str(if is_key(&part) { "***" } else { part });
    }
    if url.query().is_some() {
        shown.push_str("?***");
    }
    shown
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit()
}
