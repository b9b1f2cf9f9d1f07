//! The header of SQLite's write-ahead log. SQLite passes over a log whose header it does not
//! understand and then writes over it, without a word: what was committed into it would be gone.
//!
//! Frames behind the header are not looked at. A torn one at the end is what a power cut leaves,
//! and nothing that was acknowledged is in it.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

const HEADER_BYTES: usize = 32;
/// The last bit says in which order the checksums take the bytes of a word.
const MAGIC: u32 = 0x377f_0682;
const VERSION: u32 = 3_007_000;

/// Whether there is a log with a header that SQLite never wrote. One that is too short or all
/// zeros is what a power cut leaves before anything was acknowledged.
pub(super) fn is_header_damaged(path: &Path) -> bool {
    let mut header = [0; HEADER_BYTES];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header != [0; HEADER_BYTES] && !is_header(&header)
}

fn is_header(header: &[u8; HEADER_BYTES]) -> bool {
    let is_big_endian = header[3] & 1 == 1;
    let word = |bytes: &[u8], is_big_endian: bool| {
        let bytes = bytes.try_into().unwrap_or_default();
        if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    // Two sums over pairs of words; the header itself is written with the high byte first.
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in header[..24].chunks_exact(8) {
        first = first.wrapping_add(word(&pair[..4], is_big_endian)).wrapping_add(second);
        second = second.wrapping_add(word(&pair[4..], is_big_endian)).wrapping_add(first);
    }
    let field = |at: usize| word(&header[at..at + 4], true);
    field(0) & !1 == MAGIC && field(4) == VERSION && field(24) == first && field(28) == second
}
