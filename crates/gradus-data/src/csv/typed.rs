//! Columns of a table with values of one type each: fields in, numbers, text or times out.
//!
//! A column is of numbers until a field is text; then the numbers so far become text, too. Among texts, numbers are
//! written in one way (`3`, `3.0` and `3.00` are `3`), so that nothing is lost by that. Text is of times if all of its
//! values are.

use std::collections::HashMap;
use std::sync::Arc;

use gradus_core::samples::{ColumnType, RawColumn, TEXT_GAP, TIME_GAP};

use super::fields::{Decimals, Gaps, check_size, is_code, parse_number, shown};
use super::times::parse_time;

/// A column of numbers with so small a share of texts ...
const FEW_TEXTS: f64 = 0.05;

/// ... among so many fields is not taken for text: they are mistakes, or gaps of another spelling.
const MANY_FIELDS: usize = 20;

/// A column that is being read.
pub(super) struct TypedColumn {
    /// The type that it must have.
    wanted: Option<ColumnType>,
    /// Whether the user asked for this category.
    is_chosen: bool,
    values: Values,
    numbers: usize,
    texts: usize,
    /// Whether a number begins with 0, such as a post code.
    has_codes: bool,
    /// The first text among numbers, and its line.
    first_text: Option<(u64, String)>,
}

enum Values {
    Numbers(Vec<f64>),
    Text(Texts),
}

impl TypedColumn {
    pub(super) fn new(wanted: Option<ColumnType>, is_chosen: bool) -> TypedColumn {
        let values = match wanted {
            None | Some(ColumnType::Number) => Values::Numbers(Vec::new()),
            Some(ColumnType::Text | ColumnType::Time) => Values::Text(Texts::default()),
        };
        let (numbers, texts, has_codes, first_text) = (0, 0, false, None);
        TypedColumn { wanted, is_chosen, values, numbers, texts, has_codes, first_text }
    }

    /// A column that a file stores as text: numbers in it are text, too.
    pub(super) fn of_text() -> TypedColumn {
        let values = Values::Text(Texts::default());
        TypedColumn { values, has_codes: true, ..TypedColumn::new(None, false) }
    }

    /// Adds the next field.
    pub(super) fn push(
        &mut self,
        field: &[u8],
        line: u64,
        decimals: &mut Decimals,
        gaps: &Gaps,
    ) -> Result<(), String> {
        let field = field.trim_ascii();
        if gaps.contain(field) {
            match &mut self.values {
                Values::Numbers(values) => values.push(f64::NAN),
                Values::Text(texts) => texts.codes.push(TEXT_GAP),
            }
            return Ok(());
        }
        if let Values::Numbers(values) = &mut self.values {
            if self.wanted.is_some() {
                let value = decimals.number(field)?;
                check_size(value, field)?;
                values.push(value);
                return Ok(());
            }
            if let Some(value) = decimals.try_number(field) {
                check_size(value, field)?;
                values.push(value);
                self.numbers += 1;
                return Ok(());
            }
            if parse_number(field, true).or_else(|| parse_number(field, false)).is_some() {
                // A number with the other decimal mark is no text: the error says so.
                decimals.number(field)?;
            }
            self.values = Values::Text(Texts::of_numbers(values));
            self.first_text = Some((line, shown(field)));
        }
        let Values::Text(texts) = &mut self.values else { return Ok(()) };
        if self.wanted == Some(ColumnType::Time) && parse_time(field).is_none() {
            return Err(format!(
                "{} is not a date, which is expected here: 2024-05-01, 01.05.2024 or 2024-05-01 12:30",
                shown(field)
            ));
        }
        let is_number = texts.push(field, decimals);
        self.has_codes |= is_code(field);
        if is_number {
            self.numbers += 1;
        } else {
            self.texts += 1;
            if self.first_text.is_none() {
                self.first_text = Some((line, shown(field)));
            }
        }
        Ok(())
    }

    /// The column; or the line of a field that is probably a mistake, and what is wrong with it.
    pub(super) fn finish(self) -> Result<RawColumn, (u64, String)> {
        let is_chosen = self.is_chosen;
        let share = self.texts as f64 / (self.texts + self.numbers).max(1) as f64;
        let is_mistake = self.wanted.is_none()
            && !self.has_codes
            && share < FEW_TEXTS
            && self.numbers >= MANY_FIELDS;
        match (self.values, self.first_text) {
            (Values::Numbers(values), _) => Ok(RawColumn::Numbers(values)),
            (Values::Text(_), Some((line, text))) if is_mistake => Err((
                line,
                format!(
                    "{text} is not a number, but {:.1} % of this column are: correct it, count it among the gaps \
                     with `missing`, or read the column as text with `categorical`",
                    100.0 * (1.0 - share)
                ),
            )),
            (Values::Text(texts), _) => Ok(match self.wanted {
                None if self.texts > 0 => {
                    texts.times().map_or_else(|| texts.column(is_chosen), RawColumn::Times)
                }
                Some(ColumnType::Time) => RawColumn::Times(texts.times().unwrap_or_default()),
                _ => texts.column(is_chosen),
            }),
        }
    }
}

/// Texts, each different one kept once.
#[derive(Default)]
struct Texts {
    codes: Vec<u32>,
    values: Vec<String>,
    /// Whether each value is a number.
    are_numbers: Vec<bool>,
    /// The code of each value, by every spelling that was found.
    places: HashMap<Box<[u8]>, u32>,
    /// The last field and its code: equal fields often follow each other.
    last: (Vec<u8>, u32),
}

