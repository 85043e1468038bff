//! NPZ, NumPy's archive of named arrays: a path in, arrays or a pair of data sets out.
//!
//! A data set is stored under Keras's names: `x_train`, `y_train` and, where there is a test part,
//! `x_test`, `y_test`.

use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;

use super::array::Array;
use super::assemble::numbered_parts;
use super::npy::parse_npy;
use super::zip::Archive;
use super::{Dataset, invalid};
use crate::error::{Error, Result};

/// The arrays of an `.npz` file, read one at a time.
pub struct Npz<R> {
    archive: Archive<R>,
}

impl Npz<File> {
    /// Opens an `.npz` file.
    ///
    /// # Errors
    /// `NotFound` or `Io` where the file cannot be read, `InvalidData` where it is no archive.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        let archive = Archive::open(file).map_err(|error| error.context(path.display()))?;
        Ok(Npz { archive })
    }
}

impl<'a> Npz<Cursor<&'a [u8]>> {
    /// An `.npz` file in memory.
    ///
    /// # Errors
    /// `InvalidData` where the bytes are no archive.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        Ok(Npz { archive: Archive::open(Cursor::new(bytes))? })
    }
}

impl<R: Read + Seek> Npz<R> {
    /// The names of the arrays, in the order of the file.
    pub fn names(&self) -> Vec<String> {
        let names = self.archive.entries.iter().map(|entry| entry.name.as_str());
        names.map(|name| name.strip_suffix(".npy").unwrap_or(name).to_owned()).collect()
    }

    /// The array of that name, or `None` where there is none.
    ///
    /// # Errors
    /// `InvalidData` where the array is damaged or holds no numbers.
    pub fn get(&mut self, name: &str) -> Result<Option<Array>> {
        let find = |name: &str| self.archive.find(name);
        let Some(entry) = find(&format!("{name}.npy")).or_else(|| find(name)) else {
            return Ok(None);
        };
        let bytes = self.archive.read(&entry)?;
        parse_npy(&bytes).map(Some).map_err(|error| error.context(format!("array {name}")))
    }
}

/// The training part and, where there is one, the test part of an `.npz` file.
pub fn read_npz(path: &Path) -> Result<(Dataset, Option<Dataset>)> {
    let mut npz = Npz::open(path)?;
    parts(&mut npz).map_err(|error| error.context(path.display()))
}

/// As [`read_npz`], from memory.
pub fn parse_npz(bytes: &[u8]) -> Result<(Dataset, Option<Dataset>)> {
    parts(&mut Npz::from_bytes(bytes)?)
}

fn parts<R: Read + Seek>(npz: &mut Npz<R>) -> Result<(Dataset, Option<Dataset>)> {
    let (Some(inputs), Some(labels)) = (npz.get("x_train")?, npz.get("y_train")?) else {
        return Err(invalid(format!(
            "expected the arrays x_train and y_train (and x_test, y_test for a test part); the file \
             has {}",
            npz.names().join(", ")
        )));
    };
    let test = match (npz.get("x_test")?, npz.get("y_test")?) {
        (Some(inputs), Some(labels)) => Some((inputs, labels)),
        (None, None) => None,
        _ => return Err(invalid("x_test and y_test belong together: one of them is missing")),
    };
    numbered_parts((inputs, labels), test)
}
