//! Reads CSV tables: one label column or several columns of regression targets, numbers in all others; or
//! numbers alone, for a model to predict. The result is a [`Dataset`].
//!
//! docs/formats.md says how labels, headers, separators and encodings are recognized.
//!
//! | file | in | out |
//! |---|---|---|
//! | packed.rs | a file, perhaps gzip or zip | the bytes of the table |
//! | parquet.rs | a Parquet file | the text of a table with its columns |
//! | encoding.rs | bytes | UTF-8 |
//! | dialect.rs | the beginning of a text | its separator |
//! | records.rs | text | records of fields, with their lines |
//! | header.rs | the first records | whether the first one is a header |
//! | fields.rs | fields | numbers, labels |
//! | table.rs | all of these | the numbers and labels of every row |
//! | raw.rs | a table | its features as raw columns, each of its type, with gaps |
//! | typed.rs, times.rs | the fields of a column | numbers, text or times |
//! | single.rs | a single field | a column of one row |
//! | layout.rs | a table, and what is asked for | which columns are features and targets |
//! | columns.rs | a table | its columns with their types |
//! | in_memory.rs | columns of text in memory | what a table would have |
//! | task.rs | a table | which column is the target, and whether it holds classes or values |
//! | options.rs | | what is asked for |
//! | extended.rs | a table and further columns | both, written as a table |

mod columns;
mod dialect;
mod encoding;
mod extended;
mod fields;
mod header;
mod in_memory;
mod layout;
mod options;
mod packed;
#[cfg(feature = "parquet")]
mod parquet;
mod raw;
mod records;
mod single;
mod table;
mod task;
mod times;
mod typed;

use std::io::{Cursor, Read, Seek};
use std::path::Path;

use super::{Dataset, Inputs, Targets, image_shape, invalid};
use crate::error::{ErrorKind, Result};
use crate::reading;

pub use columns::{Column, read_columns};
pub use encoding::{Encoding, TextForm};
pub use extended::{Cell, Writer, extend, free_names};
pub use in_memory::{column_of_texts, in_type};
pub use options::TableOptions;
pub use packed::{is_packed_table, unpack};
pub use single::read_field;
pub use task::{TargetGuess, guess_target, may_hold_images};

pub(crate) use fields::Labels as TextLabels;

use fields::{Labels, Rows};
use table::Table;

/// Reads a CSV file; `label_column` is a name from its header or a position from 0.
///
/// # Errors
/// As [`read_table`].
pub fn read_csv(path: &Path, label_column: Option<&str>) -> Result<Dataset> {
    read_table(path, &TableOptions { label_column, ..TableOptions::default() })
        .map(|(data, _)| data)
}

/// Reads the table in a file, which may be compressed: a gzip file, or a zip archive of one table. The second
/// value is a list of warnings, one line each.
///
/// # Errors
/// `NotFound` or `Io` if the file cannot be read; `InvalidArgument` if there is no such column; `InvalidData`
/// with line and column if the file is not such a table.
pub fn read_table(path: &Path, options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
    let read = match reading::is_special(path) {
        // A pipe cannot be read a second time, which finding out what it holds would need.
        true => {
            let bytes = reading::read(path)?;
            read_twice(|| Ok(Cursor::new(&bytes[..])), options)
        }
        false => read_twice(|| reading::open(path), options),
    };
    let (data, warnings) = read.map_err(|error| error.context(path.display()))?;
    let path = path.display();
    Ok((data, warnings.into_iter().map(|warning| format!("{path}: {warning}")).collect()))
}

/// Reads a table; a second time, as raw columns, if text or a gap among numbers comes after the first rows.
fn read_twice<R: Read + Seek>(
    open_source: impl Fn() -> Result<R>,
    options: &TableOptions,
) -> Result<(Dataset, Vec<String>)> {
    let stored = packed::text_columns(open_source()?)?;
    let options = &TableOptions { stored: stored.as_deref(), ..*options };
    match parse_table(unpack(open_source()?)?, options) {
        Err(error) if options.may_be_raw() && error.kind() == ErrorKind::InvalidData => {
            parse(unpack(open_source()?)?, options, true)
        }
        read => read,
    }
}

/// As [`read_csv`], from any source of bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_csv(source: impl Read, label_column: Option<&str>) -> Result<Dataset> {
    let options = TableOptions { label_column, ..TableOptions::default() };
    parse_table(source, &options).map(|(data, _)| data)
}

