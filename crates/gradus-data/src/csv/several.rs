//! One table in several files of equal columns: their paths in, one data set out, with the rows of the files one after the other.
//!
//! The first file decides what each column is for. In the others columns are found by name, in any order; what a column holds
//! follows from all files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gradus_core::samples::{ColumnType, RawColumn, TEXT_GAP};

use super::either_mark;
use super::head::Head;
use super::in_memory::in_type;
use super::options::TableOptions;
use super::source::{Part, Source};
use super::typed::ReadColumn;
use crate::error::{Error, Result};
use crate::listing::some_names;
use crate::{Dataset, invalid};

/// Reads the tables in these files as one. The second value is a list of warnings, one line each, with the file that each is about.
///
/// # Errors
/// As [`super::read_table`], with the file; `InvalidData` for a file whose columns differ from those of the first.
pub fn read_tables(paths: &[PathBuf], options: &TableOptions) -> Result<(Dataset, Vec<String>)> {
    let mut files = paths.iter();
    let Some(first) = files.next() else { return Err(invalid("no file of a table")) };
    let (mut whole, mut warnings) = (part_of(first, None, options)?, Vec::new());
    warnings.extend(whole.take_warnings(first));
    let columns = whole.columns.clone();
    for path in files {
        let options = options.of_further_file(&columns);
        let mut part = part_of(path, Some((first, &whole.head)), &options)?;
        warnings.extend(part.take_warnings(path));
        append(&mut whole, part, options.missing).map_err(|error| error.context(path.display()))?;
    }
    let data = whole.finish(options).map_err(|error| error.context(some_names(paths)))?;
    Ok((data.0, warnings.into_iter().chain(data.1).collect()))
}

/// The rows of one file, whose columns must be those of the first one.
fn part_of(path: &Path, first: Option<(&PathBuf, &Head)>, options: &TableOptions) -> Result<Part> {
    let read = either_mark(options, |options| {
        let mut source = Source::of_file(path, options)?;
        if let Some((first, head)) = first {
            check_columns(first, head, source.head())?;
        }
        source.part(options)
    });
    read.map_err(|error| error.context(path.display()))
}

/// Checks that two tables have the same columns, by name or without names as many.
pub(super) fn check_columns(first: &Path, head: &Head, found: &Head) -> Result<()> {
    let lacking = |names: &[String], others: &[String]| {
        let mut left = others.to_vec();
        let mut lacking = Vec::new();
        for name in names {
            match left.iter().position(|other| other == name) {
                Some(at) => drop(left.swap_remove(at)),
                None => lacking.push(format!("{name:?}")),
            }
        }
        lacking.join(", ")
    };
    let first = first.display();
    let differs = |how: String| {
        Err(invalid(format!(
            "the columns differ from those of {first}: {how}; the files of one table have the same columns, in any order"
        )))
    };
    match (&head.header, &found.header) {
        (Some(names), Some(others)) => match (lacking(names, others), lacking(others, names)) {
            (missing, strange) if missing.is_empty() && strange.is_empty() => Ok(()),
            (missing, strange) if strange.is_empty() => differs(format!("{missing} is missing")),
            (missing, strange) if missing.is_empty() => differs(format!("{strange} is not there")),
            (missing, strange) => differs(format!("{missing} is missing, and {strange} is new")),
        },
        (Some(_), None) => differs("there is no header, which names them".to_owned()),
        (None, Some(_)) => differs("there is a header, and the first file has none".to_owned()),
        (None, None) if head.columns == found.columns => Ok(()),
        (None, None) => {
            differs(format!("there are {} in place of {}", found.columns, head.columns))
        }
    }
}

