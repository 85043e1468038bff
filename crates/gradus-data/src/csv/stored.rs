//! Tables in files that keep types (Parquet and Arrow): a file in, the columns that are wanted out, each of one type.

use std::path::Path;

use arrow_array::RecordBatch;
use arrow_schema::{ArrowError, DataType, Schema};
use bytes::Bytes;
use gradus_core::files::magic::Magic;
use gradus_core::samples::RawColumn;
use rayon::prelude::*;

use super::arrow::{Growing, Misfit, type_of};
use super::fields::Gaps;
use super::head::{Head, Layout};
use super::ipc::ArrowFile;
use super::parquet::{Content, ParquetFile};
use super::quiet::guarded;
use super::stored_rows::{Batches, StoredPieces, StoredRows, misfit, places_of};
use super::survey::Counting;
use super::targets::{ReadTargets, TargetKind};
use super::typed::{DatedColumn, Wanted};
use crate::bytes::start_of;
use crate::error::{Error, Result};
use crate::{ColumnType, invalid, reading};

/// The values that each byte of a file may stand for, ...
const VALUES_OF_BYTE: u64 = 128;

/// ... and the values that any file may have.
const ALWAYS_VALUES: u64 = 8 << 20;

/// A table whose columns have types.
pub(super) struct StoredTable {
    pub(super) head: Head,
    file: StoredFile,
}

enum StoredFile {
    Parquet(ParquetFile),
    Arrow(ArrowFile),
}

impl StoredTable {
    /// The table in these bytes; none if they are of another kind.
    ///
    /// # Errors
    /// `InvalidData` if they are damaged.
    pub(super) fn of_bytes(bytes: &[u8]) -> Result<Option<StoredTable>> {
        guarded(|| match Magic::of(bytes) {
            Magic::Parquet => {
                let content = Content::Bytes(Bytes::copy_from_slice(bytes));
                ParquetFile::open(content)
                    .and_then(|it| StoredTable::new(StoredFile::Parquet(it)))
                    .map(Some)
            }
            Magic::Arrow => ArrowFile::open(bytes.to_vec())
                .and_then(|it| StoredTable::new(StoredFile::Arrow(it)))
                .map(Some),
            _ => Ok(None),
        })
    }

    /// The table in a file, of which no more is read than is needed; none if it is of another kind.
    ///
    /// # Errors
    /// `NotFound` or `Io` if it cannot be read; `InvalidData` if it is damaged.
    pub(super) fn of_file(path: &Path) -> Result<Option<StoredTable>> {
        let mut file = reading::open(path)?;
        let start = start_of(&mut file)?;
        guarded(|| match Magic::of(&start) {
            Magic::Parquet => {
                let content =
                    Content::of_file(file).map_err(|error| Error::io("read", path, error))?;
                ParquetFile::open(content)
                    .and_then(|it| StoredTable::new(StoredFile::Parquet(it)))
                    .map(Some)
            }
            Magic::Arrow => ArrowFile::open(reading::read(path)?)
                .and_then(|it| StoredTable::new(StoredFile::Arrow(it)))
                .map(Some),
            _ => Ok(None),
        })
    }

    fn new(file: StoredFile) -> Result<StoredTable> {
        let schema = file.schema();
        let names = schema.fields().iter().map(|field| field.name().trim().to_owned()).collect();
        let is_text = |at: &usize| type_of(schema.field(*at).data_type()) == Ok(ColumnType::Text);
        let columns = schema.fields().len();
        let head = Head {
            columns,
            header: Some(names),
            texts: (0..columns).filter(is_text).collect(),
            warnings: Vec::new(),
        };
        match (columns, file.rows()) {
            (0, _) => Err(invalid("the table has no columns")),
            (_, 0) => Err(invalid("the table has no rows")),
            _ => Ok(StoredTable { head, file }),
        }
    }

