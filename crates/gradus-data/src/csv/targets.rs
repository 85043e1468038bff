//! The targets of the rows of a table: labels or values, row by row from text or as whole columns of a file with types.

use gradus_core::samples::blurred_targets;
#[cfg(feature = "parquet")]
use gradus_core::samples::{RawColumn, TEXT_GAP};
#[cfg(feature = "parquet")]
use gradus_core::transform::columns::time_text;

#[cfg(feature = "parquet")]
use super::fields::Gaps;
use super::fields::{Decimals, Labels, Rows};
use super::options::TableOptions;
#[cfg(feature = "parquet")]
use super::texts::number_text;
use crate::Targets;

/// What targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetKind {
    /// There are none, or it does not matter what they hold.
    None,
    Classes,
    Values,
}

impl TargetKind {
    /// That of samples with targets.
    pub(super) fn of(options: &TableOptions) -> TargetKind {
        if options.values { TargetKind::Values } else { TargetKind::Classes }
    }
}

/// The targets of some rows.
pub(super) enum ReadTargets {
    None,
    Classes(Labels),
    Values(Rows),
}

impl ReadTargets {
    /// Of no row; `classes` are those that are known, in their order.
    pub(super) fn new(kind: TargetKind, classes: &[String]) -> ReadTargets {
        match kind {
            TargetKind::None => ReadTargets::None,
            TargetKind::Classes => ReadTargets::Classes(Labels::of_classes(classes)),
            TargetKind::Values => ReadTargets::Values(Rows::default()),
        }
    }

    /// Adds the next field of the next row; `decimals` are the marks of all numbers of the table.
    pub(super) fn push(&mut self, field: &[u8], decimals: &mut Decimals) -> Result<(), String> {
        match self {
            ReadTargets::None => Ok(()),
            ReadTargets::Classes(labels) => labels.push(field),
            ReadTargets::Values(rows) => rows.push(field, decimals),
        }
    }

    /// Adds the targets of later rows.
    pub(super) fn append(&mut self, later: ReadTargets) -> Result<(), String> {
        match (self, later) {
            (ReadTargets::Classes(labels), ReadTargets::Classes(more)) => labels.append(more),
            (ReadTargets::Values(rows), ReadTargets::Values(more)) => {
                rows.values.extend(more.values);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Forgets the rows, but not the classes.
    pub(super) fn forget_rows(&mut self) {
        match self {
            ReadTargets::None => {}
            ReadTargets::Classes(labels) => labels.forget_rows(),
            ReadTargets::Values(rows) => rows.values.clear(),
        }
    }

    /// As [`blurred_targets`], of all rows of a table.
    pub(super) fn blurred(&self, outputs: usize) -> Option<String> {
        match self {
            ReadTargets::None | ReadTargets::Classes(_) => None,
            ReadTargets::Values(rows) => blurred_targets(&rows.values, outputs),
        }
    }

    /// The targets, of which values have these names.
    pub(super) fn finish(self, names: Vec<String>) -> Targets {
        match self {
            ReadTargets::None => Targets::Values { values: Vec::new(), names },
            ReadTargets::Classes(labels) => {
                let (labels, names) = labels.sorted();
                Targets::Classes { labels, names }
            }
            ReadTargets::Values(rows) => {
                let values = rows.values.into_iter().map(|value| value as f32).collect();
                Targets::Values { values, names }
            }
        }
    }
}

/// Whether each row has all of the targets in these columns.
#[cfg(feature = "parquet")]
pub(super) fn has_targets(columns: &[RawColumn], gaps: &Gaps) -> Vec<bool> {
    let rows = columns.first().map_or(0, RawColumn::len);
    let is_gap: Vec<Vec<bool>> = columns
        .iter()
        .map(|column| match column {
            RawColumn::Text { values, .. } => {
                values.iter().map(|it| gaps.contain(it.as_bytes())).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let has = |(column, is_gap): (&RawColumn, &Vec<bool>), row| match column {
        RawColumn::Text { codes, .. } => codes[row] != TEXT_GAP && !is_gap[codes[row] as usize],
        _ => !column.is_gap(row),
    };
    (0..rows).map(|row| columns.iter().zip(&is_gap).all(|it| has(it, row))).collect()
}

/// The targets in these columns, of rows that have all of them; `classes` are those that are known.
///
/// # Errors
/// The row and the column of a value that is no target, and what is wrong with it.
#[cfg(feature = "parquet")]
pub(super) fn of_columns(
    columns: &[RawColumn],
    kind: TargetKind,
    classes: &[String],
) -> Result<ReadTargets, (usize, usize, String)> {
    let (mut targets, mut decimals) = (ReadTargets::new(kind, classes), Decimals::of(b','));
    let rows = columns.first().map_or(0, RawColumn::len);
    for row in 0..rows {
        for (at, column) in columns.iter().enumerate() {
            let pushed = match (column, &mut targets) {
                (RawColumn::Numbers(numbers), ReadTargets::Values(rows)) => {
                    rows.values.push(numbers[row]);
                    Ok(())
                }
                (RawColumn::Numbers(numbers), targets) => {
                    targets.push(number_text(numbers[row]).as_bytes(), &mut decimals)
                }
                (RawColumn::Text { codes, values, .. }, targets) => {
                    let text = values.get(codes[row] as usize).map_or("", String::as_str);
                    targets.push(text.as_bytes(), &mut decimals)
                }
                (RawColumn::Times(times), targets) => {
                    targets.push(time_text(times[row]).as_bytes(), &mut decimals)
                }
            };
            pushed.map_err(|problem| (row, at, problem))?;
        }
    }
    Ok(targets)
}
