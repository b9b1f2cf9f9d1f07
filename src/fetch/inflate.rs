//! Unpacks gzip within a limit, so that a small document cannot become a huge one.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

use super::download::DownloadError;

/// What every gzip begins with.
const MAGIC: [u8; 2] = [0x1f, 0x8b];
/// Given to the decoder at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// A buffer that refuses to grow beyond its limit.
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max {
            self.is_full = true;
            return Err(io::Error::other("too large"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Unpacks a document if it is a gzip, whatever it is called; others are left as they are.
pub(super) fn unpack(document: Vec<u8>, max_bytes: usize) -> Result<Vec<u8>, DownloadError> {
    if document.len() > max_bytes {
        return Err(DownloadError::TooLarge);
    }
    if !document.starts_with(&MAGIC) {
        return Ok(document);
    }
    let room = Bounded { bytes: Vec::new(), max: max_bytes, is_full: false };
    let mut decoder = MultiGzDecoder::new(room);
    for piece in document.chunks(PIECE_BYTES) {
        if decoder.write_all(piece).is_err() {
            let is_full = decoder.get_ref().is_full;
            return Err(if is_full { DownloadError::TooLarge } else { DownloadError::Packed });
        }
    }
    let is_whole = decoder.try_finish().is_ok();
    let room = decoder.get_ref();
    match (room.is_full, is_whole) {
        (true, _) => Err(DownloadError::TooLarge),
        (false, false) => Err(DownloadError::Packed),
        (false, true) => Ok(room.bytes.clone()),
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_and_a_bomb_is_not() {
        let text = b"198.51.100.7\n".repeat(100);
        assert_eq!(unpack(packed(&text), 10_000).unwrap(), text);
        assert_eq!(unpack(text.clone(), 10_000).unwrap(), text);
        let two = [packed(b"a\n"), packed(b"b\n")].concat();
        assert_eq!(unpack(two, 1000).unwrap(), b"a\nb\n");
        let bomb = packed(&vec![b'\n'; 1_000_000]);
        assert!(bomb.len() < 10_000);
        assert!(matches!(unpack(bomb, 100_000), Err(DownloadError::TooLarge)));
        let mut cut = packed(&text);
        cut.truncate(cut.len() / 2);
        assert!(matches!(unpack(cut, 10_000), Err(DownloadError::Packed)));
        assert!(matches!(unpack(vec![b'x'; 11], 10), Err(DownloadError::TooLarge)));
    }
}