    /// Reads the features and the targets of all rows, and says whether the first feature counts them. Rows without a target
    /// are left out with a warning if `leaves_out` says so.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn samples(
        &mut self,
        layout: &Layout,
        wanted: &[Wanted],
        kind: TargetKind,
        gaps: &Gaps,
        leaves_out: bool,
    ) -> Result<(Vec<DatedColumn>, ReadTargets, bool)> {
        let (places, as_text) = places_of(layout, wanted, kind);
        let columns = guarded(|| self.read(&places, &as_text))?;
        let mut rows = StoredRows::new(layout, columns, 0);
        let all = rows.count();
        if leaves_out && kind != TargetKind::None {
            let left_out = rows.leave_out(gaps);
            self.head.tell_left_out(left_out as u64, all as u64)?;
        }
        let targets = rows.targets(&self.head, kind, &[])?;
        let mut counting = Counting::default();
        rows.count_first(&mut counting);
        Ok((rows.features(&self.head, wanted, gaps)?, targets, counting.holds()))
    }

    /// Reads these columns, in this order; whole numbers that become text keep all their digits.
    ///
    /// # Errors
    /// `InvalidData` naming the column if it holds lists, groups or anything else that is no number, text or time, if a
    /// value cannot be used, or if the file is damaged.
    fn read(&mut self, columns: &[usize], as_text: &[bool]) -> Result<Vec<RawColumn>> {
        self.file.check_size(columns.len())?;
        let kinds = self.kinds(columns, as_text)?;
        let misfit = |at: usize, rows: usize, (row, problem): Misfit| {
            misfit(&self.head, rows + row, at, &problem)
        };
        let growing: Vec<Growing> = match &self.file {
            StoredFile::Parquet(file) => {
                // Each on a thread of its own.
                let read = |(&at, &kind): (&usize, &ColumnType)| {
                    guarded(|| {
                        let (mut column, mut rows) = (Growing::new(kind), 0);
                        for batch in file.batches(&[at])? {
                            let batch = batch.map_err(unreadable)?;
                            column.push(batch.column(0)).map_err(|it| misfit(at, rows, it))?;
                            rows += batch.num_rows();
                        }
                        Ok(column)
                    })
                };
                let read: Vec<Result<Growing>> = columns.par_iter().zip(&kinds).map(read).collect();
                read.into_iter().collect::<Result<_>>()?
            }
            StoredFile::Arrow(file) => {
                let mut growing: Vec<Growing> =
                    kinds.iter().map(|&kind| Growing::new(kind)).collect();
                let mut rows = 0;
                for batch in file.batches() {
                    let batch = batch?;
                    let push = |(column, &at): (&mut Growing, &usize)| {
                        guarded(|| column.push(batch.column(at)).map_err(|it| misfit(at, rows, it)))
                    };
                    let pushed: Vec<Result<()>> =
                        growing.par_iter_mut().zip(columns).map(push).collect();
                    pushed.into_iter().collect::<Result<()>>()?;
                    rows += batch.num_rows();
                }
                growing
            }
        };
        for (column, &at) in growing.iter().zip(columns) {
            if column.is_rounded {
                self.head.tell_rounded(at);
            }
        }
        let columns: Vec<RawColumn> = growing.into_iter().map(Growing::finish).collect();
        columns.iter().try_for_each(|column| self.check_rows(column.len()))?;
        Ok(columns)
    }

    /// Checks that so many rows were found.
    ///
    /// # Errors
    /// `InvalidData` if the file says that it has another number of them.
    pub(super) fn check_rows(&self, rows: usize) -> Result<()> {
        match rows as u64 == self.file.rows() {
            true => Ok(()),
            false => Err(invalid(format!(
                "the file is damaged: it should have {} rows, but a column has another number of them",
                self.file.rows()
            ))),
        }
    }

    /// The features and targets of all rows, about `bytes` of them at a time.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub(super) fn pieces(
        &self,
        layout: &Layout,
        wanted: &[Wanted],
        kind: TargetKind,
        bytes: usize,
    ) -> Result<StoredPieces> {
        let (columns, as_text) = places_of(layout, wanted, kind);
        self.file.check_size(columns.len())?;
        let kinds = self.kinds(&columns, &as_text)?;
        let (batches, places): (Batches, Vec<usize>) = guarded(|| match &self.file {
            StoredFile::Parquet(file) => {
                let mut read = columns.clone();
                read.sort_unstable();
                read.dedup();
                let place = |at: &usize| read.partition_point(|other| other < at);
                let places = columns.iter().map(place).collect();
                let batches = file.batches(&read)?.map(|batch| batch.map_err(unreadable));
                Ok((Box::new(batches) as Batches, places))
            }
            StoredFile::Arrow(file) => Ok((Box::new(file.batches()) as Batches, columns.clone())),
        })?;
        let rows_of_piece = (bytes / (8 * columns.len().max(1))).max(1);
        Ok(StoredPieces { batches, places, columns, kinds, rows_of_piece, rows: 0 })
    }

    /// Calls `take` with all columns, some rows at a time.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged, and those of `take`.
    pub(super) fn each_batch(
        &self,
        take: &mut dyn FnMut(&RecordBatch) -> Result<()>,
    ) -> Result<()> {
        self.file.check_size(self.head.columns)?;
        guarded(|| match &self.file {
            StoredFile::Parquet(file) => {
                let all: Vec<usize> = (0..self.head.columns).collect();
                for batch in file.batches(&all)? {
                    take(&batch.map_err(unreadable)?)?;
                }
                Ok(())
            }
            StoredFile::Arrow(file) => {
                for batch in file.batches() {
                    take(&batch?)?;
                }
                Ok(())
            }
        })
    }

    /// The values of one column.
    ///
    /// # Errors
    /// As for samples.
    pub(super) fn column(&mut self, at: usize) -> Result<RawColumn> {
        let mut columns = guarded(|| self.read(&[at], &[false]))?;
        Ok(columns.remove(0))
    }

    pub(super) fn data_type(&self, at: usize) -> &DataType {
        self.file.schema().field(at).data_type()
    }

    /// The types of these columns; whole numbers of 64 bits may be wanted as text.
    fn kinds(&self, columns: &[usize], as_text: &[bool]) -> Result<Vec<ColumnType>> {
        let kind = |(&at, &as_text): (&usize, &bool)| {
            let is_long = matches!(self.data_type(at), DataType::Int64 | DataType::UInt64);
            if as_text && is_long { Ok(ColumnType::Text) } else { self.kind(at) }
        };
        columns.iter().zip(as_text).map(kind).collect()
    }

    /// The type of a column.
    fn kind(&self, at: usize) -> Result<ColumnType> {
        type_of(self.data_type(at)).map_err(|held| {
            invalid(format!(
                "{} holds {held}, expected one number, text or time in each row: leave it out with `drop`",
                self.head.column(at)
            ))
        })
    }
}

impl StoredFile {
    fn schema(&self) -> &Schema {
        match self {
            StoredFile::Parquet(file) => file.schema(),
            StoredFile::Arrow(file) => file.schema(),
        }
    }

    fn rows(&self) -> u64 {
        match self {
            StoredFile::Parquet(file) => file.rows(),
            StoredFile::Arrow(file) => file.rows(),
        }
    }

    /// Checks that the bytes of the file can justify the values of so many columns.
    fn check_size(&self, columns: usize) -> Result<()> {
        let bytes = match self {
            StoredFile::Parquet(file) => file.size(),
            StoredFile::Arrow(file) => file.size(),
        };
        let most = bytes.saturating_mul(VALUES_OF_BYTE).max(ALWAYS_VALUES);
        match self.rows().saturating_mul(columns as u64) <= most {
            true => Ok(()),
            false => Err(invalid(format!(
                "the file says that it has {} rows of {columns} columns, which its {bytes} bytes cannot hold",
                self.rows()
            ))),
        }
    }
}

fn unreadable(error: ArrowError) -> Error {
    invalid(format!("a Parquet file that cannot be read: {error}"))
}
