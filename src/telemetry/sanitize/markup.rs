//! XML, HTML and forms: the text of an element, of a part of a form, and quotes as entities.

use super::flat::{Found, Replacement};
use super::keys::Class;
use super::pair::Key;
use super::rules::Rule;
use super::value::{is_masked, is_plain, is_quote, is_space, line_end};
use super::{block, list};

/// The prefix of a namespace is no longer.
const MAX_PREFIX_BYTES: usize = 32;

/// How far the end of a tag, and the headers of a part of a form, are looked for.
const MAX_TAG_BYTES: usize = 256;

/// What starts and ends a text in which nothing is escaped.
const CDATA: (&[u8], &[u8]) = (b"<![CDATA[", b"]]>");

/// A quote where the text around is HTML.
const QUOTES: [&str; 2] = ["&quot;", "&#34;"];

/// Elements whose text is shown to somebody who is to enter a secret.
const LABELS: [&[u8]; 4] = [b"<input", b"<button", b"<label", b"<option"];

/// Where the text starts of the element that a key names: `<password>`, `<wsse:Password Type="a">`.
pub(super) fn element(bytes: &[u8], key: &Key) -> Option<usize> {
    let before = &bytes[key.start.saturating_sub(MAX_PREFIX_BYTES)..key.start];
    let part = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let open = match before.strip_suffix(b":") {
        Some(rest) => &rest[..rest.len() - rest.iter().rev().take_while(part).count()],
        None => before,
    };
    if !open.ends_with(b"<") {
        return None;
    }
    let next = *bytes.get(key.end)?;
    if next == b'>' {
        return Some(key.end + 1);
    }
    let tag = &bytes[key.end..bytes.len().min(key.end + MAX_TAG_BYTES)];
    let len = memchr::memchr2(b'>', b'<', tag).filter(|len| tag[*len] == b'>')?;
    // A tag with something behind its name and no attribute is a placeholder: `<token of x>`.
    let tag = &tag[..len];
    let is_value = |pair: &[u8]| pair[0] == b'=' && (is_quote(pair[1]) || pair[1] == b'\\');
    let has_attribute = is_space(next) && tag.windows(2).any(is_value) && !tag.ends_with(b"/");
    has_attribute.then_some(key.end + len + 1)
}

/// The text of an element from `start` on; `None` if it has only other elements.
pub(super) fn text_at(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let first = start + bytes[start..].iter().take_while(|byte| is_space(**byte)).count();
    let rest = &bytes[first..];
    if rest.starts_with(CDATA.0) {
        let start = first + CDATA.0.len();
        // A text cut off must not show what was to be hidden.
        let len = memchr::memmem::find(&bytes[start..], CDATA.1);
        return Some((start, len.map_or(bytes.len(), |len| start + len)));
    }
    let len = memchr::memchr(b'<', rest).filter(|len| *len > 0)?;
    Some((start, first + len))
}

/// What a name in quotes names that ends at `after`: the text of the element that has it as an
/// attribute, or of a part of a form.
pub(super) fn named_text(text: &str, key: &Key, after: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let (_, backslashes) = key.opening?;
    let before = &bytes[..key.start - backslashes - 1];
    let name = before.strip_suffix(b"=")?;
    let is_name = name.ends_with(b"name") || name.ends_with(b"key");
    if !is_name {
        return None;
    }
    if bytes.get(after) != Some(&b'>') {
        return part_of_form(text, after);
    }
    let tag = &name[name.len().saturating_sub(MAX_TAG_BYTES)..];
    let tag = &tag[memchr::memrchr(b'<', tag)?..];
    if LABELS.iter().any(|label| tag.starts_with(label)) {
        return None;
    }
    let (start, end) = text_at(bytes, after + 1)?;
    list::found(text, start, end, Replacement::Mask, Rule::NamedPair)
}

/// `name="password"`, an empty line and the value; other headers may stand between.
fn part_of_form(text: &str, after: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut line = block::newline_at(bytes, after)?;
    let escaped = bytes[line - 1] == b'n';
    let limit = bytes.len().min(after + MAX_TAG_BYTES);
    let start = loop {
        if let Some(start) = block::newline_at(bytes, line) {
            break start;
        }
        if line >= limit {
            return None;
        }
        let end = block::end_of_line(&bytes[..limit], line, escaped);
        // Only headers stand there; other text is none of the form.
        text.get(line..end)?.strip_prefix("Content-")?;
        line = block::newline_at(bytes, end)?;
    };
    let end = block::end_of_line(bytes, start, escaped);
    list::found(text, start, end, Replacement::Mask, Rule::NamedPair)
}

/// `&quot;password&quot;:&quot;x&quot;`.
pub(super) fn between_entities(text: &str, key: &Key, class: Class) -> Option<Found> {
    let rest = &text[key.end..];
    let quote = QUOTES.into_iter().find(|quote| rest.starts_with(quote))?;
    let joint = rest[quote.len()..].trim_start_matches([' ', '\t']);
    let value = joint.strip_prefix([':', '='])?.trim_start_matches([' ', '\t']);
    let value = value.strip_prefix(quote)?;
    let start = text.len() - value.len();
    let line = &text[start..line_end(text.as_bytes(), start)];
    let value = &line[..line.find(quote).unwrap_or(line.len())];
    if value.is_empty() || (is_plain(value) && !is_masked(value)) {
        return None;
    }
    list::found(text, start, start + value.len(), Replacement::Mask, class.rule)
}
