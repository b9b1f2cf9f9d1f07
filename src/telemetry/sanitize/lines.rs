//! Text that comes line by line: a private key goes on over the lines below its header.

use std::borrow::Cow;

use super::{MASK, pem, sanitize_for_logging};

/// A key of RSA with 16,384 bits has 200 lines; PGP keys can have more.
const MAX_KEY_LINES: usize = 1_000;

/// A word of base64 this long, as the last one of a line, is a line of a key behind what a logger
/// writes before it.
const MIN_BASE64_BYTES: usize = 40;

/// Headers within the armour of a key.
const HEADERS: [&str; 6] = ["Proc-Type:", "DEK-Info:", "Version:", "Comment:", "Hash:", "Charset:"];

/// Tells which lines belong to a private key whose header has passed.
#[derive(Debug, Default)]
pub(super) struct KeyLines {
    left: usize,
}

impl KeyLines {
    /// Tells whether a line is part of a key that began above and holds nothing else.
    pub(super) fn belongs(&mut self, line: &str) -> bool {
        if self.left == 0 {
            self.open(line);
            return false;
        }
        let is_end = pem::end_of_key(line.trim()).is_some_and(|end| end == line.trim().len());
        let belongs = is_end || is_body(line);
        self.left = if belongs && !is_end { self.left - 1 } else { 0 };
        if !belongs {
            self.open(line);
        }
        belongs
    }

    /// A header without its end opens a key.
    fn open(&mut self, line: &str) {
        self.left = if pem::is_open(line) { MAX_KEY_LINES } else { 0 };
    }
}

/// A line of the body, of the headers, or between them.
fn is_body(line: &str) -> bool {
    let line = line.trim();
    let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    line.bytes().all(part) || HEADERS.iter().any(|header| line.starts_with(header))
}

/// Sanitizes a text line by line and remembers whether it is within a private key, or within a
/// block of YAML whose key names a secret.
#[derive(Debug, Default)]
pub struct LineSanitizer {
    key: KeyLines,
    block: Option<Block>,
    /// The line before, if it could name what the value on the next one is.
    name: Option<String>,
}

/// A block of YAML: it goes on while its lines are indented further than its key.
#[derive(Debug)]
struct Block {
    indent: usize,
    left: usize,
}

impl Block {
    /// The block that a line opens.
    fn opened_by(line: &str) -> Option<Self> {
        let is_sign = |word: &str| matches!(word, "|" | ">" | "|-" | ">-" | "|+" | ">+");
        let key = line.trim_end();
        is_sign(key.rsplit([' ', ':']).next()?).then_some(())?;
        let indent = indent_of(line);
        // The parser of blocks decides: it is asked with a line that would belong to one.
        let probe = format!("{key}\n{}x", " ".repeat(indent + 8));
        let is_secret = matches!(sanitize_for_logging(&probe), Cow::Owned(_));
        is_secret.then_some(Self { indent, left: MAX_KEY_LINES })
    }

    fn goes_on(&mut self, line: &str) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left > 0 && (line.trim().is_empty() || indent_of(line) > self.indent)
    }
}

/// Whether a line of YAML holds a field, alone or as the first one of an item.
fn is_field(line: &str, name: &str) -> bool {
    let field = line.trim_start_matches([' ', '\t', '-']);
    field.strip_prefix(name).is_some_and(|rest| rest.starts_with(':'))
}

/// The value of a variable whose name is on the line above, if that names a secret.
fn value_below(name: &str, line: &str) -> Option<String> {
    if !is_field(line, "value") {
        return None;
    }
    let both = format!("{}\n{line}", name.trim_end());
    let clean = sanitize_for_logging(&both);
    let (_, value) = clean.rsplit_once('\n')?;
    (value != line).then(|| value.to_owned())
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches([' ', '\t']).len()
}

impl LineSanitizer {
    /// The line without its secrets; `None` if it is but a part of a private key whose header was
    /// on a line above.
    pub fn line<'a>(&mut self, line: &'a str) -> Option<Cow<'a, str>> {
        if let Some(block) = &mut self.block {
            if block.goes_on(line) {
                let content = if line.trim().is_empty() { "" } else { MASK };
                return Some(Cow::Owned(format!("{}{content}", &line[..indent_of(line)])));
            }
            self.block = None;
        }
        let name = self.name.take();
        if let Some(clean) = name.and_then(|name| value_below(&name, line)) {
            return Some(Cow::Owned(clean));
        }
        self.name = is_field(line, "name").then(|| line.to_owned());
        self.block = Block::opened_by(line);
        let left = self.key.left;
        if self.key.belongs(line) {
            return None;
        }
        if left == 0 {
            return Some(sanitize_for_logging(line));
        }
        // What follows the end on its line is no part of the key.
        if let Some(end) = pem::end_of_key(line.trim_start()) {
            let rest = &line.trim_start()[end..];
            return Some(sanitize_for_logging(rest));
        }
        let start = line.rfind(char::is_whitespace).map_or(0, |at| at + 1);
        let (before, word) = line.split_at(start);
        if let Some(at) = pem::find_end(line) {
            return Some(Cow::Owned(sanitize_for_logging(line[..at].trim_end()).into_owned()));
        }
        if word.len() >= MIN_BASE64_BYTES && is_body(word) {
            self.key.left = left - 1;
            return Some(Cow::Owned(sanitize_for_logging(before).into_owned() + MASK));
        }
        Some(sanitize_for_logging(line))
    }
}
