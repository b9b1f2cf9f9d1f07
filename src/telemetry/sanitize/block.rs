//! Values of YAML that go on over the lines below their key (`password: |`).

use super::value::backslashes_at;

/// Nothing is longer between the sign of a block and the end of its line.
const MAX_HEADER_BYTES: usize = 4;

/// The lines of a block whose sign stands at `at`: from its first character to the end of its
/// last line. The ends of lines may be escaped, as in a string of JSON.
///
/// `start_of_key` tells how far the key is indented: what is no further is no part of the block.
pub(super) fn lines(bytes: &[u8], start_of_key: usize, at: usize) -> Option<(usize, usize)> {
    if !matches!(bytes.get(at), Some(b'|' | b'>')) {
        return None;
    }
    let rest = &bytes[at + 1..bytes.len().min(at + 1 + MAX_HEADER_BYTES)];
    let sign = |byte: &u8| matches!(byte, b'+' | b'-' | b' ' | b'1'..=b'9');
    let header = at + 1 + rest.iter().take_while(|byte| sign(byte)).count();
    let newline = newline_at(bytes, header)?;
    let escaped = bytes[newline - 1] == b'n';
    let indent = indent_of(bytes, start_of_key);
    let mut line = newline;
    let mut found: Option<(usize, usize)> = None;
    loop {
        let first = line + blanks(bytes, line);
        if first >= bytes.len() {
            return found;
        }
        if let Some(next) = newline_at(bytes, first) {
            line = next;
            continue;
        }
        if first - line <= indent {
            return found;
        }
        let end = end_of_line(bytes, first, escaped);
        found = Some((found.map_or(first, |(start, _)| start), end));
        match newline_at(bytes, end) {
            Some(next) => line = next,
            None => return found,
        }
    }
}

fn blanks(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// How far the line is indented that a key stands in.
fn indent_of(bytes: &[u8], key: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t');
    bytes[..key].iter().rev().take_while(blank).count()
}

/// Where the next line starts, if a line ends at `at`.
pub(super) fn newline_at(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = bytes.get(at..)?;
    if rest.starts_with(b"\r\n") {
        return Some(at + 2);
    }
    if rest.starts_with(b"\n") {
        return Some(at + 1);
    }
    let run = backslashes_at(bytes, at);
    match bytes.get(at + run)? {
        b'n' if run > 0 => Some(at + run + 1),
        b'r' if run > 0 => newline_at(bytes, at + run + 1),
        _ => None,
    }
}

/// Where the line ends that `at` is on. Where ends of lines are escaped, the block stands in a
/// string, and the quote that closes it ends the line too.
pub(super) fn end_of_line(bytes: &[u8], at: usize, escaped: bool) -> usize {
    let mut at = at;
    while let Some(found) = memchr::memchr3(b'\n', b'\\', b'"', &bytes[at..]) {
        let place = at + found;
        let run = backslashes_at(bytes, place);
        let after = bytes.get(place + run);
        match bytes[place] {
            b'\n' if bytes[place - 1] == b'\r' => return place - 1,
            b'\n' => return place,
            _ if escaped && (after == Some(&b'"') || newline_at(bytes, place).is_some()) => {
                return place;
            }
            _ => at = place + run.max(1),
        }
    }
    bytes.len()
}
