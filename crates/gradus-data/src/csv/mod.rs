//! Reads CSV tables: one label column or several columns of regression targets, numbers in all others; or
//! numbers alone, for a model to predict. The result is a [`Dataset`].
//!
//! docs/formats.md says how labels, headers, separators and encodings are recognized.
//!
//! | file | in | out |
//! |---|---|---|
//! | source.rs | a file or its bytes, and what is asked for | samples: read this first |
//! | packed.rs | a file, perhaps gzip or zip | the bytes of the table |
//! | encoding.rs | bytes | UTF-8 |
//! | dialect.rs | the beginning of a text | its separator |
//! | blocks.rs | text | blocks of whole records |
//! | records.rs | a block | records of fields, with their lines |
//! | header.rs | the first records | whether the first one is a header |
//! | table.rs | all of these | the columns of a text table, and its rows one by one |
//! | stored.rs, stored_rows.rs, parquet.rs, ipc.rs, arrow.rs, quiet.rs | a file that keeps types | its columns |
//! | head.rs | | what is known of columns before rows are read |
//! | layout.rs | columns, and what is asked for | which are features and targets |
//! | fields.rs, times.rs | fields | numbers, labels, times |
//! | typed.rs, texts.rs | the fields of a column | numbers, text or times |
//! | single.rs | a single field | a column of one row |
//! | in_memory.rs | columns of text in memory | what a table would have |
//! | rows.rs | a text table | its features and targets, blocks side by side |
//! | targets.rs | fields or columns | labels or values |
//! | samples.rs | features and targets | inputs |
//! | several.rs | files of equal columns | the samples of all of them |
//! | survey.rs | parts of a column | what must be known of all of it |
//! | pieces.rs | files of any size | samples, some rows at a time |
//! | task.rs | a table | which column is the target, and whether it holds classes or values |
//! | options.rs | | what is asked for |
//! | columns.rs, exact.rs | a table | its columns with their types, to be written again |
//! | extended.rs | a table and further columns | both, written as a table |

#[cfg(feature = "parquet")]
mod arrow;
mod blocks;
mod columns;
mod dialect;
mod encoding;
#[cfg(feature = "parquet")]
mod exact;
mod extended;
mod fields;
mod head;
mod header;
mod in_memory;
#[cfg(feature = "parquet")]
mod ipc;
mod layout;
mod options;
mod packed;
mod pieces;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "parquet")]
mod quiet;
mod records;
mod rows;
mod samples;
mod several;
mod single;
mod source;
#[cfg(feature = "parquet")]
mod stored;
#[cfg(feature = "parquet")]
mod stored_rows;
mod survey;
mod table;
mod targets;
mod task;
mod texts;
mod times;
mod typed;

use std::io::Read;
use std::path::Path;

use super::{Dataset, Inputs};
use crate::error::{ErrorKind, Result};
use crate::reading;

pub use columns::Column;
pub use encoding::{Encoding, TextForm};
pub use extended::{Cell, Writer, extend, free_names, read_columns};
pub use in_memory::{column_of_texts, in_type};
pub use options::TableOptions;
pub use packed::is_packed_table;
pub use several::read_tables;
pub use single::read_field;
pub use task::{TargetGuess, guess_target, may_hold_images};

pub(crate) use fields::Labels as TextLabels;
pub(crate) use pieces::survey;

use source::Source;
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
        // A pipe cannot be read a second time.
        true => {
            let bytes = reading::read(path)?;
            either_mark(options, |options| Source::of_bytes(&bytes, options)?.labelled(options))
        }
        false => either_mark(options, |options| Source::of_file(path, options)?.labelled(options)),
    };
    let (data, warnings) = read.map_err(|error| error.context(path.display()))?;
    let path = path.display();
    Ok((data, warnings.into_iter().map(|warning| format!("{path}: {warning}")).collect()))
}

/// Reads a table; if that fails, a second time with decimal commas: a point between thousands may have been taken for a decimal
/// mark before the first comma came.
fn either_mark<T>(options: &TableOptions, read: impl Fn(&TableOptions) -> Result<T>) -> Result<T> {
    read(options).or_else(|error| match error.kind() {
        ErrorKind::InvalidData => {
            read(&TableOptions { decimal_comma: true, ..*options }).map_err(|_| error)
        }
        _ => Err(error),
    })
}

/// As [`read_csv`], from any source of bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_csv(source: impl Read + Send, label_column: Option<&str>) -> Result<Dataset> {
    let options = TableOptions { label_column, ..TableOptions::default() };
    parse_table(source, &options).map(|(data, _)| data)
}

/// As [`parse_csv`], with regression targets in the columns that `columns` names.
///
/// # Errors
/// As [`read_table`], and `InvalidArgument` if it is unclear which columns these are.
pub fn parse_values(source: impl Read + Send, columns: Option<&str>) -> Result<Dataset> {
    let options = TableOptions { label_column: columns, values: true, ..TableOptions::default() };
    parse_table(source, &options).map(|(data, _)| data)
}

/// As [`read_table`], from any source of bytes.
///
/// # Errors
/// As [`read_table`].
pub fn parse_table(
    source: impl Read + Send,
    options: &TableOptions,
) -> Result<(Dataset, Vec<String>)> {
    Source::Text(Box::new(Table::open(source, options)?)).labelled(options)
}

/// The samples of a table for a model that takes `features` numbers, and what the user ought to know, a line
/// each. With `options.columns` features are found by name; otherwise all columns are features, or all but a
/// label column. `outputs` names the values that the model predicts, none for classes: their columns are left
/// out where the table has them. What targets hold does not matter.
///
/// # Errors
/// As [`read_table`], and `InvalidData` if the table lacks a feature or has another number of columns.
pub fn parse_samples(
    source: impl Read + Send,
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
    source: impl Read + Send,
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    Source::Text(Box::new(Table::open(source, options)?)).samples(features, outputs, options)
}

/// As [`samples_of_text`], from the bytes of a file of any kind.
///
/// # Errors
/// As [`parse_samples`].
pub fn samples_of_bytes(
    bytes: &[u8],
    features: usize,
    outputs: &[String],
    options: &TableOptions,
) -> Result<(Inputs, Vec<String>, TextForm)> {
    either_mark(options, |options| {
        Source::of_bytes(bytes, options)?.samples(features, outputs, options)
    })
}

#[cfg(test)]
mod tests;
