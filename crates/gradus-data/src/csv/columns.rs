//! The columns of a table of text, each with values of one type, for files that keep types.

use std::io::Read;

use super::fields::{is_code, is_missing, parse_number};
use super::options::TableOptions;
use super::records::Record;
use super::table::Table;
use crate::error::Result;

/// A column with values of one type; `None` is a missing value.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Whole(Vec<Option<i64>>),
    /// Numbers in double precision.
    Double(Vec<Option<f64>>),
    /// Numbers in single precision.
    Single(Vec<f32>),
    /// Text.
    Text(Vec<Option<String>>),
    /// Truth values.
    Truth(Vec<Option<bool>>),
    /// Points in time: microseconds since 1970-01-01 00:00 UTC.
    Time(Vec<Option<i64>>),
}

impl Column {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Column::Whole(values) | Column::Time(values) => values.len(),
            Column::Double(values) => values.len(),
            Column::Single(values) => values.len(),
            Column::Text(values) => values.len(),
            Column::Truth(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The columns of a table of text, with their names; positions are the names in a table without a header. A column is of
/// whole numbers or of numbers if all of its fields are, missing values aside; otherwise it is text, and so are codes such as
/// 00123, whose zeros would be lost.
///
/// # Errors
/// As [`super::parse_samples`].
pub(super) fn columns_of_text(
    source: impl Read,
    options: &TableOptions,
    decimal_comma: bool,
) -> Result<Vec<(String, Column)>> {
    let mut table = Table::open_as(source, options, true)?;
    let mut columns = vec![Fields::default(); table.head.columns];
    let mut row = Record::default();
    while table.next_line(&mut row)?.is_some() {
        for (column, field) in columns.iter_mut().zip(row.fields()) {
            column.push(field);
        }
    }
    let names: Vec<String> = (0..table.head.columns).map(|at| table.head.name(at)).collect();
    let columns = columns.iter().map(|fields| fields.column(decimal_comma));
    Ok(names.into_iter().zip(columns).collect())
}

/// The fields of a column, one after the other in one text: a table may have millions.
#[derive(Clone, Default)]
struct Fields {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Fields {
    fn push(&mut self, field: &[u8]) {
        self.text.extend_from_slice(field);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    fn column(&self, decimal_comma: bool) -> Column {
        let whole = |field: &[u8]| {
            let text = str::from_utf8(field.trim_ascii()).ok()?;
            text.parse().ok().filter(|number: &i64| number.to_string() == text)
        };
        let number = |field: &[u8]| match is_code(field) {
            true => None,
            false => parse_number(field, decimal_comma),
        };
        let is_empty = self.iter().all(is_missing);
        match (is_empty, self.all(whole), self.all(number)) {
            (false, Some(values), _) => Column::Whole(values),
            (false, None, Some(values)) => Column::Double(values),
            _ => Column::Text(
                self.iter()
                    .map(|field| {
                        let text = String::from_utf8_lossy(field).into_owned();
                        Some(text).filter(|text| !text.is_empty())
                    })
                    .collect(),
            ),
        }
    }

    /// All fields as values of one type; none if there is a field that is neither that nor missing.
    fn all<T>(&self, read: impl Fn(&[u8]) -> Option<T>) -> Option<Vec<Option<T>>> {
        let value = |field: &[u8]| match is_missing(field) {
            true => Some(None),
            false => read(field).map(Some),
        };
        self.iter().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_type_of_all_their_fields() {
        let table = "n,x,code,name,n,none\n1,1,007,\"a,b\",x,\n-2,NA,008,,y,NA\n3,2.5,9,c,z,\n";
        let found = columns_of_text(table.as_bytes(), &TableOptions::default(), false).unwrap();
        let text = |values: [&str; 3]| {
            Column::Text(values.map(|it| Some(it.to_owned()).filter(|it| !it.is_empty())).to_vec())
        };
        let expected = [
            ("n", Column::Whole(vec![Some(1), Some(-2), Some(3)])),
            ("x", Column::Double(vec![Some(1.0), None, Some(2.5)])),
            ("code", text(["007", "008", "9"])),
            ("name", text(["a,b", "", "c"])),
            ("n", text(["x", "y", "z"])),
            ("none", text(["", "NA", ""])),
        ];
        assert_eq!(found, expected.map(|(name, column)| (name.to_owned(), column)));
        let comma = columns_of_text(&b"1,5;2\n3;4\n"[..], &TableOptions::default(), true).unwrap();
        assert_eq!(comma[0], ("0".to_owned(), Column::Double(vec![Some(1.5), Some(3.0)])));
        assert_eq!(comma[1].1, Column::Whole(vec![Some(2), Some(4)]));
    }
}
