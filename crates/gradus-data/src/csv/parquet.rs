//! Parquet files as tables: the bytes of a file in, the text of a table with the same columns out.
//!
//! The text goes through the reader of CSV tables, so that names, targets, gaps and dates mean the same in both. Text is
//! always quoted, and [`text_columns`] says which columns hold it.

use std::io::{self, Read};

use ::parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use ::parquet::record::reader::RowIter;
use ::parquet::record::{Field, Row};
use bytes::Bytes;
use gradus_core::transform::columns::time_text;

use crate::error::Result;
use crate::invalid;

/// The bytes of text that are made at a time, about.
const PIECE: usize = 1 << 16;

const SECONDS_OF_DAY: i64 = 86_400;

/// The text of the table in a Parquet file.
pub(super) struct ParquetText {
    rows: RowIter<'static>,
    /// For each column, how many of its units make a second, if it holds points in time as plain whole numbers.
    units: Vec<Option<i64>>,
    text: String,
    at: usize,
}

impl ParquetText {
    /// Of the bytes of a file.
    ///
    /// # Errors
    /// `InvalidData` if it is damaged, is compressed in a way that is not read, or has columns of lists or groups.
    pub(super) fn open(bytes: Vec<u8>) -> Result<ParquetText> {
        let reader = open(bytes)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let (mut header, mut units) = (String::new(), Vec::new());
        for (at, column) in schema.columns().iter().enumerate() {
            if column.path().parts().len() > 1 || column.max_rep_level() > 0 {
                return Err(invalid(format!(
                    "the column {} holds lists or groups: expected one value in each row",
                    column.path().string()
                )));
            }
            if at > 0 {
                header.push(',');
            }
            push_quoted(&mut header, column.name());
            let is_nanos = matches!(
                column.logical_type_ref(),
                Some(LogicalType::Timestamp(timestamp)) if timestamp.unit == TimeUnit::NANOS
            );
            units.push(is_nanos.then_some(1_000_000_000));
        }
        header.push('\n');
        let rows = RowIter::from_file_into(Box::new(reader));
        Ok(ParquetText { rows, units, text: header, at: 0 })
    }

    /// Makes the text of the next rows.
    fn refill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        while self.text.len() < PIECE {
            let Some(row) = self.rows.next() else { break };
            let row = row.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            push_row(&mut self.text, &row, &self.units);
        }
        Ok(())
    }
}

impl Read for ParquetText {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            self.refill()?;
        }
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Ok(count)
    }
}

/// Whether each column of a Parquet file holds text.
///
/// # Errors
/// As [`ParquetText::open`].
pub(super) fn text_columns(bytes: Vec<u8>) -> Result<Vec<bool>> {
    let reader = open(bytes)?;
    let schema = reader.metadata().file_metadata().schema_descr();
    let is_text = |column: &::parquet::schema::types::ColumnDescPtr| {
        column.physical_type() == PhysicalType::BYTE_ARRAY
            && column.converted_type() != ConvertedType::DECIMAL
    };
    Ok(schema.columns().iter().map(is_text).collect())
}

fn open(bytes: Vec<u8>) -> Result<SerializedFileReader<Bytes>> {
    SerializedFileReader::new(Bytes::from(bytes))
        .map_err(|error| invalid(format!("a Parquet file that cannot be read: {error}")))
}

fn push_row(text: &mut String, row: &Row, units: &[Option<i64>]) {
    let start = text.len();
    for (at, ((_, field), unit)) in row.get_column_iter().zip(units).enumerate() {
        if at > 0 {
            text.push(',');
        }
        push_field(text, field, *unit);
    }
    if text.len() == start {
        // A blank line would be no row.
        text.push_str("NA");
    }
    text.push('\n');
}

/// Adds the text of a value; a gap is empty.
fn push_field(text: &mut String, field: &Field, unit: Option<i64>) {
    let time = |text: &mut String, seconds: i64| text.push_str(&time_text(seconds));
    match field {
        Field::Long(value) if unit.is_some() => time(text, value.div_euclid(unit.unwrap_or(1))),
        Field::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Field::Byte(value) => text.push_str(&value.to_string()),
        Field::Short(value) => text.push_str(&value.to_string()),
        Field::Int(value) => text.push_str(&value.to_string()),
        Field::Long(value) => text.push_str(&value.to_string()),
        Field::UByte(value) => text.push_str(&value.to_string()),
        Field::UShort(value) => text.push_str(&value.to_string()),
        Field::UInt(value) => text.push_str(&value.to_string()),
        Field::ULong(value) => text.push_str(&value.to_string()),
        Field::Float16(value) => push_number(text, value.to_f64()),
        Field::Float(value) if value.is_nan() => {}
        // Its own digits, not those of the nearest double.
        Field::Float(value) => text.push_str(&value.to_string()),
        Field::Double(value) => push_number(text, *value),
        Field::Decimal(value) => push_number(text, decimal(value.data(), value.scale())),
        Field::Str(value) => push_quoted(text, value),
        Field::Bytes(value) => push_quoted(text, &String::from_utf8_lossy(value.data())),
        Field::Date(days) => time(text, i64::from(*days) * SECONDS_OF_DAY),
        Field::TimestampMillis(value) => time(text, value.div_euclid(1000)),
        Field::TimestampMicros(value) => time(text, value.div_euclid(1_000_000)),
        // Hours since midnight.
        Field::TimeMillis(value) => push_number(text, f64::from(*value) / 3.6e6),
        Field::TimeMicros(value) => push_number(text, *value as f64 / 3.6e9),
        // Lists and groups have been refused.
        Field::Null | Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => {}
    }
}

fn push_number(text: &mut String, value: f64) {
    if !value.is_nan() {
        text.push_str(&value.to_string());
    }
}

/// A whole number in two's complement, most significant byte first, divided by a power of ten.
fn decimal(bytes: &[u8], scale: i32) -> f64 {
    let negative = bytes.first().is_some_and(|&first| first >= 0x80);
    let whole = bytes.iter().fold(if negative { -1.0 } else { 0.0 }, |sum: f64, &byte| {
        // Exact as long as the number has at most 53 bits.
        256.0 * sum + f64::from(byte)
    });
    whole / 10_f64.powi(scale)
}

/// Adds a text between quotation marks.
fn push_quoted(text: &mut String, value: &str) {
    text.push('"');
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_have_their_sign_and_scale() {
        assert_eq!(decimal(&[0x04, 0xd2], 2), 12.34);
        assert_eq!(decimal(&[0xff, 0x85], 1), -12.3);
        assert_eq!(decimal(&[0xff; 16], 0), -1.0);
        assert_eq!(decimal(&[], 0), 0.0);
    }
}
