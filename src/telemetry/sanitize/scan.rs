//! The prefilter: where in a text a secret could be, found in one vectorised pass.
//!
//! The text is lowered chunk by chunk into a buffer on the stack and searched there, because the
//! packed searcher knows no case. Most texts have no hit, and that is all they pay for.

use std::sync::LazyLock;

use aho_corasick::{Span, packed};

/// Which parser reads on from a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stem {
    /// Part of a key that could name a secret.
    Key,
    /// `://`.
    Url,
    /// `-----BEGIN `.
    Pem,
    /// `AKIA` or `ASIA`.
    Aws,
    /// `eyJ`.
    Jwt,
    /// `Bearer `.
    Bearer,
}

/// What the prefilter looks for, in lower case. None is shorter than three bytes: the packed
/// searcher takes its fingerprints from the first three.
const STEMS: [(&str, Stem); 19] = [
    ("pass", Stem::Key),
    ("pwd", Stem::Key),
    ("secret", Stem::Key),
    ("token", Stem::Key),
    ("key", Stem::Key),
    ("credential", Stem::Key),
    ("authoriz", Stem::Key),
    ("cookie", Stem::Key),
    ("sessi", Stem::Key),
    ("amz-sig", Stem::Key),
    ("jwt", Stem::Key),
    ("psk", Stem::Key),
    ("otp", Stem::Key),
    ("://", Stem::Url),
    ("-----begin ", Stem::Pem),
    ("akia", Stem::Aws),
    ("asia", Stem::Aws),
    ("eyj", Stem::Jwt),
    ("bearer ", Stem::Bearer),
];

/// The longest stem; chunks overlap by one less, so that none is lost between two.
const MAX_STEM_BYTES: usize = 11;

/// Holds an ordinary line in one piece and is cheap to clear.
const CHUNK_BYTES: usize = 512;

/// Zeros behind the text: the packed searcher is fast only above a minimum length.
const PADDING_BYTES: usize = 64;

/// `None` where the processor has no vector unit that the searcher knows.
static SEARCHER: LazyLock<Option<packed::Searcher>> = LazyLock::new(|| {
    packed::Config::new().builder().extend(STEMS.iter().map(|(stem, _)| stem)).build()
});

/// A place where a secret could be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hit {
    /// Where the stem starts.
    pub(super) start: usize,
    /// The length of the stem.
    pub(super) len: usize,
    /// Which parser reads on.
    pub(super) stem: Stem,
}

/// Tells whether a text has any hit at all.
pub(super) fn any(text: &str) -> bool {
    Hits::new(text).next().is_some()
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
        for (lowered, byte) in self.buffer.iter_mut().zip(source) {
            *lowered = byte.to_ascii_lowercase();
        }
        self.buffer[len..len + PADDING_BYTES].fill(0);
        self.chunk_start = self.next;
        self.chunk_end = self.next + len;
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
            let padded = self.chunk_end - self.chunk_start + PADDING_BYTES;
            let from = self.next - self.chunk_start;
            if let Some((at, index)) = find(&self.buffer[..padded], from) {
                let (stem, kind) = STEMS[index];
                let start = self.chunk_start + at;
                self.next = start + 1;
                return Some(Hit { start, len: stem.len(), stem: kind });
            }
            if self.chunk_end == self.text.len() {
                self.next = self.text.len();
                return None;
            }
            self.next = self.next.max(self.chunk_end - (MAX_STEM_BYTES - 1));
            self.chunk_end = self.next;
        }
    }
}

/// The first stem at or after `from`: its place and its index.
fn find(haystack: &[u8], from: usize) -> Option<(usize, usize)> {
    if let Some(searcher) = SEARCHER.as_ref() {
        let found = searcher.find_in(haystack, Span::from(from..haystack.len()))?;
        return Some((found.start(), found.pattern().as_usize()));
    }
    find_plainly(haystack, from)
}

/// The same without vectors, and the yardstick for the tests.
pub(super) fn find_plainly(haystack: &[u8], from: usize) -> Option<(usize, usize)> {
    (from..haystack.len()).find_map(|at| {
        let rest = &haystack[at..];
        let index = STEMS.iter().position(|(stem, _)| rest.starts_with(stem.as_bytes()))?;
        Some((at, index))
    })
}
