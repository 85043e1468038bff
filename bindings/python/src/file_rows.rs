//! Samples that stay in their file, such as those of a NumPy memory map: where they are in, rows that are read while a network is
//! trained on them out. Their memory does not depend on their number.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use gradus::data::{DataDigest, Dataset, DigestOfParts, Inputs, Source, Sums, Targets};
use gradus::{Error, ErrorKind, Result};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Bytes that are read at a time where all samples are gone through.
const PIECE: usize = 4 << 20;

/// The rows of an array of uint8 or float32 in a file, one behind the other from `start` on.
#[pyclass(frozen, module = "gradus._core")]
pub(crate) struct FileRows {
    path: PathBuf,
    start: u64,
    samples: usize,
    features: usize,
    are_bytes: bool,
}

#[pymethods]
impl FileRows {
    #[new]
    fn new(path: PathBuf, start: u64, shape: (usize, usize), r#type: &str) -> PyResult<FileRows> {
        let are_bytes = match r#type {
            "uint8" => true,
            "float32" => false,
            other => {
                return Err(PyValueError::new_err(format!(
                    "rows of {other} in a file: expected uint8 or float32"
                )));
            }
        };
        Ok(FileRows { path, start, samples: shape.0, features: shape.1, are_bytes })
    }

    /// Number of samples, and of values in each.
    #[getter]
    fn shape(&self) -> (usize, usize) {
        (self.samples, self.features)
    }
}

impl FileRows {
    /// Number of samples, and of values in each.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.samples, self.features)
    }

    /// The samples with these targets. They are read once, for what training must know of all of them.
    pub(crate) fn dataset(&self, targets: Targets, shape: Vec<usize>) -> Result<Dataset> {
        let file = File::open(&self.path).map_err(|error| self.unreadable(&error))?;
        let rows = FileRows { path: self.path.clone(), ..*self };
        let reader = Reader { rows, file: Mutex::new(file), targets, shape };
        let (mut digest, mut sums) = (DigestOfParts::default(), Sums::default());
        let each = (PIECE / reader.rows.row_bytes().max(1)).max(1);
        for first in (0..self.samples).step_by(each) {
            let rows = first..(first + each).min(self.samples);
            let inputs = reader.inputs(rows.clone())?;
            if let Some((value, (row, column))) = inputs.rows().not_finite(self.features) {
                let what = if value.is_nan() { "NaN" } else { "infinity" };
                return Err(Error::new(
                    ErrorKind::InvalidData,
                    format!(
                        "X has {what} in row {}, column {column}; expected finite numbers only: fill the gap or leave the \
                         row out",
                        first + row
                    ),
                ));
            }
            let part = reader.samples(inputs, rows)?;
            digest.add(&part);
            sums.add(&part);
        }
        let digest = digest.finish(std::iter::once(Ok(reader.targets.clone())))?;
        Dataset::streamed(FileSource { reader, digest, sums })
    }

    fn row_bytes(&self) -> usize {
        self.features * if self.are_bytes { 1 } else { 4 }
    }

    fn unreadable(&self, error: &std::io::Error) -> Error {
        let problem = match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                "the file of X is shorter than its memory map".to_owned()
            }
            _ => format!("the file of X cannot be read: {error}"),
        };
        Error::new(ErrorKind::Io, format!("{}: {problem}", self.path.display()))
    }
}

/// Reads samples at their places.
struct Reader {
    rows: FileRows,
    file: Mutex<File>,
    targets: Targets,
    shape: Vec<usize>,
}

impl Reader {
    fn inputs(&self, rows: Range<usize>) -> Result<Inputs> {
        let row_bytes = self.rows.row_bytes();
        let mut bytes = vec![0; rows.len() * row_bytes];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            let place = self.rows.start + (rows.start * row_bytes) as u64;
            file.seek(SeekFrom::Start(place))
                .and_then(|_| file.read_exact(&mut bytes))
                .map_err(|error| self.rows.unreadable(&error))?;
        }
        if self.rows.are_bytes {
            return Ok(Inputs::Bytes(bytes));
        }
        let values = bytes.as_chunks::<4>().0.iter();
        Ok(Inputs::Floats(values.map(|&value| f32::from_ne_bytes(value)).collect()))
    }

    fn samples(&self, inputs: Inputs, rows: Range<usize>) -> Result<Dataset> {
        Dataset::with_targets(inputs, self.targets.rows(rows), self.shape.clone())
    }
}

/// The samples, and what is known of all of them.
struct FileSource {
    reader: Reader,
    digest: DataDigest,
    sums: Sums,
}

impl Source for FileSource {
    fn samples(&self) -> usize {
        self.reader.rows.samples
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        self.reader.samples(self.reader.inputs(rows.clone())?, rows)
    }

    fn targets(&self) -> Result<Targets> {
        Ok(self.reader.targets.clone())
    }

    fn digest(&self) -> DataDigest {
        self.digest.clone()
    }

    fn sums(&self) -> Result<Sums> {
        Ok(self.sums.clone())
    }
}
