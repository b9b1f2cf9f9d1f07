//! Rust as text: what of a file is code, where comments and literals lie, and where a block ends.

pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of a comment or literal that begins here, if one does.
fn skipped(rest: &[u8], after_word: bool) -> Option<usize> {
    let until = |start: usize, end: &[u8]| {
        let found = rest[start..].windows(end.len()).position(|window| window == end);
        found.map_or(rest.len(), |at| start + at + end.len())
    };
    if rest.starts_with(b"//") {
        return Some(rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()));
    }
    if rest.starts_with(b"/*") {
        return Some(until(2, b"*/"));
    }
    if rest[0] == b'"' {
        let mut at = 1;
        while at < rest.len() && rest[at] != b'"' {
            at += if rest[at] == b'\\' { 2 } else { 1 };
        }
        return Some((at + 1).min(rest.len()));
    }
    if rest[0] == b'r' && !after_word {
        let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
        if rest.get(1 + hashes) == Some(&b'"') {
            let end = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            return Some(until(2 + hashes, &end));
        }
    }
    if rest[0] == b'\'' && rest.len() > 2 {
        // A character ends in a quote soon; a lifetime does not.
        let start = if rest[1] == b'\\' { 3 } else { 2 };
        let longest = rest.len().min(12);
        let end = rest[start.min(longest)..longest].iter().position(|byte| *byte == b'\'')?;
        let is_char = rest[1] == b'\\'
            || std::str::from_utf8(&rest[1..start + end])
                .is_ok_and(|text| text.chars().count() == 1);
        return is_char.then_some(start + end + 1);
    }
    None
}

/// The text with comments and literals as spaces; offsets and lines stay what they were.
pub(super) fn blanked(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        // The `b` of a byte string belongs to the literal, other letters to a word.
        let after_word = at > 0 && is_word(bytes[at - 1]) && bytes[at - 1] != b'b';
        let length = skipped(&bytes[at..], after_word).unwrap_or(0);
        for byte in &mut out[at..at + length] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at += length.max(1);
    }
    String::from_utf8(out).unwrap_or_else(|error| panic!("{error}"))
}

/// The end of the block whose opening brace is the first one behind an offset; nothing if a
/// semicolon ends the item before.
pub(super) fn block(code: &str, from: usize) -> Option<(usize, usize)> {
    let (mut depth, mut nesting, mut start) = (0_usize, 0_usize, None);
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.saturating_sub(1),
            b';' if start.is_none() && nesting == 0 => return None,
            b'{' => {
                start.get_or_insert(at);
                depth += 1;
            }
            b'}' => {
                depth = depth.saturating_sub(1);
                if let (0, Some(start)) = (depth, start) {
                    return Some((start, at));
                }
            }
            _ => {}
        }
    }
    None
}
