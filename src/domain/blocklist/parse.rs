//! Reads a list: one address or network a line, comments and further columns left out.

use super::refused::{Refusal, Refused};
use crate::domain::network::Network;

/// More entries than fail2ban and a firewall bear with.
const ENTRIES_MAX: usize = 100_000;
/// A list of entries has lines of entries.
const LINES_MAX: usize = 1_000_000;
const LINE_BYTES_MAX: usize = 1024;
/// A wider network than one of the oldest holders' is a slip: it would lock out whole continents.
const V4_PREFIX_MIN: u8 = 8;
/// The widest that a registry gives to a provider.
const V6_PREFIX_MIN: u8 = 19;
/// A list that covers more than a quarter of IPv4 is no list of attackers.
const V4_ADDRESSES_MAX: u64 = 1 << 30;
/// Fewer lines than this say nothing about what the document is.
const LINES_TO_JUDGE_MIN: u64 = 10;

/// Why a document is not taken for a list at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// A page of a web site.
    #[error("it is a web page, not a list")]
    WebPage,
    /// Something else.
    #[error("it is not a list: {unreadable} of {lines} lines are no address or network")]
    NotAList {
        /// Lines that are no entry.
        unreadable: u64,
        /// Lines that are no comment.
        lines: u64,
    },
    /// Not a text.
    #[error("it is not a text")]
    Binary,
    /// Too many lines.
    #[error("it has more than {LINES_MAX} lines")]
    TooManyLines,
    /// Too many entries.
    #[error("it has more than {ENTRIES_MAX} entries")]
    TooManyEntries,
    /// It would ban a good part of the internet.
    #[error("it covers {0} addresses of IPv4, more than a quarter of all")]
    TooWide(u64),
    /// It has nothing that may be banned, and had something before, or never had.
    #[error("it has no entry that can be banned")]
    Empty,
    /// It is much shorter than the last time, as if it had been cut off.
    #[error("it has {now} entries and had {before}: more than half are gone")]
    Shrunk {
        /// What it had when it was last imported.
        before: usize,
        /// What it has.
        now: usize,
    },
}

impl ListError {
    /// A word for metrics and spans.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::WebPage => "web_page",
            Self::NotAList { .. } => "not_a_list",
            Self::Binary => "binary",
            Self::TooManyLines | Self::TooManyEntries => "too_many",
            Self::TooWide(_) => "too_wide",
            Self::Empty => "empty",
            Self::Shrunk { .. } => "shrunk",
        }
    }
}

/// What a list says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// In order; none covers another.
    pub entries: Vec<Network>,
    /// Entries that stood there twice or lie within others.
    pub merged: u64,
    /// What cannot be banned, whoever asks.
    pub refused: Refused,
}

/// Reads a document.
pub fn parse(document: &[u8], takes_networks: bool) -> Result<Parsed, ListError> {
    let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
    if document.contains(&0) {
        return Err(ListError::Binary);
    }
    if document.trim_ascii_start().first() == Some(&b'<') {
        return Err(ListError::WebPage);
    }
    let (mut entries, mut refused, mut lines) = (Vec::new(), Refused::default(), 0_u64);
    for (index, line) in document.split(|byte| *byte == b'\n').enumerate() {
        if index == LINES_MAX {
            return Err(ListError::TooManyLines);
        }
        let Some(text) = entry(line) else { continue };
        lines += 1;
        match check(&text, line.len(), takes_networks) {
            Ok(network) => entries.push(network),
            Err(refusal) => refused.note(Some(index + 1), &text, refusal),
        }
    }
    let unreadable = refused.count(Refusal::Unreadable);
    if lines >= LINES_TO_JUDGE_MIN && unreadable * 2 > lines {
        return Err(ListError::NotAList { unreadable, lines });
    }
    let given = entries.len();
    let entries = merge(entries);
    if entries.len() > ENTRIES_MAX {
        return Err(ListError::TooManyEntries);
    }
    let covered = entries.iter().map(|network| network.v4_addresses()).sum();
    if covered > V4_ADDRESSES_MAX {
        return Err(ListError::TooWide(covered));
    }
    let merged = (given - entries.len()) as u64;
    Ok(Parsed { entries, merged, refused })
}

/// The first column of a line; nothing if the line has only a comment.
fn entry(line: &[u8]) -> Option<String> {
    let line = &line[..line.len().min(LINE_BYTES_MAX)];
    let line = String::from_utf8_lossy(line);
    let line = line.split("//").next().unwrap_or_default();
    let line = line.split(['#', ';']).next().unwrap_or_default();
    let mut columns = line.trim().split(|char: char| char == ',' || char.is_whitespace());
    let first = columns.next().unwrap_or_default().trim_matches(['"', '\'']);
    (!first.is_empty()).then(|| first.to_owned())
}

fn check(text: &str, line_bytes: usize, takes_networks: bool) -> Result<Network, Refusal> {
    if line_bytes > LINE_BYTES_MAX {
        return Err(Refusal::Unreadable);
    }
    let network: Network = text.parse().map_err(|_| Refusal::Unreadable)?;
    let prefix_min = if network.is_v4() { V4_PREFIX_MIN } else { V6_PREFIX_MIN };
    if network.prefix() < prefix_min {
        return Err(Refusal::TooWide);
    }
    if let Some(special) = network.special() {
        return Err(Refusal::Special(special));
    }
    if !network.is_single() && !takes_networks {
        return Err(Refusal::Network);
    }
    Ok(network)
}

/// Puts entries in order and leaves out those that others cover: in order, a network stands right
/// before what it covers.
fn merge(mut entries: Vec<Network>) -> Vec<Network> {
    entries.sort_unstable();
    let mut merged: Vec<Network> = Vec::with_capacity(entries.len());
    for entry in entries {
        if merged.last().is_none_or(|last| !last.covers(entry)) {
            merged.push(entry);
        }
    }
    merged
}
