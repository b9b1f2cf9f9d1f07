//! Disguises: characters that are not seen and letters that look like others.
//!
//! A key reads the same with colour codes around it, with zero-width characters in it or in
//! fullwidth letters. A text with any of these is read a second time through a view without them;
//! what is found there is changed in the text itself.

use std::borrow::Cow;
use std::ops::Range;

/// A longer run of parameters is no escape sequence that a terminal knows.
const MAX_SEQUENCE_BYTES: usize = 32;

/// Tells whether a byte is a control character other than white space.
pub(super) fn is_odd(byte: u8) -> bool {
    (byte < 0x20 && !matches!(byte, 0x09..=0x0d)) || byte == 0x7f
}

/// Tells whether a text has anything that a view would read in another way.
pub(super) fn is_disguised(text: &str) -> bool {
    let bytes = text.as_bytes();
    // Without a way out in the middle, so that both become vectors.
    if bytes.iter().fold(false, |found, byte| found | is_odd(*byte)) {
        return true;
    }
    if !bytes.iter().fold(false, |found, byte| found | could_lead(*byte)) {
        return false;
    }
    let letters = bytes.iter().enumerate().filter(|(_, byte)| could_lead(**byte));
    letters.filter_map(|(at, _)| text.get(at..)?.chars().next()).any(|it| seen_as(it) != Some(it))
}

/// Tells whether a character that is not seen as itself, and no ASCII, could start so.
fn could_lead(byte: u8) -> bool {
    matches!(byte, 0xc2 | 0xc5 | 0xcd | 0xe1 | 0xe2 | 0xef | 0xf3)
}

/// What is seen of a character: itself, the letter it looks like, or nothing.
fn seen_as(letter: char) -> Option<char> {
    match letter {
        '\u{17f}' => Some('s'),
        '\u{212a}' => Some('k'),
        // Fullwidth letters, digits and what joins a key and a value. Quotes and brackets stay:
        // they would change where a value ends.
        '\u{ff10}'..='\u{ff1a}'
        | '\u{ff1d}'
        | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff3f}'
        | '\u{ff41}'..='\u{ff5a}'
        | '\u{ff0d}' => char::from_u32(u32::from(letter) - 0xfee0),
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => None,
        _ if letter.is_ascii() && is_odd(letter as u8) => None,
        _ => Some(letter),
    }
}

/// A text as it is seen.
#[derive(Debug)]
pub(super) struct View {
    /// What is seen.
    pub(super) text: String,
    /// For each byte of it, where its character starts and ends in the text behind.
    places: Vec<(usize, usize)>,
}

impl View {
    /// The view of a text; `None` if all of it is seen as it is.
    pub(super) fn of(text: &str) -> Option<Self> {
        if !is_disguised(text) {
            return None;
        }
        let mut view = Self { text: String::new(), places: Vec::new() };
        let mut at = 0;
        while let Some(letter) = text[at..].chars().next() {
            let end = at + letter.len_utf8();
            match seen_as(letter) {
                Some(seen) => {
                    view.text.push(seen);
                    view.places.resize(view.text.len(), (at, end));
                }
                None if matches!(letter, '\u{1b}' | '\u{9b}') => {
                    at = sequence_end(text.as_bytes(), end, letter);
                    continue;
                }
                None => {}
            }
            at = end;
        }
        Some(view)
    }

    /// The range of the text behind a range of the view. What is not seen at its ends stays.
    pub(super) fn place_of(&self, range: Range<usize>) -> Range<usize> {
        match (self.places.get(range.start), self.places.get(range.end.wrapping_sub(1))) {
            (Some((start, _)), Some((_, end))) if range.start < range.end => *start..*end,
            _ => 0..0,
        }
    }
}

/// A key as it is seen.
pub(super) fn seen_key(key: &str) -> Cow<'_, str> {
    View::of(key).map_or(Cow::Borrowed(key), |view| Cow::Owned(view.text))
}

/// Where an escape sequence of a terminal ends; right behind its start if it is none.
fn sequence_end(bytes: &[u8], start: usize, letter: char) -> usize {
    let parameters = match (letter, bytes.get(start)) {
        ('\u{1b}', Some(b'[')) => start + 1,
        ('\u{1b}', _) => return start,
        _ => start,
    };
    let limit = bytes.len().min(parameters + MAX_SEQUENCE_BYTES);
    let is_parameter = |byte: &u8| matches!(byte, b'0'..=b'9' | b';' | b':' | b'?');
    let len = bytes[parameters..limit].iter().take_while(|byte| is_parameter(byte)).count();
    match bytes.get(parameters + len) {
        Some(byte) if byte.is_ascii_alphabetic() => parameters + len + 1,
        _ => start,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_disguise_is_overlooked() {
        for letter in (0..=u32::from(char::MAX)).filter_map(char::from_u32) {
            let is_seen = seen_as(letter) == Some(letter);
            assert_eq!(is_disguised(letter.encode_utf8(&mut [0; 4])), !is_seen, "{letter:?}");
        }
    }

    #[test]
    fn a_view_shows_what_is_seen_and_knows_where_it_is() {
        let text = "ä\u{1b}[1;31mpa\u{200b}\u{17f}s\u{1b}[0mｗ＝x";
        let view = View::of(text).unwrap();
        assert_eq!(view.text, "äpassw=x");
        let place = view.place_of(2..6);
        assert_eq!(&text[place], "pa\u{200b}\u{17f}s");
        assert_eq!(&text[view.place_of(6..8)], "ｗ＝");
        assert!(View::of("plain ä – “text” 中文\t\r\n").is_none());
    }

    #[test]
    fn what_is_no_sequence_is_kept() {
        for (text, seen) in [("\u{1b}[12", "[12"), ("\u{1b}]0;x", "]0;x"), ("a\u{1b}", "a")] {
            assert_eq!(View::of(text).unwrap().text, seen);
        }
    }
}
