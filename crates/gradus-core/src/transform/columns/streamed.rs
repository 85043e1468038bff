//! Raw columns that are not in memory: encoded when they are read. Streamed samples and a schema in, streamed rows of floats out.

use std::ops::Range;

use super::Schema;
use super::encode::{Encoder, all_numbers};
use crate::error::{Error, Result};
use crate::samples::{DataDigest, Dataset, Inputs, Rows, Source, Streamed, Sums, Targets};

/// Rows that are read at a time for sums over all of them.
const ROWS: usize = 8192;

/// Samples of raw columns as a schema encodes them.
struct EncodedRows {
    raw: Streamed,
    schema: Schema,
    /// For each column of text, the number in the schema of each of its values.
    numbers: Vec<Vec<u32>>,
}

impl Schema {
    /// Streamed samples of raw columns, encoded when they are read.
    ///
    /// # Errors
    /// Those of [`Schema::check_table`] and of reading.
    pub(crate) fn encode_streamed(&self, raw: &Streamed) -> Result<Streamed> {
        let numbers = match raw.kind() {
            Rows::Table(table) => {
                self.check_table(table)?;
                all_numbers(self, table)
            }
            other => {
                return Err(Error::argument(format!(
                    "a schema encodes raw columns, but these samples are {}",
                    other.kind()
                )));
            }
        };
        Streamed::of(EncodedRows { raw: raw.clone(), schema: self.clone(), numbers })
    }
}

impl Source for EncodedRows {
    fn samples(&self) -> usize {
        self.raw.samples()
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        let data = self.raw.source().read(rows)?;
        let values = match (&data.inputs, self.raw.kind()) {
            // The usual case: all parts of a source share their texts.
            (Inputs::Table(table), Rows::Table(first)) if table.shares_texts(first) => {
                let encoder = Encoder::with_numbers(&self.schema, table, &self.numbers[..]);
                encoder.encode(0..table.rows())
            }
            (Inputs::Table(table), _) => Encoder::new(&self.schema, table)?.encode(0..table.rows()),
            // What a source gives in place of them fits no encoded sample.
            _ => Vec::new(),
        };
        let (inputs, sample_shape) = (Inputs::Floats(values), vec![self.schema.width()]);
        Ok(Dataset { inputs, sample_shape, sample_weights: None, columns: None, ..data })
    }

    fn targets(&self) -> Result<Targets> {
        self.raw.source().targets()
    }

    /// That of the raw columns: the schema is part of the model.
    fn digest(&self) -> DataDigest {
        self.raw.source().digest()
    }

    fn sums(&self) -> Result<Sums> {
        let mut sums = Sums::default();
        for start in (0..self.samples()).step_by(ROWS) {
            sums.add(&self.read(start..(start + ROWS).min(self.samples()))?);
        }
        Ok(sums)
    }
}
