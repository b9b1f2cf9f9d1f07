//! Reads the bytes of a pickle: lengths, lines, numbers and the text forms of old protocols.

use super::{PickleError, machine::Node};

/// The longest decimal number in a text operation: an i64 has 20 characters, `L` and a sign more.
const MAX_INT_TEXT_BYTES: usize = 22;

/// The bytes that are still to be read.
#[derive(Default)]
pub(super) struct Input<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], PickleError> {
        let (head, rest) = self.rest.split_at_checked(count).ok_or(PickleError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let (head, rest) = self.rest.split_first_chunk::<N>().ok_or(PickleError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    pub(super) fn byte(&mut self) -> Result<u8, PickleError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PickleError> {
        self.array().map(u32::from_le_bytes)
    }

    /// A length in four bytes, which must be there as bytes, too.
    pub(super) fn length4(&mut self) -> Result<usize, PickleError> {
        usize::try_from(self.u32()?).map_err(|_| PickleError::TooLarge)
    }

    pub(super) fn length8(&mut self) -> Result<usize, PickleError> {
        let length = self.array().map(u64::from_le_bytes)?;
        usize::try_from(length).map_err(|_| PickleError::TooLarge)
    }

    pub(super) fn line(&mut self) -> Result<&'a [u8], PickleError> {
        let end = memchr::memchr(b'\n', self.rest).ok_or(PickleError::Truncated)?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }

    pub(super) fn number_line(&mut self) -> Result<u32, PickleError> {
        let text = std::str::from_utf8(self.line()?).map_err(|_| PickleError::Invalid)?;
        text.parse().map_err(|_| PickleError::Invalid)
    }
}

/// A two's complement integer, lowest byte first; no byte at all is zero.
pub(super) fn little_endian_int(bytes: &[u8]) -> Node {
    if bytes.len() > size_of::<i64>() {
        return Node::BigInt;
    }
    let negative = bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut wide = [if negative { 0xff } else { 0 }; size_of::<i64>()];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Int(i64::from_le_bytes(wide))
}

pub(super) fn decimal_int(line: &[u8]) -> Result<Node, PickleError> {
    let digits = line.strip_suffix(b"L").unwrap_or(line);
    let unsigned = digits.strip_prefix(b"-").unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.iter().all(u8::is_ascii_digit) {
        return Err(PickleError::Invalid);
    }
    if digits.len() > MAX_INT_TEXT_BYTES {
        return Ok(Node::BigInt);
    }
    let number = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    Ok(number.map_or(Node::BigInt, Node::Int))
}

/// The oldest protocol's text: Latin-1 with `\uXXXX` and `\UXXXXXXXX`.
pub(super) fn unescape_unicode(line: &[u8]) -> Result<String, PickleError> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = match tail.first() {
            Some(b'u') if byte == b'\\' => 4,
            Some(b'U') if byte == b'\\' => 8,
            _ => {
                text.push(char::from(byte));
                rest = tail;
                continue;
            }
        };
        let (hex, tail) = tail[1..].split_at_checked(digits).ok_or(PickleError::Invalid)?;
        let hex = std::str::from_utf8(hex).map_err(|_| PickleError::Invalid)?;
        let code = u32::from_str_radix(hex, 16).map_err(|_| PickleError::Invalid)?;
        text.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        rest = tail;
    }
    Ok(text)
}

/// Python 2's `repr` of a byte string; escapes are kept as they are written.
pub(super) fn quoted_str(line: &[u8]) -> Result<Node, PickleError> {
    match line {
        [open @ (b'\'' | b'"'), inner @ .., close] if open == close => {
            Ok(Node::Str(String::from_utf8_lossy(inner).into()))
        }
        _ => Err(PickleError::Invalid),
    }
}