impl Texts {
    /// The texts of numbers.
    fn of_numbers(numbers: &[f64]) -> Texts {
        let mut texts = Texts::default();
        for &number in numbers {
            match number.is_nan() {
                true => texts.codes.push(TEXT_GAP),
                false => {
                    let text = number_text(number);
                    let code = texts.code_of(text.as_bytes(), || (text.clone(), true));
                    texts.codes.push(code);
                }
            }
        }
        texts
    }

    /// Adds a field; whether it is a number.
    fn push(&mut self, field: &[u8], decimals: &mut Decimals) -> bool {
        let code = match self.last.0 == field && !self.codes.is_empty() {
            true => self.last.1,
            false => {
                let code = self.code_of(field, || match decimals.try_number(field) {
                    Some(number) => (number_text(number), true),
                    None => (String::from_utf8_lossy(field).into_owned(), false),
                });
                self.last.0.clear();
                self.last.0.extend_from_slice(field);
                self.last.1 = code;
                code
            }
        };
        self.codes.push(code);
        self.are_numbers[code as usize]
    }

    /// The code of a spelling; `value` gives the text and whether it is a number, if the spelling is new.
    fn code_of(&mut self, spelling: &[u8], value: impl FnOnce() -> (String, bool)) -> u32 {
        if let Some(&code) = self.places.get(spelling) {
            return code;
        }
        let (value, is_number) = value();
        let code = match self.places.get(value.as_bytes()) {
            Some(&code) => code,
            None => {
                let code = self.values.len() as u32;
                self.places.insert(value.as_bytes().into(), code);
                self.values.push(value);
                self.are_numbers.push(is_number);
                code
            }
        };
        self.places.entry(spelling.into()).or_insert(code);
        code
    }

    /// The times, if all values are.
    fn times(&self) -> Option<Vec<i64>> {
        let times: Option<Vec<i64>> =
            self.values.iter().map(|value| parse_time(value.as_bytes())).collect();
        let times = times?;
        let time = |&code: &u32| times.get(code as usize).copied().unwrap_or(TIME_GAP);
        Some(self.codes.iter().map(time).collect())
    }

    fn column(self, is_chosen: bool) -> RawColumn {
        RawColumn::Text { codes: self.codes, values: Arc::new(self.values), is_chosen }
    }
}

/// A number as the only text of all its spellings.
pub(super) fn number_text(number: f64) -> String {
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => (number as i64).to_string(),
        false => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str], wanted: Option<ColumnType>) -> Result<RawColumn, String> {
        let (mut column, gaps) = (TypedColumn::new(wanted, false), Gaps::new(None));
        let mut decimals = Decimals::of(b',');
        for (line, field) in (1..).zip(fields) {
            column.push(field.as_bytes(), line, &mut decimals, &gaps)?;
        }
        column.finish().map_err(|(line, problem)| format!("line {line}: {problem}"))
    }

    fn texts(column: &RawColumn) -> Vec<Option<&str>> {
        let RawColumn::Text { codes, values, .. } = column else { panic!("{column:?}") };
        codes.iter().map(|&code| values.get(code as usize).map(String::as_str)).collect()
    }

    #[test]
    fn a_column_has_the_type_of_its_fields() {
        let numbers = read(&["1", "", "2.5", "NA"], None).unwrap();
        let RawColumn::Numbers(values) = numbers else { panic!() };
        assert_eq!((values[0], values[2]), (1.0, 2.5));
        assert!(values[1].is_nan() && values[3].is_nan());
        let text = read(&["3.0", "?", "a", "3", "3.00", " a "], None).unwrap();
        let expected = [Some("3"), None, Some("a"), Some("3"), Some("3"), Some("a")];
        assert_eq!(texts(&text), expected);
        // Post codes keep their zeros.
        assert_eq!(texts(&read(&["10", "01067"], None).unwrap()), [Some("10"), Some("01067")]);
        let times = read(&["1970-01-02", "", "1970-01-01 00:01"], None).unwrap();
        assert_eq!(times, RawColumn::Times(vec![86_400, TIME_GAP, 60]));
        assert!(matches!(read(&["", "NA"], None), Ok(RawColumn::Numbers(_))));
        // Dates among other texts are text.
        assert!(matches!(read(&["1970-01-02", "x"], None), Ok(RawColumn::Text { .. })));
    }

    #[test]
    fn a_wanted_type_is_kept_or_the_field_is_refused() {
        let text = read(&["1.0", "2"], Some(ColumnType::Text)).unwrap();
        assert_eq!(texts(&text), [Some("1"), Some("2")]);
        assert!(read(&["1", "x"], Some(ColumnType::Number)).unwrap_err().contains("not a number"));
        let error = read(&["1970-01-02", "5"], Some(ColumnType::Time)).unwrap_err();
        assert!(error.contains("not a date"), "{error}");
        assert_eq!(read(&[""], Some(ColumnType::Time)), Ok(RawColumn::Times(vec![TIME_GAP])));
    }

    #[test]
    fn a_single_text_among_numbers_is_a_mistake() {
        let mut fields = vec!["1.5"; 40];
        fields[30] = "12o";
        let error = read(&fields, None).unwrap_err();
        assert!(error.contains("line 31: \"12o\" is not a number, but 97.5 %"), "{error}");
        // Among few fields it may be a category.
        assert!(read(&fields[25..35], None).is_ok());
    }
}
