//! One array in a file that may be larger than memory: a path in, any of its rows out.
//!
//! The file is an NPY in row-major order or an IDX that is not compressed. Rows are read at their place in the file;
//! nothing is mapped into memory. Each read opens the file, so that any number of threads can read any number of
//! files, and checks its size first: a file that was truncated meanwhile is an error, not other rows. Files larger than
//! memory are read past the page cache.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;
use sha2::{Digest as _, Sha256};

use super::array::{Array, Values};
use super::bytes::{Digest, read_up_to};
use super::{direct, idx, invalid, memory, npy};
use crate::error::{Error, Result};
use crate::reading;

/// Bytes of one read.
pub(crate) const PIECE: usize = 4 << 20;

/// The most bytes of a header.
const LONGEST_HEADER: usize = 1 << 17;

/// An array whose values stay in their file.
#[derive(Debug)]
pub struct RowFile {
    path: PathBuf,
    /// Where the values begin.
    start: u64,
    /// Bytes of the file.
    length: u64,
    samples: usize,
    sample_shape: Vec<usize>,
    /// Bytes of a value.
    size: usize,
    element: Element,
    /// Whether it is read past the page cache.
    is_beyond_memory: bool,
}

/// How bytes become values.
#[derive(Debug)]
enum Element {
    /// The type that an NPY header names.
    Npy(String),
    Idx(idx::Element),
}

/// What the values of a file are, as far as samples are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowKind {
    /// Unsigned bytes.
    Bytes,
    /// Single-precision floats.
    Floats,
    /// Other numbers.
    Others,
}

impl RowFile {
    /// Whether the file at `path` is one whose rows can be read at their place.
    pub fn is_one(path: &Path) -> bool {
        let Ok(mut file) = File::open(path) else { return false };
        let mut start = [0; Magic::LENGTH];
        let is_file = file.metadata().is_ok_and(|found| found.is_file());
        let found = is_file.then(|| read_up_to(&mut file, &mut start).ok()).flatten();
        found.is_some_and(|count| matches!(Magic::of(&start[..count]), Magic::Npy | Magic::Idx))
    }

    /// Reads the header of the array in the file at `path`.
    ///
    /// # Errors
    /// `NotFound` or `Io` if the operating system refuses; `InvalidData` if it is another kind of file, has no rows, or is
    /// not as long as its header says.
    pub fn open(path: &Path) -> Result<RowFile> {
        let mut file = reading::open(path)?;
        let read = |error| Error::io("read", path, error);
        let length = file.metadata().map_err(read)?.len();
        let mut start = vec![0; LONGEST_HEADER];
        let count = read_up_to(&mut file, &mut start).map_err(read)?;
        let found = RowFile::of_header(path, length, &start[..count]);
        found.map_err(|error| error.context(path.display()))
    }

    fn of_header(path: &Path, length: u64, bytes: &[u8]) -> Result<RowFile> {
        let (shape, start, size, element) = match Magic::of(bytes) {
            Magic::Npy => {
                let header = npy::row_header(bytes)?;
                (header.shape, header.start, header.size, Element::Npy(header.descr))
            }
            Magic::Gzip => {
                return Err(invalid(
                    "the file is compressed, so its rows cannot be read at their places: unpack it first",
                ));
            }
            _ => {
                let (shape, start, element) = idx::row_header(bytes)?;
                (shape, start, element.size(), Element::Idx(element))
            }
        };
        let Some((&samples, sample_shape)) = shape.split_first() else {
            return Err(invalid("the file holds a single number, expected rows"));
        };
        let values = shape.iter().try_fold(size, |bytes, &length| bytes.checked_mul(length));
        let promised = values.map(|bytes| bytes as u64 + start as u64);
        if promised != Some(length) {
            let promised =
                promised.map_or("more than any file has".to_owned(), |it| it.to_string());
            return Err(invalid(format!(
                "the file has {length} bytes, but its header promises an array of shape {shape:?}, for which it must \
                 have {promised}: it is truncated or damaged; copy it again"
            )));
        }
        let mut file = RowFile {
            path: path.to_owned(),
            start: start as u64,
            length,
            samples,
            sample_shape: sample_shape.to_vec(),
            size,
            element,
            is_beyond_memory: false,
        };
        file.set_bytes_in_all(length);
        Ok(file)
    }

