//! Columns that a program has in memory, read by the rules of tables in files: a frame and the file that it was read
//! from mean the same.

use std::collections::HashMap;

use gradus_core::samples::{ColumnType, DateOrder, RawColumn, TEXT_GAP, TIME_GAP};
use gradus_core::transform::columns::time_text;

use super::fields::Gaps;
use super::samples::convert;
use super::texts::number_text;
use super::typed::Wanted;

/// A column of text as a table would have it: spaces around values are trimmed, spellings of gaps (the usual ones, unless
/// `missing` has others) are gaps, and numbers are written in one way. `codes` are indices into `values`, or
/// [`TEXT_GAP`]. Without a `wanted` type, text that holds dates alone becomes times. With `is_chosen` it is a category even
/// if nearly every value is another one. `order` is what comes first in dates such as 05/01/2024, where that is known; what is
/// learned of it is returned.
///
/// # Errors
/// The first row with a value that is not of the wanted type, and what is wrong with it.
pub fn column_of_texts<S: AsRef<str>>(
    codes: &[u32],
    values: &[S],
    wanted: Option<ColumnType>,
    is_chosen: bool,
    missing: Option<&[String]>,
    order: Option<DateOrder>,
) -> Result<(RawColumn, Option<DateOrder>), (usize, String)> {
    let values: Vec<String> = values.iter().map(|value| value.as_ref().to_owned()).collect();
    let column = RawColumn::Text { codes: codes.to_vec(), values: values.into(), is_chosen };
    let kind = wanted.or(is_chosen.then_some(ColumnType::Text));
    let wanted = Wanted { kind, is_chosen, order, ..Wanted::default() };
    convert(column, wanted, &Gaps::new(missing))
}

/// A column in another type, where that is exact: numbers and times as their text, text as what it says; a column of gaps
/// alone in any type. `order` is that of dates which are text.
///
/// # Errors
/// The first row with a value that is not of the wanted type, and what is wrong with it.
pub fn in_type(
    column: RawColumn,
    wanted: ColumnType,
    missing: Option<&[String]>,
    order: Option<DateOrder>,
) -> Result<RawColumn, (usize, String)> {
    if column.kind() == wanted {
        return Ok(column);
    }
    let rows = column.len();
    let first = (0..rows).find(|&row| !column.is_gap(row));
    let Some(first) = first else {
        return Ok(match wanted {
            ColumnType::Number => RawColumn::Numbers(vec![f64::NAN; rows]),
            ColumnType::Time => RawColumn::Times(vec![TIME_GAP; rows]),
            ColumnType::Text => {
                let (codes, values) = (vec![TEXT_GAP; rows], Default::default());
                RawColumn::Text { codes, values, is_chosen: false }
            }
        });
    };
    match (column, wanted) {
        (RawColumn::Text { codes, values, is_chosen }, _) => {
            // What no row has, such as a category that is not used, is not looked at.
            let mut used = vec![false; values.len()];
            codes
                .iter()
                .filter(|&&code| code != TEXT_GAP)
                .for_each(|&code| used[code as usize] = true);
            let values: Vec<&str> = values
                .iter()
                .zip(&used)
                .map(|(it, &used)| if used { it.as_str() } else { "" })
                .collect();
            column_of_texts(&codes, &values, Some(wanted), is_chosen, missing, order)
                .map(|(column, _)| column)
        }
        (RawColumn::Numbers(numbers), ColumnType::Text) => {
            let of = |number: f64| (!number.is_nan()).then_some(number.to_bits());
            Ok(as_texts(numbers.into_iter().map(of), |bits| number_text(f64::from_bits(bits))))
        }
        (RawColumn::Times(times), ColumnType::Text) => {
            let of = |time: i64| (time != TIME_GAP).then_some(time);
            Ok(as_texts(times.into_iter().map(of), time_text))
        }
        (column, _) => {
            let found = column.kind().plural();
            Err((first, format!("{found} where {} are expected", wanted.plural())))
        }
    }
}

