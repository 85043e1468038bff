//! An array that is read from its beginning to its end, some rows at a time: a file or an entry of an archive in, parts of the
//! array out.

use std::io::Read;

use super::array::{Array, Values};
use super::bytes::read_up_to;
use super::invalid;
use crate::error::Result;

/// How bytes become values.
pub(crate) type Decode = Box<dyn Fn(Vec<u8>) -> Result<Values> + Send>;

/// An array whose rows are still to be read.
pub(crate) struct ArrayRows {
    shape: Vec<usize>,
    /// Bytes of a value.
    size: usize,
    decode: Decode,
    reader: Box<dyn Read + Send>,
    /// Whether the values are unsigned bytes.
    are_bytes: bool,
    /// Rows that were read.
    done: usize,
}

impl ArrayRows {
    /// The array whose values `reader` gives, in row-major order.
    pub(crate) fn new(
        shape: Vec<usize>,
        size: usize,
        decode: Decode,
        reader: Box<dyn Read + Send>,
        are_bytes: bool,
    ) -> ArrayRows {
        ArrayRows { shape, size, decode, reader, are_bytes, done: 0 }
    }

    /// The shape of the whole array.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the values are unsigned bytes.
    pub(crate) fn are_bytes(&self) -> bool {
        self.are_bytes
    }

    /// Bytes of a row.
    pub(crate) fn row_bytes(&self) -> usize {
        self.size * self.shape[1..].iter().product::<usize>()
    }

    /// The next rows, at most so many; none at the end.
    ///
    /// # Errors
    /// `InvalidData` if the data are truncated or damaged, or go on behind the last row.
    pub(crate) fn next(&mut self, most: usize) -> Result<Option<Array>> {
        let rows = most.min(self.shape[0] - self.done);
        if rows == 0 {
            return Ok(None);
        }
        let unreadable = |error: std::io::Error| {
            invalid(format!("the values cannot be read: {error}; copy or download the file again"))
        };
        let mut bytes = vec![0; rows * self.row_bytes()];
        let found = read_up_to(&mut self.reader, &mut bytes).map_err(unreadable)?;
        if found < bytes.len() {
            return Err(invalid(format!(
                "the file is truncated: its header promises {} rows, and it ends in row {}; copy or download it again",
                self.shape[0],
                self.done + found / self.row_bytes().max(1)
            )));
        }
        self.done += rows;
        if self.done == self.shape[0]
            && !super::bytes::at_end(&mut self.reader).map_err(unreadable)?
        {
            return Err(invalid(
                "the file goes on behind the values that its header promises: it is damaged",
            ));
        }
        let shape = std::iter::once(rows).chain(self.shape[1..].iter().copied()).collect();
        Ok(Some(Array { shape, values: (self.decode)(bytes)? }))
    }
}