    /// Says how many bytes are read again and again, this file among others: more than memory has are not worth keeping there.
    pub(crate) fn set_bytes_in_all(&mut self, bytes: u64) {
        self.is_beyond_memory = memory::is_less_than(bytes);
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The shape of a row: empty for a list of numbers.
    pub fn sample_shape(&self) -> &[usize] {
        &self.sample_shape
    }

    /// What the values are.
    pub fn kind(&self) -> RowKind {
        match &self.element {
            Element::Npy(descr) if descr == "|u1" => RowKind::Bytes,
            Element::Npy(descr) if descr == "<f4" => RowKind::Floats,
            Element::Idx(idx::Element::U8) => RowKind::Bytes,
            Element::Idx(idx::Element::F32) => RowKind::Floats,
            Element::Npy(_) | Element::Idx(_) => RowKind::Others,
        }
    }

    /// Bytes of a row.
    pub fn row_bytes(&self) -> usize {
        self.size * self.sample_shape.iter().product::<usize>()
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// These rows.
    ///
    /// # Errors
    /// `Io` if the operating system refuses; `InvalidData` if the file is no longer as long as it was, or a value cannot be
    /// read. Panics for rows beyond the last.
    pub fn read(&self, rows: Range<usize>) -> Result<Array> {
        let mut shape = vec![rows.len()];
        shape.extend(&self.sample_shape);
        let values = self.decode(self.bytes(rows, Vec::new())?)?;
        Ok(Array { shape, values })
    }

    /// The values that bytes of this file are.
    pub(crate) fn decode(&self, bytes: Vec<u8>) -> Result<Values> {
        let values = match &self.element {
            Element::Npy(descr) => npy::decode(descr, bytes),
            Element::Idx(element) => Ok(element.decode(bytes)),
        };
        values.map_err(|error| error.context(self.path.display()))
    }

    /// The bytes of these rows as they are in the file, in the memory of `bytes`, which are replaced.
    pub(crate) fn bytes(&self, rows: Range<usize>, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (row, samples) = (self.row_bytes(), self.samples);
        assert!(rows.start <= rows.end && rows.end <= samples, "rows {rows:?} of {samples}");
        let mut file = self.file()?;
        let read = |error| self.unreadable(error);
        let size = rows.len() * row;
        let start = self.start + (rows.start * row) as u64;
        let is_read = self.is_beyond_memory
            && direct::read(&self.path, start..start + size as u64, &mut bytes).is_ok();
        if is_read && bytes.len() == size {
            return Ok(bytes);
        }
        // Whatever prevented that may not prevent this; if it does, the error tells what it is.
        file.seek(SeekFrom::Start(start)).map_err(read)?;
        // Not zeroed first: that took a tenth of the time of reading.
        bytes.clear();
        bytes.reserve_exact(size);
        file.take(size as u64).read_to_end(&mut bytes).map_err(read)?;
        match bytes.len() == size {
            true => Ok(bytes),
            false => Err(self.unreadable(ErrorKind::UnexpectedEof.into())),
        }
    }

    /// The SHA-256 of the whole file, header and all; `on_piece` hears how many bytes were read.
    ///
    /// # Errors
    /// As [`RowFile::read`].
    pub(crate) fn sha256(&self, mut on_piece: impl FnMut(usize)) -> Result<Digest> {
        let (mut file, mut piece) = (self.file()?, vec![0; PIECE]);
        let mut hash = Sha256::new();
        loop {
            let count = read_up_to(&mut file, &mut piece).map_err(|it| self.unreadable(it))?;
            if count == 0 {
                return Ok(hash.finalize().into());
            }
            hash.update(&piece[..count]);
            on_piece(count);
        }
    }

    /// The file, if it still is as long as it was.
    fn file(&self) -> Result<File> {
        let file = reading::open(&self.path)?;
        match file.metadata().map_err(|error| self.unreadable(error))?.len() {
            now if now == self.length => Ok(file),
            now => Err(Error::data(
                &self.path,
                format!(
                    "the file had {} bytes and now has {now}: it was changed while it was read; copy it again",
                    self.length
                ),
            )),
        }
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        match error.kind() {
            ErrorKind::UnexpectedEof => {
                Error::data(&self.path, "the file was truncated while it was read; copy it again")
            }
            _ => Error::io("read", &self.path, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{gzip, idx_file, npy_file};
    use std::fs;

    #[test]
    fn any_rows_are_those_of_the_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let floats: Vec<u8> = (0..60).flat_map(|at| (at as f32 / 7.0).to_le_bytes()).collect();
        let bytes: Vec<u8> = (0..60).collect();
        for content in [
            npy_file("<f4", "(10, 2, 3)", &floats),
            npy_file("|u1", "(10, 6)", &bytes),
            npy_file(">i2", "(10, 3)", &bytes),
            idx_file(8, &[10, 2, 3], &bytes),
            idx_file(11, &[10, 3], &bytes),
        ] {
            fs::write(&path, &content).unwrap();
            assert!(RowFile::is_one(&path));
            let whole = match content[0] {
                0 => idx::parse_idx(&content).unwrap(),
                _ => npy::parse_npy(&content).unwrap(),
            };
            let mut file = RowFile::open(&path).unwrap();
            assert_eq!((file.samples(), file.sample_shape()), (10, &whole.shape[1..]));
            for bytes in [content.len() as u64, u64::MAX] {
                file.set_bytes_in_all(bytes);
                assert_eq!(file.read(0..10).unwrap(), whole);
                let (part, width) = (file.read(3..7).unwrap(), whole.values.len() / 10);
                assert_eq!(part.shape[0], 4);
                assert_eq!(part.values.to_f64(), whole.values.to_f64()[3 * width..7 * width]);
            }
            assert_eq!(file.sha256(|_| {}).unwrap(), crate::bytes::sha256(&content));
        }
    }

    #[test]
    fn damaged_and_other_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.npy");
        let whole = npy_file("|u1", "(10, 6)", &[7; 60]);
        let error = |content: &[u8]| {
            fs::write(&path, content).unwrap();
            let error = RowFile::open(&path).unwrap_err().to_string();
            assert!(error.contains("a.npy"), "{error}");
            error
        };
        assert!(error(&whole[..whole.len() - 1]).contains("truncated or damaged"));
        assert!(error(&[&whole[..], &[0]].concat()).contains("truncated or damaged"));
        assert!(error(&gzip(&whole)).contains("unpack it first"));
        assert!(error(b"a,b\n1,2\n").contains("not an IDX file"));
        assert!(error(&npy_file("|u1", "()", &[7])).contains("single number"));
        assert!(error(&npy_file("<U1", "(1,)", &[0; 4])).contains("only labels"));
        let fortran = String::from_utf8_lossy(&whole[..128]).into_owned();
        assert!(fortran.contains("False"));
        let at = whole.windows(5).position(|it| it == b"False").unwrap();
        let mut fortran = whole.clone();
        fortran[at..at + 5].copy_from_slice(b"True ");
        assert!(error(&fortran).contains("ascontiguousarray"));
        fs::write(&path, &whole).unwrap();
        let file = RowFile::open(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        let error = file.read(0..1).unwrap_err().to_string();
        assert!(error.contains("changed while it was read"), "{error}");
        assert!(!RowFile::is_one(folder.path()));
    }
}