/// As [`parse_csv`], with regression targets in the columns that `columns` names.
///
/// # Errors
/// As [`read_table`], and `InvalidArgument` if it is unclear which columns these are.
pub fn parse_values(source: impl Read, columns: Option<&str>) -> Result<Dataset> {
    let options = TableOptions { label_column: columns, values: true, ..TableOptions::default() };
    parse_table(source, &options).map(|(data, _)| data)
}

/// As [`read_table`], from any source of bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_table(source: impl Read, options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
    parse(source, options, false)
}

/// As [`parse_table`]; `is_raw` says that features may be anything, which otherwise the first rows show.
fn parse(
    source: impl Read,
    options: &TableOptions,
    is_raw: bool,
) -> Result<(Dataset, Vec<String>)> {
    let mut table = Table::open(source, options)?;
    if table.columns < 2 {
        return Err(invalid("the table has one column: expected a label and at least one number"));
    }
    let (layout, columns) = layout::of_samples_with_targets(&mut table, options)?;
    let (inputs, targets) = match options.values {
        false => {
            let mut labels = Labels::default();
            let inputs =
                read_inputs(&mut table, &layout, is_raw, options, |field| labels.push(field))?;
            let (labels, names) = labels.sorted();
            (inputs, Targets::Classes { labels, names })
        }
        true => {
            let mut rows = Rows::new(table.decimals);
            let inputs =
                read_inputs(&mut table, &layout, is_raw, options, |field| rows.push(field))?;
            let names = layout.targets.iter().map(|&at| table.name(at)).collect();
            (inputs, Targets::Values { values: rows.values, names })
        }
    };
    let features = layout.features.len();
    let shape = match &inputs {
        Inputs::Bytes(_) => image_shape(&[features]).unwrap_or(vec![features]),
        _ => vec![features],
    };
    let data = Dataset::with_targets(inputs, targets, shape)?.with_columns(columns)?;
    Ok((data, table.warnings))
}

/// The inputs of all rows: numbers, or raw columns if it is known or the first rows or the options show that they are.
fn read_inputs<R: Read>(
    table: &mut Table<R>,
    layout: &table::Layout,
    is_raw: bool,
    options: &TableOptions,
    target: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<Inputs> {
    match is_raw || table.looks_raw(layout, options) {
        true => table.read_raw(layout, options, target),
        false => table.read(layout, target),
    }
}

/// The samples of a table for a model that takes `features` numbers, and what the user ought to know, a line
/// each. With `options.columns` features are found by name; otherwise all columns are features, or all but a
/// label column. `outputs` names the values that the model predicts, none for classes: their columns are left
/// out where the table has them. What targets hold does not matter.
///
/// # Errors
/// As [`read_table`], and `InvalidData` if the table lacks a feature or has another number of columns.
pub fn parse_samples(
    source: impl Read,
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<(Inputs, Vec<String>)> {
    let (inputs, warnings, _) = samples_of_text(source, features, outputs, options)?;
    Ok((inputs, warnings))
}

/// As [`parse_samples`], with the form of the table's text, for [`extend`].
///
/// # Errors
/// As [`parse_samples`].
pub fn samples_of_text(
    source: impl Read,
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    samples_of(source, features, outputs, options, false)
}

/// As [`samples_of_text`], from the bytes of a file, which are read a second time if a gap that `options.fill` fills comes
/// after the first rows.
///
/// # Errors
/// As [`parse_samples`].
pub fn samples_of_bytes(
    bytes: &[u8],
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    let read = |is_raw| {
        let text = unpack(Cursor::new(bytes))?;
        samples_of(text, features, outputs, options, is_raw)
    };
    match read(false) {
        Err(error) if options.fill.is_some() && error.kind() == ErrorKind::InvalidData => {
            read(true)
        }
        read => read,
    }
}

fn samples_of(
    source: impl Read,
    features: usize,
    outputs: &[String],
    options: &TableOptions,
    is_raw: bool,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    let mut table = Table::open(source, options)?;
    let layout = layout::of_samples(&mut table, features, outputs, options)?;
    let is_raw = options.types.is_some() || (options.fill.is_some() && is_raw);
    let inputs = read_inputs(&mut table, &layout, is_raw, options, |_| Ok(()))?;
    let form = table.form();
    Ok((inputs, table.warnings, form))
}

#[cfg(test)]
mod tests;