/// Adds the rows of a later file.
fn append(whole: &mut Part, later: Part, missing: Option<&[String]>) -> Result<()> {
    let Part { head, layout, features, .. } = whole;
    let columns = std::mem::take(&mut features.columns).into_iter().zip(later.features.columns);
    for ((own, more), &at) in columns.zip(&layout.features) {
        let joined = join(own, more, missing);
        features.columns.push(joined.map_err(|problem| misfit_of(head, at, &problem))?);
    }
    for (own, more) in features.orders.iter_mut().zip(later.features.orders) {
        *own = own.or(more);
    }
    features
        .targets
        .append(later.features.targets)
        .map_err(|problem| invalid(format!("{}: {problem}", head.column(layout.targets[0]))))
}

/// A column with further rows. Numbers become text if either part is text; dates and other values do not mix.
fn join(
    own: ReadColumn,
    more: ReadColumn,
    missing: Option<&[String]>,
) -> Result<ReadColumn, String> {
    let (own, more) = match (own, more) {
        (ReadColumn::Bytes(mut own), ReadColumn::Bytes(more)) => {
            own.extend(more);
            return Ok(ReadColumn::Bytes(own));
        }
        (own, more) => (own.into_raw(), more.into_raw()),
    };
    let is_empty = |column: &RawColumn| (0..column.len()).all(|row| column.is_gap(row));
    let kind = joined_kind((own.kind(), || is_empty(&own)), (more.kind(), || is_empty(&more)))?;
    let of_kind = |column| in_type(column, kind, missing, None).map_err(|(_, problem)| problem);
    let joined = match (of_kind(own)?, of_kind(more)?) {
        (RawColumn::Numbers(mut own), RawColumn::Numbers(mut more)) => {
            own.append(&mut more);
            RawColumn::Numbers(own)
        }
        (RawColumn::Times(mut own), RawColumn::Times(mut more)) => {
            own.append(&mut more);
            RawColumn::Times(own)
        }
        (
            RawColumn::Text { codes, values, is_chosen },
            RawColumn::Text { codes: later, values: others, .. },
        ) => {
            let (codes, values) = join_texts((codes, values), (later, others));
            RawColumn::Text { codes, values, is_chosen }
        }
        // Both are of one kind.
        (own, _) => own,
    };
    Ok(joined.into())
}

/// The type of a column whose parts are of these types, of which either may have gaps alone.
///
/// # Errors
/// What is wrong, if no type has the values of both.
pub(super) fn joined_kind(
    (kind, is_empty): (ColumnType, impl FnOnce() -> bool),
    (other, other_is_empty): (ColumnType, impl FnOnce() -> bool),
) -> Result<ColumnType, String> {
    use ColumnType::{Number, Text};
    match (kind, other) {
        _ if kind == other => Ok(kind),
        _ if is_empty() => Ok(other),
        _ if other_is_empty() => Ok(kind),
        (Number | Text, Number | Text) => Ok(Text),
        _ => Err(format!("{} where earlier files have {}", other.plural(), kind.plural())),
    }
}

/// What to do about a column whose parts are of different types.
pub(super) fn misfit_of(head: &Head, at: usize, problem: &str) -> Error {
    let column = head.column(at);
    invalid(format!(
        "{column}: {problem}; read it as text with `categorical`, or leave it out with `drop`"
    ))
}

/// Codes and the texts that they stand for.
type Texts = (Vec<u32>, Arc<Vec<String>>);

/// Texts with those of further rows, each different one once.
fn join_texts((mut codes, values): Texts, (later, others): Texts) -> Texts {
    let mut values = Arc::unwrap_or_clone(values);
    let mut places: HashMap<String, u32> = values.iter().cloned().zip(0..).collect();
    let mut code = |value: &String| {
        *places.entry(value.clone()).or_insert_with(|| {
            values.push(value.clone());
            values.len() as u32 - 1
        })
    };
    let new: Vec<u32> = others.iter().map(&mut code).collect();
    let code = |code: u32| new.get(code as usize).copied().unwrap_or(TEXT_GAP);
    codes.extend(later.into_iter().map(code));
    (codes, Arc::new(values))
}
