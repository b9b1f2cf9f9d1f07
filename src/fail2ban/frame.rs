//! Framing: every message ends with a marker, and nothing tells its length beforehand.

use std::io;

use memchr::memmem::Finder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What ends each message in both directions.
pub(super) const END_MARKER: &[u8] = b"<F2B_END_COMMAND>";
/// How much room is made for each read.
const READ_CHUNK_BYTES: usize = 64 * 1024;

/// Why no whole message came.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server sent more than was asked for")]
    Unexpected,
    #[error("the server's answer is larger than {0} bytes")]
    TooLarge(usize),
}

/// Writes one message and its marker.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    mut message: Vec<u8>,
) -> Result<(), FrameError> {
    message.extend_from_slice(END_MARKER);
    writer.write_all(&message).await?;
    Ok(writer.flush().await?)
}

/// Reads one message without its marker.
///
/// One request has one reply, so bytes behind the marker mean that the two sides no longer agree
/// (a reply may contain the marker itself): that is an error, and the connection is given up.
pub(super) async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    max_bytes: usize,
) -> Result<Vec<u8>, FrameError> {
    let finder = Finder::new(END_MARKER);
    let mut buffer = Vec::new();
    loop {
        // A marker may be split over two reads, so the search begins just before the new bytes.
        let searched = buffer.len().saturating_sub(END_MARKER.len() - 1);
        buffer.reserve(READ_CHUNK_BYTES);
        if reader.read_buf(&mut buffer).await? == 0 {
            return Err(FrameError::Closed);
        }
        if let Some(offset) = finder.find(&buffer[searched..]) {
            let end = searched + offset;
            if end + END_MARKER.len() != buffer.len() {
                return Err(FrameError::Unexpected);
            }
            buffer.truncate(end);
            return Ok(buffer);
        }
        if buffer.len() > max_bytes + END_MARKER.len() {
            return Err(FrameError::TooLarge(max_bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read_all(chunks: &[&[u8]], max_bytes: usize) -> Result<Vec<u8>, FrameError> {
        let (mut near, mut far) = tokio::io::duplex(8);
        let chunks: Vec<Vec<u8>> = chunks.iter().map(|chunk| chunk.to_vec()).collect();
        let writer = tokio::spawn(async move {
            for chunk in chunks {
                // The reader may have given up already.
                let _ = far.write_all(&chunk).await;
            }
        });
        let result = read(&mut near, max_bytes).await;
        drop(near);
        writer.await.unwrap();
        result
    }

    #[tokio::test]
    async fn a_marker_is_found_wherever_it_is_split() {
        let whole = [b"ab<F2B_".as_slice(), END_MARKER].concat();
        for split in 0..whole.len() {
            let (head, tail) = whole.split_at(split);
            assert_eq!(read_all(&[head, tail], 100).await.unwrap(), b"ab<F2B_");
        }
        assert_eq!(read_all(&[END_MARKER], 0).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn half_a_message_is_not_a_message() {
        assert!(matches!(read_all(&[b"ab<F2B_END"], 100).await, Err(FrameError::Closed)));
        assert!(matches!(read_all(&[], 100).await, Err(FrameError::Closed)));
    }

    #[tokio::test]
    async fn too_much_is_refused() {
        let endless = [b'x'; 1000];
        assert!(matches!(read_all(&[&endless], 100).await, Err(FrameError::TooLarge(100))));
    }

    #[tokio::test]
    async fn bytes_behind_the_marker_are_an_error() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        far.write_all(&[END_MARKER, b"x"].concat()).await.unwrap();
        assert!(matches!(read(&mut near, 100).await, Err(FrameError::Unexpected)));
    }
}
