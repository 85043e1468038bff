//! Rows of a table with types: the columns of some of its rows in, features and targets out; all rows at once, or some at a
//! time.

use arrow_array::RecordBatch;
use gradus_core::samples::RawColumn;
use rayon::prelude::*;

use super::arrow::{Growing, Misfit};
use super::fields::Gaps;
use super::head::{Head, Layout};
use super::quiet::guarded;
use super::samples::convert;
use super::survey::Counting;
use super::targets::{ReadTargets, TargetKind, has_targets, of_columns};
use super::typed::{DatedColumn, ReadColumn, Wanted};
use crate::error::{Error, Result};
use crate::{ColumnType, invalid};

/// The positions of the columns that are read, features first, and which of them are wanted as text.
pub(super) fn places_of(
    layout: &Layout,
    wanted: &[Wanted],
    kind: TargetKind,
) -> (Vec<usize>, Vec<bool>) {
    let targets = if kind == TargetKind::None { &[][..] } else { &layout.targets[..] };
    let as_text = wanted.iter().map(|it| it.kind == Some(ColumnType::Text));
    let as_text = as_text.chain(targets.iter().map(|_| kind == TargetKind::Classes));
    ([&layout.features[..], targets].concat(), as_text.collect())
}

/// The error for a value, in this row counted from 0.
pub(super) fn misfit(head: &Head, row: usize, at: usize, problem: &str) -> Error {
    invalid(format!("row {} (counted from 1), {}: {problem}", row + 1, head.column(at)))
}

/// Some rows, whose columns were read.
pub(super) struct StoredRows<'a> {
    layout: &'a Layout,
    features: Vec<RawColumn>,
    targets: Vec<RawColumn>,
    /// The number of the first row in its file.
    first: usize,
    /// Which rows are kept, if some are left out.
    kept: Option<Vec<bool>>,
}

impl<'a> StoredRows<'a> {
    /// Rows from number `first` on, in the columns of [`places_of`].
    pub(super) fn new(
        layout: &'a Layout,
        mut columns: Vec<RawColumn>,
        first: usize,
    ) -> StoredRows<'a> {
        let targets = columns.split_off(layout.features.len());
        StoredRows { layout, features: columns, targets, first, kept: None }
    }

    /// Number of rows.
    pub(super) fn count(&self) -> usize {
        self.features.iter().chain(&self.targets).next().map_or(0, RawColumn::len)
    }

    /// Leaves out the rows that lack a target, and says how many.
    pub(super) fn leave_out(&mut self, gaps: &Gaps) -> usize {
        let has = has_targets(&self.targets, gaps);
        let left_out = has.iter().filter(|has| !**has).count();
        if left_out > 0 {
            for columns in [&mut self.targets, &mut self.features] {
                *columns = std::mem::take(columns).into_iter().map(|it| keep(it, &has)).collect();
            }
            self.kept = Some(has);
        }
        left_out
    }

    /// The number in the file of a row that is kept.
    fn row(&self, row: usize) -> usize {
        let kept = self.kept.iter().flatten().enumerate().filter(|it| *it.1).nth(row);
        self.first + kept.map_or(row, |it| it.0)
    }

    /// The targets; `classes` are those that are known.
    ///
    /// # Errors
    /// `InvalidData` with row and column for a value that is no target.
    pub(super) fn targets(
        &self,
        head: &Head,
        kind: TargetKind,
        classes: &[String],
    ) -> Result<ReadTargets> {
        of_columns(&self.targets, kind, classes).map_err(|(row, at, problem)| {
            misfit(head, self.row(row), self.layout.targets[at], &problem)
        })
    }

    /// The features as they are wanted.
    ///
    /// # Errors
    /// `InvalidData` with row and column for a value that is not what is wanted.
    pub(super) fn features(
        mut self,
        head: &Head,
        wanted: &[Wanted],
        gaps: &Gaps,
    ) -> Result<Vec<DatedColumn>> {
        let features = std::mem::take(&mut self.features);
        let convert = |((column, &wanted), &at): ((RawColumn, &Wanted), &usize)| {
            let column = convert(column, wanted, gaps);
            column
                .map(|(column, order)| (ReadColumn::Raw(column), order))
                .map_err(|(row, problem)| misfit(head, self.row(row), at, &problem))
        };
        let pairs = features.into_par_iter().zip(wanted).zip(&self.layout.features);
        let columns: Vec<Result<DatedColumn>> = pairs.map(convert).collect();
        columns.into_iter().collect()
    }

    /// Adds the rows of the first feature to those before, those that were left out among them.
    pub(super) fn count_first(&self, counting: &mut Counting) {
        let Some(first) = self.features.first() else { return };
        let number = |row: usize| match first {
            RawColumn::Numbers(numbers) => numbers.get(row).copied(),
            RawColumn::Text { .. } | RawColumn::Times(_) => None,
        };
        match &self.kept {
            None => (0..first.len()).for_each(|row| counting.add(number(row))),
            Some(kept) => {
                let mut rows = 0..;
                for &kept in kept {
                    match kept {
                        true => counting.add(rows.next().and_then(number)),
                        false => counting.skip(),
                    }
                }
            }
        }
    }

    /// The features as they are in the file.
    pub(super) fn raw(&self) -> &[RawColumn] {
        &self.features
    }
}

