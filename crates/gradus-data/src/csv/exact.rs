//! The columns of a file that keeps types, to be written again: whole numbers with all digits, times with parts of seconds.

use std::io::{self, Read};

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type,
};
use arrow_schema::{DataType, TimeUnit};
use gradus_core::samples::{RawColumn, TEXT_GAP, TIME_GAP};
use gradus_core::transform::columns::time_text;

use super::arrow::{Growing, type_of};
use super::columns::Column;
use super::stored::StoredTable;
use crate::error::Result;
use crate::invalid;

/// The bytes of text that are made at a time, about.
const PIECE: usize = 1 << 16;

/// Reads all columns with their names.
///
/// # Errors
/// `InvalidData` for a column of lists or groups, and if the file is damaged.
pub(super) fn columns_of(table: &StoredTable) -> Result<Vec<(String, Column)>> {
    let names: Vec<String> = (0..table.head.columns).map(|at| table.head.name(at)).collect();
    let mut columns: Vec<Column> = (0..names.len())
        .map(|at| {
            empty(table.data_type(at)).map_err(|held| {
                invalid(format!(
                    "{} holds {held}, which cannot be written again",
                    table.head.column(at)
                ))
            })
        })
        .collect::<Result<_>>()?;
    table.each_batch(&mut |batch| {
        for (column, array) in columns.iter_mut().zip(batch.columns()) {
            push(column, array.as_ref()).map_err(invalid)?;
        }
        Ok(())
    })?;
    Ok(names.into_iter().zip(columns).collect())
}

/// A column without rows for values of a type.
fn empty(stored: &DataType) -> std::result::Result<Column, String> {
    use gradus_core::samples::ColumnType as Kind;
    Ok(match (type_of(stored)?, stored) {
        (_, DataType::Boolean) => Column::Truth(Vec::new()),
        (Kind::Number, stored) if stored.is_integer() && *stored != DataType::UInt64 => {
            Column::Whole(Vec::new())
        }
        (Kind::Number, _) => Column::Double(Vec::new()),
        (Kind::Time, _) => Column::Time(Vec::new()),
        (Kind::Text, _) => Column::Text(Vec::new()),
    })
}

/// Adds the values of an array.
fn push(column: &mut Column, array: &dyn Array) -> std::result::Result<(), String> {
    let rows = 0..array.len();
    macro_rules! whole {
        ($values:ident, $type:ty) => {
            $values.extend(array.as_primitive::<$type>().iter().map(|it| it.map(i64::from)))
        };
    }
    macro_rules! micros {
        ($values:ident, $type:ty, $convert:expr) => {
            $values.extend(array.as_primitive::<$type>().iter().map(|it| it.map($convert)))
        };
    }
    match (column, array.data_type()) {
        (Column::Truth(values), DataType::Boolean) => {
            values.extend(array.as_boolean().iter());
        }
        (Column::Whole(values), stored) => match stored {
            DataType::Int8 => whole!(values, Int8Type),
            DataType::Int16 => whole!(values, Int16Type),
            DataType::Int32 => whole!(values, Int32Type),
            DataType::Int64 => whole!(values, Int64Type),
            DataType::UInt8 => whole!(values, UInt8Type),
            DataType::UInt16 => whole!(values, UInt16Type),
            DataType::UInt32 => whole!(values, UInt32Type),
            other => unreachable!("{other} has a column of its own"),
        },
        (Column::Time(values), DataType::Timestamp(unit, _)) => match unit {
            TimeUnit::Second => {
                micros!(values, TimestampSecondType, |it: i64| it.saturating_mul(1_000_000))
            }
            TimeUnit::Millisecond => {
                micros!(values, TimestampMillisecondType, |it: i64| it.saturating_mul(1000));
            }
            TimeUnit::Microsecond => micros!(values, TimestampMicrosecondType, |it: i64| it),
            TimeUnit::Nanosecond => {
                micros!(values, TimestampNanosecondType, |it: i64| it.div_euclid(1000))
            }
        },
        (column, stored) => {
            let kind = type_of(stored)?;
            let mut growing = Growing::new(kind);
            growing
                .push(array)
                .map_err(|(row, problem)| format!("row {row} of a batch: {problem}"))?;
            match (column, growing.finish()) {
                (Column::Double(all), RawColumn::Numbers(values)) => {
                    all.extend(values.into_iter().map(|it| Some(it).filter(|it| !it.is_nan())));
                }
                (Column::Time(all), RawColumn::Times(values)) => {
                    let micros = |it: i64| (it != TIME_GAP).then(|| it.saturating_mul(1_000_000));
                    all.extend(values.into_iter().map(micros));
                }
                (Column::Text(all), RawColumn::Text { codes, values, .. }) => {
                    let text = |row: usize| {
                        (codes[row] != TEXT_GAP).then(|| values[codes[row] as usize].clone())
                    };
                    all.extend(rows.map(text));
                }
                _ => unreachable!("both are of one type"),
            }
        }
    }
    Ok(())
}

/// The text of the table in a file that keeps types: a header, and a line for each row, with commas.
pub(super) struct StoredText {
    columns: Vec<(String, Column)>,
    row: usize,
    text: String,
    at: usize,
}

impl StoredText {
    /// # Errors
    /// As [`columns_of`].
    pub(super) fn new(table: &StoredTable) -> Result<StoredText> {
        let columns = columns_of(table)?;
        let mut text = String::new();
        for (at, (name, _)) in columns.iter().enumerate() {
            text.push_str(if at > 0 { "," } else { "" });
            push_quoted(&mut text, name);
        }
        text.push('\n');
        Ok(StoredText { columns, row: 0, text, at: 0 })
    }
}

impl Read for StoredText {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rows = self.columns.first().map_or(0, |(_, column)| column.len());
        if self.at == self.text.len() {
            self.text.clear();
            self.at = 0;
            while self.text.len() < PIECE && self.row < rows {
                push_row(&mut self.text, &self.columns, self.row);
                self.row += 1;
            }
        }
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

fn push_row(text: &mut String, columns: &[(String, Column)], row: usize) {
    let start = text.len();
    for (at, (_, column)) in columns.iter().enumerate() {
        text.push_str(if at > 0 { "," } else { "" });
        match column {
            Column::Whole(values) => push_number(text, values[row]),
            Column::Double(values) => push_number(text, values[row]),
            Column::Single(values) => push_number(text, Some(values[row])),
            Column::Truth(values) => push_number(text, values[row]),
            Column::Time(values) => {
                values[row].into_iter().for_each(|micros| push_time(text, micros))
            }
            Column::Text(values) => values[row].iter().for_each(|value| push_quoted(text, value)),
        }
    }
    if text.len() == start {
        // A blank line would be no row.
        text.push_str("NA");
    }
    text.push('\n');
}

fn push_number(text: &mut String, value: Option<impl ToString>) {
    value.into_iter().for_each(|value| text.push_str(&value.to_string()));
}

fn push_time(text: &mut String, micros: i64) {
    let whole = time_text(micros.div_euclid(1_000_000));
    text.push_str(&whole);
    let part = micros.rem_euclid(1_000_000);
    if part > 0 {
        text.push_str(if whole.contains(' ') { "" } else { " 00:00:00" });
        text.push_str(&format!(".{part:06}"));
    }
}

/// Adds a text between quotation marks.
fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}