/// A column of the texts of these values, of which each different one is written once.
fn as_texts<T: Copy + Eq + std::hash::Hash>(
    rows: impl Iterator<Item = Option<T>>,
    text: impl Fn(T) -> String,
) -> RawColumn {
    let (mut places, mut values): (HashMap<T, u32>, Vec<String>) = Default::default();
    let mut code = |value: T| {
        *places.entry(value).or_insert_with(|| {
            values.push(text(value));
            values.len() as u32 - 1
        })
    };
    let codes = rows.map(|value| value.map_or(TEXT_GAP, &mut code)).collect();
    RawColumn::Text { codes, values: values.into(), is_chosen: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(column: &RawColumn) -> Vec<Option<&str>> {
        let RawColumn::Text { codes, values, .. } = column else { panic!("{column:?}") };
        codes.iter().map(|&code| values.get(code as usize).map(String::as_str)).collect()
    }

    #[test]
    fn text_in_memory_is_that_of_a_file() {
        let values = ["b", " a ", "?", "3.0", "01067", "3"];
        let codes = [1, 0, TEXT_GAP, 2, 3, 4, 5, 1];
        let column = column_of_texts(&codes, &values, None, false, None, None).unwrap().0;
        let expected = [Some("a"), Some("b"), None, None, Some("3"), Some("01067"), Some("3")];
        assert_eq!(texts(&column)[..7], expected);
        let missing = ["b".to_owned()];
        let column = column_of_texts(&codes, &values, None, false, Some(&missing), None).unwrap().0;
        assert_eq!(texts(&column)[1..4], [None, None, Some("?")]);
        let dates = ["1970-01-02", "", "1970-01-01 00:01"];
        let column =
            column_of_texts(&[0, 1, 2, TEXT_GAP], &dates, None, false, None, None).unwrap().0;
        assert_eq!(column, RawColumn::Times(vec![86_400, TIME_GAP, 60, TIME_GAP]));
        let column = column_of_texts(&[2], &dates, None, true, None, None).unwrap().0;
        assert!(matches!(column, RawColumn::Text { is_chosen: true, .. }));
    }

    #[test]
    fn types_are_converted_where_that_is_exact() {
        let text = |codes: &[u32], values: &[&str]| RawColumn::Text {
            codes: codes.to_vec(),
            values: std::sync::Arc::new(values.iter().map(|&it| it.to_owned()).collect()),
            is_chosen: false,
        };
        let number = |column| in_type(column, ColumnType::Number, None, None);
        let RawColumn::Numbers(found) = number(text(&[1, 0, TEXT_GAP], &["2.50", "1e3"])).unwrap()
        else {
            panic!()
        };
        assert_eq!(found[..2], [1000.0, 2.5]);
        assert!(found[2].is_nan());
        let (row, problem) = number(text(&[0, 0, 1], &["1", "x"])).unwrap_err();
        assert!(row == 2 && problem.contains("x"), "{row}: {problem}");
        // A value that no row has does no harm.
        assert!(number(text(&[0], &["1", "x"])).is_ok());
        let numbers = RawColumn::Numbers(vec![1.0, 0.00001, f64::NAN, 1.0, 2.5]);
        let found = in_type(numbers.clone(), ColumnType::Text, None, None).unwrap();
        assert_eq!(texts(&found), [Some("1"), Some("0.00001"), None, Some("1"), Some("2.5")]);
        let found = in_type(RawColumn::Times(vec![86_400]), ColumnType::Text, None, None).unwrap();
        assert_eq!(texts(&found), [Some("1970-01-02")]);
        let (_, problem) = in_type(numbers, ColumnType::Time, None, None).unwrap_err();
        assert!(problem.contains("numbers where dates are expected"), "{problem}");
        for wanted in [ColumnType::Number, ColumnType::Text, ColumnType::Time] {
            let gaps = RawColumn::Numbers(vec![f64::NAN; 2]);
            let found = in_type(gaps, wanted, None, None).unwrap();
            assert!(found.kind() == wanted && found.is_gap(1), "{found:?}");
        }
    }
}
