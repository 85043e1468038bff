//! Reading bytes into memory: the most that a file can hold, and filling a buffer while another thread computes its SHA-256.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::sync::mpsc;
use std::thread;

use flate2::bufread::MultiGzDecoder;
use gradus_core::files::magic::Magic;
use sha2::{Digest as _, Sha256};

use crate::error::{Result, invalid};

/// A SHA-256.
pub(crate) type Digest = [u8; 32];

/// The largest expansion of deflate: 258 bytes from two bits, 1032 to 1.
const MAX_EXPANSION: u64 = 1032;

/// Small enough to stay in the second-level cache between the decoder and the hash.
const CHUNK: usize = 128 << 10;

/// The most bytes that `compressed` bytes of gzip or deflate can hold.
pub(crate) fn most_inflated(compressed: u64) -> u64 {
    compressed.saturating_mul(MAX_EXPANSION)
}

/// The first bytes of a source, which is then read from its beginning again.
///
/// # Errors
/// `InvalidData` if it cannot be read.
pub(crate) fn start_of(source: &mut (impl Read + Seek)) -> Result<Vec<u8>> {
    let unreadable = |error: io::Error| invalid(format!("cannot be read: {error}"));
    let mut start = vec![0; 16];
    source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    let found = read_up_to(source, &mut start).map_err(unreadable)?;
    source.seek(SeekFrom::Start(0)).map_err(unreadable)?;
    start.truncate(found);
    Ok(start)
}

/// The content of a file, decompressed if the file is gzip (which its first bytes decide, not its
/// name), and an upper bound of its size.
pub(crate) struct Content<'a> {
    reader: Box<dyn Read + Send + 'a>,
    /// The first bytes of the file as it is stored.
    pub(crate) start: Vec<u8>,
    /// Bytes of the file as it is stored.
    length: u64,
}

impl<'a> Content<'a> {
    /// The content of a file in memory.
    pub(crate) fn of_bytes(bytes: &'a [u8]) -> Self {
        let reader: Box<dyn Read + Send> = match Magic::of(bytes) == Magic::Gzip {
            true => Box::new(MultiGzDecoder::new(bytes)),
            false => Box::new(bytes),
        };
        let start = bytes[..bytes.len().min(Magic::LENGTH)].to_vec();
        Content { reader, start, length: bytes.len() as u64 }
    }

    /// The content of a file on disk, read as it is needed; `length` is its size.
    pub(crate) fn of_file(mut file: File, length: u64) -> io::Result<Self> {
        let mut start = vec![0; Magic::LENGTH];
        let found = read_up_to(&mut file, &mut start)?;
        start.truncate(found);
        let raw = Cursor::new(start.clone()).chain(file);
        let reader: Box<dyn Read + Send> = match Magic::of(&start) == Magic::Gzip {
            true => Box::new(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, raw))),
            false => Box::new(raw),
        };
        Ok(Content { reader, start, length })
    }

    /// Whether the file is gzip.
    pub(crate) fn is_gzip(&self) -> bool {
        Magic::of(&self.start) == Magic::Gzip
    }

    /// The most bytes that the content can have.
    pub(crate) fn most(&self) -> u64 {
        match self.is_gzip() {
            true => most_inflated(self.length),
            false => self.length,
        }
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.reader.read(buffer)
    }
}

/// Reads until `buffer` is full or the data end; returns the number of bytes read. A gzip stream that is cut off has ended,
/// too: for callers who know how many bytes there must be.
pub(crate) fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    match fill_from(reader, buffer, &mut filled) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(filled),
        done => done.map(|()| filled),
    }
}

/// The same for callers who do not know it: a gzip stream that is cut off is an error.
pub(crate) fn read_whole(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    fill_from(reader, buffer, &mut filled).map(|()| filled)
}

fn fill_from(reader: &mut impl Read, buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
    while *filled < buffer.len() {
        match reader.read(&mut buffer[*filled..]) {
            Ok(0) => break,
            Ok(count) => *filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Fills `buffer` from `reader`; returns the number of bytes read and, if `hash_after` is given, the
/// SHA-256 of those bytes followed by the bytes read. The hash is computed in a thread of its own, one
/// chunk behind the reader.
pub(crate) fn fill(
    reader: &mut impl Read,
    buffer: &mut [u8],
    hash_after: Option<&[u8]>,
) -> io::Result<(usize, Option<Digest>)> {
    let Some(header) = hash_after else { return Ok((read_up_to(reader, buffer)?, None)) };
    let mut hash = Sha256::new();
    hash.update(header);
    if buffer.len() <= CHUNK {
        let filled = read_up_to(reader, buffer)?;
        hash.update(&buffer[..filled]);
        return Ok((filled, Some(hash.finalize().into())));
    }
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel::<&[u8]>();
        let hasher = scope.spawn(move || {
            receiver.into_iter().for_each(|chunk| hash.update(chunk));
            hash.finalize().into()
        });
        let mut filled = 0;
        for chunk in buffer.chunks_mut(CHUNK) {
            let wanted = chunk.len();
            let count = read_up_to(reader, chunk)?;
            filled += count;
            // A send fails only if the hashing thread is gone, which its join below reports.
            let _ = sender.send(&chunk[..count]);
            if count < wanted {
                break;
            }
        }
        drop(sender);
        let digest = hasher.join().map_err(|_| io::Error::other("the hashing thread failed"))?;
        Ok((filled, Some(digest)))
    })
}

/// Whether the data end here. For gzip, this also checks the checksum.
pub(crate) fn at_end(reader: &mut impl Read) -> io::Result<bool> {
    loop {
        match reader.read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return Ok(other? == 0),
        }
    }
}

/// The SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// A digest as 64 hexadecimal digits.
pub(crate) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_digest() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&sha256(b"")), empty);
    }

    #[test]
    fn the_hash_beside_the_reader_is_the_hash_of_all() {
        let bytes: Vec<u8> = (0..3 * CHUNK + 17).map(|i| (i % 251) as u8).collect();
        let mut buffer = vec![0; bytes.len() - 5];
        let (count, digest) = fill(&mut &bytes[5..], &mut buffer, Some(&bytes[..5])).unwrap();
        assert_eq!(count, buffer.len());
        assert_eq!(buffer, bytes[5..]);
        assert_eq!(digest, Some(sha256(&bytes)));
        let (count, digest) = fill(&mut &bytes[5..200], &mut buffer, Some(&bytes[..5])).unwrap();
        assert_eq!((count, digest), (195, Some(sha256(&bytes[..200]))));
    }
}
