//! Detects whether the first record of a table is a header.

use super::fields::{is_code, is_text, parse_number};
use super::records::Record;
use crate::Columns;

/// What the first record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRecord {
    Header,
    /// A header of the numbers 0, 1, 2, ..., as pandas writes it for columns without names.
    CountingHeader,
    Sample,
}

/// What the first record before `rest` is; `known` are the columns that are expected, if there are any.
pub(super) fn first_record(
    first: &Record,
    rest: &[Record],
    known: Option<&Columns>,
    decimal_comma: bool,
) -> FirstRecord {
    let word = |field: &[u8]| is_text(field, decimal_comma) && !is_code(field.trim_ascii());
    let number = |field: &[u8]| parse_number(field, decimal_comma).is_some();
    let word_above_number = rest.first().is_some_and(|second| {
        first.fields().zip(second.fields()).any(|(above, below)| word(above) && number(below))
    });
    if word_above_number || first.fields().all(word) || has_names_of(first, known) {
        return FirstRecord::Header;
    }
    let names = first.names();
    let (index, others) = match names.first().map(String::as_str) {
        Some("" | "Unnamed: 0") => (1, &names[1..]),
        _ => (0, &names[..]),
    };
    let counts = others.iter().enumerate().all(|(at, name)| *name == at.to_string());
    // Two numbers, 0 and 1, are as likely a sample: what is below them decides.
    let is_likely = names.len() > 2 || index == 1 || rest.iter().any(is_unlike);
    match counts && !others.is_empty() && is_likely && !rest.is_empty() {
        true => FirstRecord::CountingHeader,
        false => FirstRecord::Sample,
    }
}

/// Whether a record holds names of the expected columns: one that is not a number, or all that are numbers.
fn has_names_of(record: &Record, known: Option<&Columns>) -> bool {
    let Some(known) = known.and_then(Columns::feature_names) else { return false };
    let names = record.names();
    let holds = |name: &&str| names.iter().any(|found| found == name);
    let (numbers, words): (Vec<&str>, Vec<&str>) = known
        .into_iter()
        .partition(|name| name.is_empty() || parse_number(name.as_bytes(), false).is_some());
    match words.is_empty() {
        true => numbers.iter().all(holds),
        false => words.iter().any(holds),
    }
}

/// Whether a record has a field that is not a whole number.
fn is_unlike(record: &Record) -> bool {
    record.fields().any(|field| !field.trim_ascii().iter().all(u8::is_ascii_digit))
}
