//! The prefilter: where in a text a secret could be, found in one vectorised pass.
//!
//! The text is folded chunk by chunk into a buffer on the stack and searched there, because the
//! packed searcher knows no case. Folding sets one bit, which makes letters lower case and mixes
//! up some other characters: what is found is compared once more where it matters. Most texts
//! have no hit, and that is all they pay for.

use std::sync::LazyLock;

use aho_corasick::{Span, packed};

use super::fold;
use super::rules::{Parser, UNITS};

/// What the prefilter looks for, from all rules.
const MARKS: [(&str, Parser); count_marks()] = {
    let mut all = [("", Parser::Key); count_marks()];
    let (mut unit, mut filled) = (0, ESCAPES.len());
    let mut index = 0;
    while index < ESCAPES.len() {
        all[index] = (ESCAPES[index], Parser::Escape);
        index += 1;
    }
    while unit < UNITS.len() {
        let mut index = 0;
        while index < UNITS[unit].marks.len() {
            all[filled] = UNITS[unit].marks[index];
            filled += 1;
            index += 1;
        }
        unit += 1;
    }
    all
};

/// Escapes of characters that can stand in a key or hide in it.
const ESCAPES: [&str; 3] = ["\\u0", "\\u2", "\\uf"];

const fn count_marks() -> usize {
    let (mut unit, mut count) = (0, ESCAPES.len());
    while unit < UNITS.len() {
        count += UNITS[unit].marks.len();
        unit += 1;
    }
    count
}

/// The longest mark; chunks overlap by one less, so that none is lost between two.
const MAX_MARK_BYTES: usize = 24;

/// Holds an ordinary line in one piece and is cheap to clear.
const CHUNK_BYTES: usize = 512;

/// A text this short is looked at faster without vectors.
const TINY_BYTES: usize = 24;

/// Most single values are no longer, and what is not cleared costs nothing.
const SHORT_BYTES: usize = 128;

/// Zeros behind the text: the packed searcher is fast only above a minimum length.
const PADDING_BYTES: usize = 64;

/// The bit that tells upper from lower case, and nothing that would part two marks.
const CASE_BIT: u8 = 0x20;

/// `None` where the processor has no vector unit that the searcher knows.
static SEARCHER: LazyLock<Option<packed::Searcher>> = LazyLock::new(|| {
    let folded = MARKS.iter().map(|(mark, _)| mark.bytes().map(folded).collect::<Vec<_>>());
    packed::Config::new().builder().extend(folded).build()
});

fn folded(byte: u8) -> u8 {
    byte | CASE_BIT
}

/// For each of the first three bytes of a mark, which marks (by their number modulo 32) have it.
type Table = [[u32; 256]; 3];

/// All marks, for short texts and for processors without a vector unit.
static TABLE: Table = table(false);

/// The marks of keys: a key is too short for the vectorised search to pay.
static KEY_TABLE: Table = table(true);

const fn table(only_keys: bool) -> Table {
    let mut table = [[0; 256]; 3];
    let mut index = 0;
    while index < MARKS.len() {
        let (mark, parser) = MARKS[index];
        let mut at = 0;
        while at < 3 && (!only_keys || matches!(parser, Parser::Key)) {
            let byte = mark.as_bytes()[at];
            table[at][byte as usize] |= 1 << (index % 32);
            table[at][byte.to_ascii_uppercase() as usize] |= 1 << (index % 32);
            at += 1;
        }
        index += 1;
    }
    table
}

/// The first place at or after `from` where a mark is: found without vectors.
#[inline]
fn find_by(table: &Table, text: &[u8], from: usize) -> Option<(usize, usize)> {
    let [first, second, third] = table;
    for (at, window) in text.get(from..)?.windows(3).enumerate() {
        let &[one, two, three] = window else { break };
        let mut candidates =
            first[usize::from(one)] & second[usize::from(two)] & third[usize::from(three)];
        while candidates != 0 {
            let number = candidates.trailing_zeros() as usize;
            let mut marks = (number..MARKS.len()).step_by(32);
            if let Some(index) = marks.find(|it| starts_with(&text[from + at..], MARKS[*it].0)) {
                return Some((from + at, index));
            }
            candidates &= candidates - 1;
        }
    }
    None
}

/// A place where a secret could be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// Where the mark starts.
    pub(super) start: usize,
    /// The length of the mark.
    pub(super) len: usize,
    /// Which parser reads on.
    pub(super) parser: Parser,
}

/// Tells whether a text has any hit, or hides what it says behind odd characters.
///
/// A text without has no part with one either: a mark in a part is a mark in the whole.
pub(super) fn any(text: &str) -> bool {
    let bytes = text.as_bytes();
    let Some(searcher) = SEARCHER.as_ref().filter(|_| bytes.len() > TINY_BYTES) else {
        return find_plainly(bytes, 0).is_some() || fold::is_disguised(text);
    };
    if bytes.len() <= SHORT_BYTES {
        any_by::<{ SHORT_BYTES + PADDING_BYTES }>(searcher, text)
    } else {
        any_by::<{ CHUNK_BYTES + PADDING_BYTES }>(searcher, text)
    }
}

