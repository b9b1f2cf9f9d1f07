//! Private keys in PEM: header and body go, certificates and public keys stay.

use memchr::{memchr3, memmem};

use super::rules::Rule;
use super::value::{backslashes_before, is_space};

/// What stands in place of a private key.
const PRIVATE_KEY_MASK: &str = "*** PRIVATE KEY ***";

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const LABEL: &[u8] = b"PRIVATE KEY";

/// The longest label in use (`ENCRYPTED PRIVATE KEY`, `PGP PRIVATE KEY BLOCK`) has half of this.
const MAX_LABEL_BYTES: usize = 48;

/// Between two lines of a key in a list: a comma, blanks, an escaped end of line.
const MAX_SEPARATOR_BYTES: usize = 64;

/// More backslashes than any nesting of JSON that still has a reader puts before a quote.
const MAX_ESCAPES: usize = 16;

/// A line of a key has 64 or 76 characters; one of its headers can be longer.
const MAX_LINE_BYTES: usize = 160;

/// Masks all private keys of a text; `None` when it has none.
pub(super) fn redact(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut output = String::new();
    let mut copied = 0;
    let mut from = 0;
    let finder = memmem::Finder::new(BEGIN);
    let mut ends = EndLines::default();
    while let Some(at) = finder.find(&bytes[from..]).map(|at| from + at) {
        from = at + BEGIN.len();
        let Some(header_end) = private_label_end(bytes, from) else { continue };
        let end = body_end(bytes, header_end, ends.next(bytes, header_end));
        output.push_str(&text[copied..at]);
        output.push_str(PRIVATE_KEY_MASK);
        copied = end;
        from = end;
        Rule::PrivateKey.count();
    }
    if copied == 0 {
        return None;
    }
    output.push_str(&text[copied..]);
    Some(output)
}

/// The end of a label of a private key and its dashes, if one starts at `from`.
fn private_label_end(bytes: &[u8], from: usize) -> Option<usize> {
    let limit = bytes.len().min(from + MAX_LABEL_BYTES);
    let part_of_label = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ');
    let len = bytes[from..limit].iter().take_while(|byte| part_of_label(byte)).count();
    memmem::find(&bytes[from..from + len], LABEL)?;
    let dashes = bytes[from + len..].iter().take(5).take_while(|byte| **byte == b'-').count();
    Some(from + len + dashes)
}

/// Finds END lines and remembers the last one, so that many headers search the text only once.
#[derive(Default)]
struct EndLines {
    searched: usize,
    found: Option<(usize, usize)>,
}

impl EndLines {
    /// The end of the first END line of a private key that starts at or after `from`.
    fn next(&mut self, bytes: &[u8], from: usize) -> Option<usize> {
        if let Some((start, end)) = self.found
            && start >= from
        {
            return Some(end);
        }
        let from = from.max(self.searched);
        self.found = memmem::find_iter(&bytes[from..], END).find_map(|found| {
            let start = from + found;
            Some((start, private_label_end(bytes, start + END.len())?))
        });
        self.searched = self.found.map_or(bytes.len(), |(start, _)| start);
        self.found.map(|(_, end)| end)
    }
}

/// Where the body ends: behind the END line, before the end of the string that holds the key, or
/// with the text. A key cut off is a key all the same.
fn body_end(bytes: &[u8], header_end: usize, end_line: Option<usize>) -> usize {
    let mut at = header_end;
    let limit = end_line.unwrap_or(bytes.len());
    while let Some(found) = memchr3(b'"', b'\'', b'`', &bytes[at..limit]) {
        let quote = at + found;
        match next_line_of_list(bytes, quote) {
            Some(line) => at = line,
            None => return quote - backslashes_before(bytes, quote, at),
        }
    }
    limit
}

/// The lines of a key may be the strings of a list: the start of the next one behind a quote.
fn next_line_of_list(bytes: &[u8], quote: usize) -> Option<usize> {
    let limit = bytes.len().min(quote + 1 + MAX_SEPARATOR_BYTES);
    let separator = |byte: &u8| is_space(*byte) || matches!(byte, b',' | b'+' | b'\\' | b'n');
    let len = bytes[quote + 1..limit].iter().take_while(|byte| separator(byte)).count();
    let line = quote + 1 + len + 1;
    let escapes = |at: usize| backslashes_before(bytes, at, at.saturating_sub(MAX_ESCAPES));
    if bytes.get(line - 1) != Some(&bytes[quote]) || escapes(line - 1) != escapes(quote) {
        return None;
    }
    let limit = bytes.len().min(line + MAX_LINE_BYTES);
    let part_of_line = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'+' | b'/' | b'=' | b'-' | b' ' | b':' | b',' | b'\\')
    };
    let len = bytes.get(line..limit)?.iter().take_while(|byte| part_of_line(byte)).count();
    let close = line + len;
    let closed = |byte: &u8| *byte == bytes[quote] && escapes(close) == escapes(quote);
    if !bytes.get(close).is_none_or(closed) {
        return None;
    }
    // What a colon follows is the next key of an object and no line.
    let after = bytes.get(close + 1..)?.iter().find(|byte| !is_space(**byte));
    (after != Some(&b':')).then_some(line)
}

/// Tells whether a text ends within a private key.
pub(super) fn is_open(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_private = |at: &usize| private_label_end(bytes, at + BEGIN.len()).is_some();
    let Some(begin) = memmem::rfind(bytes, BEGIN).filter(is_private) else { return false };
    find_end(&text[begin..]).is_none()
}

/// Where the first END line of a private key starts.
pub(super) fn find_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_private = |at: &usize| private_label_end(bytes, at + END.len()).is_some();
    memmem::find_iter(bytes, END).find(is_private)
}

/// Where the END line ends that a text starts with.
pub(super) fn end_of_key(text: &str) -> Option<usize> {
    if !text.as_bytes().starts_with(END) {
        return None;
    }
    private_label_end(text.as_bytes(), END.len())
}
