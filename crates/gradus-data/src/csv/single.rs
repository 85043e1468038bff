//! A single field of a table, such as one that was typed into a form: text in, a column of one row out.

use gradus_core::samples::{ColumnType, RawColumn};

use super::fields::{Decimals, Gaps};
use super::typed::{ReadColumn, TypedColumn, Wanted};

/// A field as a column of one row, read as in a table whose column has this type; `missing` are the spellings of gaps, if they are
/// not the usual ones.
///
/// # Errors
/// If the field cannot be read so: what it holds, and what was expected.
pub fn read_field(
    field: &str,
    kind: ColumnType,
    missing: Option<&[String]>,
) -> Result<RawColumn, String> {
    let wanted = Wanted { kind: Some(kind), ..Wanted::default() };
    let mut column = TypedColumn::new(wanted, false);
    // Without other fields, a comma may be a decimal mark.
    column.push(field.as_bytes(), 1, &mut Decimals::of(b';'), &Gaps::new(missing))?;
    match column.finish() {
        Ok((ReadColumn::Raw(column), _)) => Ok(column),
        Ok((ReadColumn::Bytes(bytes), _)) => {
            Ok(RawColumn::Numbers(bytes.into_iter().map(f64::from).collect()))
        }
        Err((_, problem)) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_core::samples::Cell;

    #[test]
    fn fields_are_read_as_in_tables() {
        let cell = |field: &str, kind| read_field(field, kind, None).map(|column| column.cell(0));
        assert_eq!(cell(" 2.5 ", ColumnType::Number), Ok(Cell::Number(2.5)));
        assert_eq!(cell("?", ColumnType::Number), Ok(Cell::Gap));
        assert!(cell("two", ColumnType::Number).unwrap_err().contains("two"));
        assert!(cell("1e400", ColumnType::Number).is_err());
        assert_eq!(cell("3.0", ColumnType::Text), Ok(Cell::Text("3".into())));
        assert_eq!(cell("", ColumnType::Text), Ok(Cell::Gap));
        assert_eq!(cell("1970-01-02T00:00:01", ColumnType::Time), Ok(Cell::Time(86_401)));
        assert!(cell("tomorrow", ColumnType::Time).unwrap_err().contains("2024-05-01"));
        let own = ["-9".to_owned()];
        let found = read_field("-9", ColumnType::Number, Some(&own)).unwrap();
        assert_eq!(found.cell(0), Cell::Gap);
    }
}