fn any_by<const SIZE: usize>(searcher: &packed::Searcher, text: &str) -> bool {
    let bytes = text.as_bytes();
    let mut buffer = [0; SIZE];
    let (mut start, mut seen, mut odd) = (0, 0, false);
    loop {
        let end = bytes.len().min(start + SIZE - PADDING_BYTES);
        let len = end - start;
        for (target, &byte) in buffer.iter_mut().zip(&bytes[start..end]) {
            *target = folded(byte);
            seen |= byte;
            odd |= fold::is_odd(byte);
        }
        if start > 0 {
            buffer[len..len + PADDING_BYTES].fill(0);
        }
        let span = Span::from(0..len + PADDING_BYTES);
        if odd || searcher.find_in(&buffer[..], span).is_some() {
            return true;
        }
        if end == bytes.len() {
            return !seen.is_ascii() && fold::is_disguised(text);
        }
        start = end - (MAX_MARK_BYTES - 1);
    }
}

/// Tells whether a key has a mark of keys: a quick look before it is judged.
pub(super) fn has_key_mark(key: &[u8]) -> bool {
    find_by(&KEY_TABLE, key, 0).is_some()
}

/// The hits of a text from left to right; they may overlap.
pub(super) struct Hits<'t> {
    text: &'t [u8],
    buffer: [u8; CHUNK_BYTES + PADDING_BYTES],
    chunk_start: usize,
    chunk_end: usize,
    next: usize,
}

impl<'t> Hits<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let buffer = [0; CHUNK_BYTES + PADDING_BYTES];
        Self { text: text.as_bytes(), buffer, chunk_start: 0, chunk_end: 0, next: 0 }
    }

    /// Goes on from `position` if that is further right.
    pub(super) fn skip_to(&mut self, position: usize) {
        self.next = self.next.max(position);
    }

    /// Fills the buffer with the text from `next` on.
    fn load(&mut self) {
        let len = CHUNK_BYTES.min(self.text.len() - self.next);
        let source = &self.text[self.next..self.next + len];
        for (target, byte) in self.buffer.iter_mut().zip(source) {
            *target = folded(*byte);
        }
        self.buffer[len..len + PADDING_BYTES].fill(0);
        self.chunk_start = self.next;
        self.chunk_end = self.next + len;
    }

    /// The next candidate in the chunk: its place and the index of its mark.
    fn candidate(&self) -> Option<(usize, usize)> {
        let Some(searcher) = SEARCHER.as_ref() else {
            return find_plainly(&self.text[..self.chunk_end], self.next);
        };
        let from = self.next - self.chunk_start;
        let padded = self.chunk_end - self.chunk_start + PADDING_BYTES;
        let found = searcher.find_in(&self.buffer[..padded], Span::from(from..padded))?;
        Some((self.chunk_start + found.start(), found.pattern().as_usize()))
    }
}

impl Iterator for Hits<'_> {
    type Item = Hit;

    fn next(&mut self) -> Option<Hit> {
        loop {
            if self.next >= self.text.len() {
                return None;
            }
            if self.next >= self.chunk_end {
                self.load();
            }
            if let Some((start, index)) = self.candidate() {
                self.next = start + 1;
                if starts_with(&self.text[start..], MARKS[index].0) {
                    let (mark, parser) = MARKS[index];
                    return Some(Hit { start, len: mark.len(), parser });
                }
                continue;
            }
            if self.chunk_end == self.text.len() {
                self.next = self.text.len();
                return None;
            }
            self.next = self.next.max(self.chunk_end - (MAX_MARK_BYTES - 1));
            self.chunk_end = self.next;
        }
    }
}

fn starts_with(text: &[u8], mark: &str) -> bool {
    text.get(..mark.len()).is_some_and(|start| start.eq_ignore_ascii_case(mark.as_bytes()))
}

/// The first mark at or after `from`, found without vectors: its place and its index.
pub(super) fn find_plainly(text: &[u8], from: usize) -> Option<(usize, usize)> {
    find_by(&TABLE, text, from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With more, the packed searcher has no vectors to search with and would fall back.
    #[test]
    fn the_vectorised_search_has_room_for_all_marks() {
        assert!(MARKS.len() <= 64, "{}", MARKS.len());
    }

    #[test]
    fn marks_fit_the_search() {
        let longest = MARKS.iter().map(|(mark, _)| mark.len()).max();
        assert!(longest <= Some(MAX_MARK_BYTES), "{longest:?}");
        for (mark, _) in MARKS {
            assert!(mark.len() >= 3 && mark.is_ascii(), "{mark:?}");
            assert_eq!(mark, mark.to_ascii_lowercase());
            assert!(any(mark) && find_plainly(mark.as_bytes(), 0).is_some(), "{mark:?}");
        }
    }

    /// Without this, a key could be secret in a text that the prefilter lets through.
    #[test]
    fn every_stem_of_a_key_has_a_mark_of_keys() {
        for unit in UNITS {
            for stem in unit.stems.iter().chain(unit.weak_words) {
                assert!(has_key_mark(stem.as_bytes()), "{stem}");
            }
        }
    }
}