/// Arrays of some rows, one after the other.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The columns of a file, some rows at a time.
pub(super) struct StoredPieces {
    pub(super) batches: Batches,
    /// The place of each wanted column in a batch.
    pub(super) places: Vec<usize>,
    /// Its place in the file.
    pub(super) columns: Vec<usize>,
    pub(super) kinds: Vec<ColumnType>,
    pub(super) rows_of_piece: usize,
    /// Rows read so far.
    pub(super) rows: usize,
}

/// The columns of some rows.
pub(super) struct StoredPiece {
    pub(super) columns: Vec<RawColumn>,
    /// The number of the first row.
    pub(super) first: usize,
    /// The columns, by their place in the file, in which a whole number was rounded.
    pub(super) rounded: Vec<usize>,
}

impl StoredPieces {
    /// The next rows; none at the end.
    ///
    /// # Errors
    /// `InvalidData` if the file is damaged, or for a value that cannot be used.
    pub(super) fn next(&mut self, head: &Head) -> Result<Option<StoredPiece>> {
        let mut growing: Vec<Growing> = self.kinds.iter().map(|&it| Growing::new(it)).collect();
        let first = self.rows;
        while self.rows - first < self.rows_of_piece {
            let Some(batch) = guarded(|| self.batches.next().transpose())? else { break };
            let (rows, columns) = (self.rows, &self.columns);
            let push = |((column, &place), &at): ((&mut Growing, &usize), &usize)| {
                let pushed = |(row, problem): Misfit| misfit(head, rows + row, at, &problem);
                guarded(|| column.push(batch.column(place)).map_err(pushed))
            };
            let pairs = growing.par_iter_mut().zip(&self.places).zip(columns);
            let pushed: Vec<Result<()>> = pairs.map(push).collect();
            pushed.into_iter().collect::<Result<()>>()?;
            self.rows += batch.num_rows();
        }
        if self.rows == first {
            return Ok(None);
        }
        let rounded = growing.iter().zip(&self.columns).filter(|(it, _)| it.is_rounded);
        let rounded = rounded.map(|(_, &at)| at).collect();
        let columns = growing.into_iter().map(Growing::finish).collect();
        Ok(Some(StoredPiece { columns, first, rounded }))
    }
}

/// The rows of a column that are to be kept.
fn keep(column: RawColumn, has: &[bool]) -> RawColumn {
    fn kept<T>(values: Vec<T>, has: &[bool]) -> Vec<T> {
        values.into_iter().zip(has).filter(|(_, has)| **has).map(|(value, _)| value).collect()
    }
    match column {
        RawColumn::Numbers(values) => RawColumn::Numbers(kept(values, has)),
        RawColumn::Times(values) => RawColumn::Times(kept(values, has)),
        RawColumn::Text { codes, values, is_chosen } => {
            RawColumn::Text { codes: kept(codes, has), values, is_chosen }
        }
    }
}
