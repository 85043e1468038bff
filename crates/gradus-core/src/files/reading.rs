//! Files opened to be read: a path in, an open file or its bytes out.
//!
//! A path may lead to anything. A named pipe that nobody writes to never opens, and a device such as
//! `/dev/zero` never ends. Everything that reads a path opens it here, so that no reader waits for ever or
//! takes all memory.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::{Error, Result};

/// The most bytes that are read from what has no size of its own: standard input, a pipe or a device.
pub const STREAM_LIMIT: u64 = 256 << 20;

/// Opens a file to read it. A pipe is opened only if it is already open, as `/dev/stdin` and the `<(...)` of
/// a shell are.
///
/// # Errors
/// `NotFound` or `Io` if the operating system refuses; `InvalidData` for a named pipe or a socket.
pub fn open(path: &Path) -> Result<File> {
    let refused = |error| Error::io("read", path, error);
    let kind = fs::metadata(path).map_err(refused)?.file_type();
    // Opening a named pipe would wait for somebody to write to it. A pipe that is already open has no path
    // that leads to it.
    let what = if is_pipe(&kind) && path.canonicalize().is_ok() {
        Some("a named pipe")
    } else if is_socket(&kind) {
        Some("a socket")
    } else {
        None
    };
    match what {
        Some(what) => {
            Err(Error::data(path, format!("this is {what}, which is not read; expected a file")))
        }
        None => File::open(path).map_err(refused),
    }
}

/// Whether a path leads to something that is neither a file nor a folder: a pipe, a socket or a device. A
/// folder of files may contain such things, but they are no data.
pub fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Reads a whole file; of a pipe or device at most [`STREAM_LIMIT`] bytes.
///
/// # Errors
/// Those of [`open`]; `Io` if it has more bytes, or more than there is memory.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_at_most(path, None)
}

/// As [`read`], with another limit, which then holds for plain files too.
///
/// # Errors
/// As [`read`].
pub fn read_at_most(path: &Path, most: Option<u64>) -> Result<Vec<u8>> {
    let file = open(path)?;
    let size = plain_size(&file);
    let most = most.unwrap_or(if size.is_some() { u64::MAX } else { STREAM_LIMIT });
    let mut limited = Limited::new(file, most);
    let bytes = match size {
        Some(size) if size > most => Err(too_many(most)),
        size => read_all(&mut limited, size.unwrap_or(0)),
    };
    bytes.map_err(|error| Error::io("read", path, error))
}

/// Reads a stream to its end.
///
/// # Errors
/// If it has more than `most` bytes.
pub fn read_stream(stream: impl Read, most: u64) -> io::Result<Vec<u8>> {
    read_all(&mut Limited::new(stream, most), 0)
}

/// The content of an open file: of a pipe or device at most [`STREAM_LIMIT`] bytes, after which reading
/// fails.
pub fn limited(file: &File) -> Limited<&File> {
    let most = if plain_size(file).is_some() { u64::MAX } else { STREAM_LIMIT };
    Limited::new(file, most)
}

/// Adds what is left of an open file to `bytes`: of a pipe or device at most [`STREAM_LIMIT`] bytes, after which
/// reading fails.
pub fn append_rest(mut file: &File, bytes: &mut Vec<u8>) -> io::Result<usize> {
    match plain_size(file) {
        // The standard library knows the size of a plain file: one step, and no zeros in the buffer before.
        Some(_) => file.read_to_end(bytes),
        None => limited(file).read_to_end(bytes),
    }
}

/// A reader that fails after a number of bytes, unless they are the last.
#[derive(Debug)]
pub struct Limited<R> {
    inner: R,
    most: u64,
    left: u64,
}

impl<R: Read> Limited<R> {
    /// At most `most` bytes of `inner`.
    pub fn new(inner: R, most: u64) -> Self {
        Limited { inner, most, left: most }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !buffer.is_empty() {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(too_many(self.most)),
            };
        }
        let length = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..length])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// Whether the error is that something has more bytes than its limit.
pub fn is_too_large(error: &Error) -> bool {
    let source = std::error::Error::source(error);
    let source = source.and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::FileTooLarge)
}

fn too_many(most: u64) -> io::Error {
    let most = size(most);
    let problem = format!("there are more bytes than the limit of {most}");
    io::Error::new(io::ErrorKind::FileTooLarge, problem)
}

/// A number of bytes for people: `256 MiB`, or all its digits where it is no round number.
pub fn size(bytes: u64) -> String {
    for (shift, unit) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        if bytes != 0 && bytes.is_multiple_of(1 << shift) {
            return format!("{} {unit}", bytes >> shift);
        }
    }
    format!("{bytes} bytes")
}

/// The size of a plain file; none for a pipe or device.
fn plain_size(file: &File) -> Option<u64> {
    file.metadata().ok().filter(fs::Metadata::is_file).map(|found| found.len())
}

/// All bytes, of which `expected` are likely.
fn read_all(reader: &mut impl Read, expected: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let expected = usize::try_from(expected).unwrap_or(usize::MAX);
    bytes.try_reserve_exact(expected).map_err(|_| {
        let problem = format!("its {expected} bytes do not fit into memory");
        io::Error::new(io::ErrorKind::OutOfMemory, problem)
    })?;
    reader.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(unix)]
fn is_pipe(kind: &fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_fifo()
}

#[cfg(unix)]
fn is_socket(kind: &fs::FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_socket()
}

#[cfg(not(unix))]
fn is_pipe(_: &fs::FileType) -> bool {
    false
}

#[cfg(not(unix))]
fn is_socket(_: &fs::FileType) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_limit_is_reached_only_by_more_bytes() {
        assert_eq!(read_stream(&[7; 10][..], 10).unwrap(), [7; 10]);
        let error = read_stream(&[7; 11][..], 10).unwrap_err();
        assert!(error.to_string().contains("the limit of 10 bytes"), "{error}");
        assert!(read_stream(io::repeat(0), 1 << 20).unwrap_err().to_string().contains("1 MiB"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path).unwrap(), [7; 10]);
        assert_eq!(read_at_most(&path, Some(10)).unwrap(), [7; 10]);
        assert!(read_at_most(&path, Some(9)).unwrap_err().to_string().contains("9 bytes"));
    }

    #[test]
    fn a_file_larger_than_memory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hole.bin");
        // A hole takes no space on the disk.
        if File::create(&path).unwrap().set_len(1 << 43).is_ok() {
            let error = read(&path).unwrap_err();
            assert!(error.to_string().contains("do not fit into memory"), "{error}");
        }
    }

    #[test]
    fn sizes_are_round_where_they_can_be() {
        for (bytes, text) in [
            (256 << 20, "256 MiB"),
            (1 << 30, "1 GiB"),
            (1000, "1000 bytes"),
            (0, "0 bytes"),
            (3 << 10, "3 KiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn devices_end_at_the_limit_and_sockets_are_refused() {
        let zero = Path::new("/dev/zero");
        assert!(is_special(zero));
        let error = read(zero).unwrap_err().to_string();
        assert!(error.contains("/dev/zero") && error.contains("the limit of 256 MiB"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert!(error.to_string().contains("this is a socket"), "{error}");
    }
}
