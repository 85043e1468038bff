//! Columns of a table with values of one type each: fields in, numbers, text or times out.
//!
//! A column is of numbers until a field is text; then the numbers so far become text, too. Among texts, numbers are
//! written in one way (`3`, `3.0` and `3.00` are `3`), so that nothing is lost by that. Text is of times if all of its
//! values are.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;

use gradus_core::samples::{ColumnType, DateOrder, RawColumn, TEXT_GAP, TIME_GAP};
use gradus_core::transform::columns::time_text;
use hashbrown::{DefaultHashBuilder, HashTable};

use super::fields::{
    Decimals, Gaps, check_size, has_both_marks, is_code, parse_byte, parse_number, shown,
};
use super::times::{NoTime, order_of, parse_time};

/// A column of numbers with so small a share of texts ...
const FEW_TEXTS: f64 = 0.05;

/// ... among so many fields is not taken for text: they are mistakes, or gaps of another spelling.
const MANY_FIELDS: usize = 20;

/// From this number on, double precision does not tell all whole numbers apart.
const EXACT: f64 = (1_u64 << 53) as f64;

/// A column that is being read.
pub(super) struct TypedColumn {
    wanted: Wanted,
    values: Values,
    numbers: usize,
    texts: usize,
    /// Whether a number begins with 0, such as a post code.
    has_codes: bool,
    /// The first text among numbers, and its line.
    first_text: Option<(u64, String)>,
}

/// What a column must hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The type, if it is not the content that decides it.
    pub(super) kind: Option<ColumnType>,
    /// Whether the user asked for this category.
    pub(super) is_chosen: bool,
    /// Whether gaps are refused.
    pub(super) is_full: bool,
    /// What comes first in dates such as 05/01/2024.
    pub(super) order: Option<DateOrder>,
}

/// A column whose type is known.
pub(super) enum ReadColumn {
    /// Whole numbers from 0 to 255 and no gaps.
    Bytes(Vec<u8>),
    /// Anything else.
    Raw(RawColumn),
}

/// A column, and what comes first in its dates.
pub(super) type DatedColumn = (ReadColumn, Option<DateOrder>);

impl ReadColumn {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            ReadColumn::Bytes(bytes) => bytes.len(),
            ReadColumn::Raw(column) => column.len(),
        }
    }
}

impl From<RawColumn> for ReadColumn {
    fn from(column: RawColumn) -> ReadColumn {
        ReadColumn::Raw(column)
    }
}

enum Values {
    Bytes(Vec<u8>),
    Numbers(Vec<f64>),
    Text(Texts),
}

impl Values {
    /// The numbers so far; none if there are texts.
    fn numbers(&mut self) -> Option<&mut Vec<f64>> {
        if let Values::Bytes(bytes) = self {
            *self = Values::Numbers(bytes.iter().map(|&byte| f64::from(byte)).collect());
        }
        match self {
            Values::Numbers(values) => Some(values),
            Values::Bytes(_) | Values::Text(_) => None,
        }
    }
}

impl TypedColumn {
    /// An empty column; `bytes` says whether whole numbers from 0 to 255 are kept as such.
    pub(super) fn new(wanted: Wanted, bytes: bool) -> TypedColumn {
        let values = match wanted.kind {
            Some(ColumnType::Text | ColumnType::Time) => Values::Text(Texts::default()),
            _ if bytes => Values::Bytes(Vec::new()),
            _ => Values::Numbers(Vec::new()),
        };
        TypedColumn { wanted, values, numbers: 0, texts: 0, has_codes: false, first_text: None }
    }

    /// An empty column for the rows that follow these: text if these are.
    pub(super) fn continued(&self) -> TypedColumn {
        let values = match &self.values {
            Values::Bytes(_) => Values::Bytes(Vec::new()),
            Values::Numbers(_) => Values::Numbers(Vec::new()),
            Values::Text(_) => Values::Text(Texts::default()),
        };
        TypedColumn { values, ..TypedColumn::new(self.wanted, false) }
    }

    /// Adds the next field.
    #[inline]
    pub(super) fn push(
        &mut self,
        field: &[u8],
        line: u64,
        decimals: &mut Decimals,
        gaps: &Gaps,
    ) -> Result<(), String> {
        let field = field.trim_ascii();
        if let Values::Bytes(bytes) = &mut self.values
            && let Some(byte) = parse_byte(field).filter(|_| !gaps.contain(field))
        {
            bytes.push(byte);
            self.numbers += 1;
            return Ok(());
        }
        if !self.wanted.is_full && gaps.contain(field) {
            match &mut self.values {
                Values::Text(texts) => texts.codes.push(TEXT_GAP),
                numbers => numbers.numbers().into_iter().for_each(|values| values.push(f64::NAN)),
            }
            return Ok(());
        }
        if let Some(values) = self.values.numbers() {
            let number = match self.wanted.kind {
                Some(_) => Some(decimals.number(field)?),
                None => decimals.try_number(field),
            };
            if let Some(value) = number {
                check_size(value, field)?;
                values.push(value);
                self.numbers += 1;
                return Ok(());
            }
            let has_other_mark =
                || parse_number(field, true).or_else(|| parse_number(field, false)).is_some();
            if has_other_mark() || has_both_marks(field) {
                // A number with the other decimal mark is no text: the error says so.
                decimals.number(field)?;
            }
            self.values = Values::Text(Texts::of_numbers(values));
        }
        self.push_text(field, line, decimals)
    }

    fn push_text(
        &mut self,
        field: &[u8],
        line: u64,
        decimals: &mut Decimals,
    ) -> Result<(), String> {
        let Values::Text(texts) = &mut self.values else { return Ok(()) };
        let is_time = || parse_time(field, self.wanted.order) != Err(NoTime::Other);
        if self.wanted.kind == Some(ColumnType::Time) && !is_time() {
            return Err(no_time(field));
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

    /// Whether fields that were read on their own mean the same behind these: not numbers behind text, which has all of their
    /// digits.
    pub(super) fn may_append(&self, later: &TypedColumn) -> bool {
        !matches!(self.values, Values::Text(_)) || matches!(later.values, Values::Text(_))
    }

    /// Adds the fields of later rows.
    pub(super) fn append(&mut self, later: TypedColumn) {
        self.numbers += later.numbers;
        self.texts += later.texts;
        self.has_codes |= later.has_codes;
        if self.first_text.is_none() {
            self.first_text = later.first_text;
        }
        match (&mut self.values, later.values) {
            (Values::Bytes(values), Values::Bytes(more)) => values.extend(more),
            (Values::Text(texts), Values::Text(more)) => texts.append(more),
            (Values::Text(texts), mut more) => {
                more.numbers()
                    .into_iter()
                    .for_each(|numbers| texts.append(Texts::of_numbers(numbers)));
            }
            (values, Values::Text(more)) => {
                let mut texts =
                    values.numbers().map(|it| Texts::of_numbers(it)).unwrap_or_default();
                texts.append(more);
                self.values = Values::Text(texts);
            }
            (values, mut more) => {
                if let (Some(values), Some(more)) = (values.numbers(), more.numbers()) {
                    values.append(more);
                }
            }
        }
    }

    /// The column, and what comes first in dates such as 05/01/2024 if it has any; or the line of a field that is probably a
    /// mistake, and what is wrong with it.
    pub(super) fn finish(self) -> Result<DatedColumn, (u64, String)> {
        let Wanted { kind, is_chosen, order, .. } = self.wanted;
        let share = self.texts as f64 / (self.texts + self.numbers).max(1) as f64;
        let is_mistake =
            kind.is_none() && !self.has_codes && share < FEW_TEXTS && self.numbers >= MANY_FIELDS;
        let texts = match self.values {
            Values::Bytes(values) => return Ok((ReadColumn::Bytes(values), None)),
            Values::Numbers(values) => return Ok((RawColumn::Numbers(values).into(), None)),
            Values::Text(texts) => texts,
        };
        match self.first_text {
            Some((line, text)) if is_mistake => Err((
                line,
                format!(
                    "{text} is not a number, but {:.1} % of this column are: correct it, count it among the \
                     gaps with `missing`, or read the column as text with `categorical`",
                    100.0 * (1.0 - share)
                ),
            )),
            Some((line, _)) if kind != Some(ColumnType::Text) => texts
                .times_or_text(order, kind.is_some(), is_chosen)
                .map(|(column, order)| (column.into(), order))
                .map_err(|(_, problem)| (line, problem)),
            None if kind == Some(ColumnType::Time) => {
                Ok((RawColumn::Times(vec![TIME_GAP; texts.codes.len()]).into(), None))
            }
            _ => Ok((texts.column(is_chosen).into(), None)),
        }
    }
}

/// What is wrong with a text that should be a date.
pub(super) fn no_time(text: &[u8]) -> String {
    format!(
        "{} is not a date, which is expected here: 2024-05-01, 01.05.2024 or 2024-05-01 12:30",
        shown(text)
    )
}

/// What is wrong with a date in which day and month may be either way round.
fn unordered(text: &str) -> String {
    format!(
        "{} is a date in which day or month may come first, and the other dates of the column do not tell: say which \
         with `dates` COLUMN:day-first or COLUMN:month-first, or read the column as text with `categorical`",
        shown(text.as_bytes())
    )
}

/// Texts, each different one kept once.
#[derive(Default)]
pub(super) struct Texts {
    codes: Vec<u32>,
    values: Vec<String>,
    /// Whether each value is a number.
    are_numbers: Vec<bool>,
    /// The codes of the values, by their texts.
    places: HashTable<u32>,
    /// The code of each number, by every other spelling that was found.
    spellings: HashMap<Box<[u8]>, u32>,
    hasher: DefaultHashBuilder,
    /// The last field and its code: equal fields often follow each other.
    last: (Vec<u8>, u32),
}

impl Texts {
    /// The texts of numbers.
    pub(super) fn of_numbers(numbers: &[f64]) -> Texts {
        let (mut texts, mut last) = (Texts::default(), (f64::NAN, TEXT_GAP));
        for &number in numbers {
            if number.to_bits() != last.0.to_bits() && !number.is_nan() {
                last = (number, texts.code_of(&number_text(number), true));
            }
            texts.codes.push(if number.is_nan() { TEXT_GAP } else { last.1 });
        }
        texts
    }

    /// The texts of times.
    pub(super) fn of_times(times: &[i64]) -> Texts {
        let mut texts = Texts::default();
        for &time in times {
            let code =
                if time == TIME_GAP { TEXT_GAP } else { texts.code_of(&time_text(time), false) };
            texts.codes.push(code);
        }
        texts
    }

    /// Texts that a file stores as such, with the code of each row: gaps among them become gaps, and numbers have one
    /// spelling.
    pub(super) fn of_stored(codes: &[u32], values: &[String], gaps: &Gaps) -> Texts {
        let mut texts = Texts::default();
        let mut decimals = Decimals::of(b',');
        let code = |value: &String| match gaps.contain(value.as_bytes()) {
            true => TEXT_GAP,
            false => {
                texts.push(value.as_bytes().trim_ascii(), &mut decimals);
                texts.last.1
            }
        };
        let new: Vec<u32> = values.iter().map(code).collect();
        texts.codes =
            codes.iter().map(|&code| new.get(code as usize).copied().unwrap_or(TEXT_GAP)).collect();
        texts
    }

    /// Adds a field; whether it is a number.
    fn push(&mut self, field: &[u8], decimals: &mut Decimals) -> bool {
        let code = match self.last.0 == field && !self.codes.is_empty() {
            true => self.last.1,
            false => {
                let code = self.code_of_field(field, decimals);
                self.last.0.clear();
                self.last.0.extend_from_slice(field);
                self.last.1 = code;
                code
            }
        };
        self.codes.push(code);
        self.are_numbers[code as usize]
    }

    /// The code of a field, a number in any spelling.
    fn code_of_field(&mut self, field: &[u8], decimals: &mut Decimals) -> u32 {
        if let Some(code) = self.find(field).or_else(|| self.spellings.get(field).copied()) {
            return code;
        }
        match decimals.try_number(field) {
            // All digits of long codes count.
            Some(number) if number.abs() >= EXACT => {
                self.code_of(&String::from_utf8_lossy(field), true)
            }
            Some(number) => {
                let code = self.code_of(&number_text(number), true);
                self.spellings.insert(field.into(), code);
                code
            }
            None => self.code_of(&String::from_utf8_lossy(field), false),
        }
    }

    fn find(&self, text: &[u8]) -> Option<u32> {
        let values = &self.values;
        let is_it = |&code: &u32| values[code as usize].as_bytes() == text;
        self.places.find(self.hasher.hash_one(text), is_it).copied()
    }

    /// The code of a value.
    fn code_of(&mut self, value: &str, is_number: bool) -> u32 {
        if let Some(code) = self.find(value.as_bytes()) {
            return code;
        }
        let code = self.values.len() as u32;
        self.values.push(value.to_owned());
        self.are_numbers.push(is_number);
        let (values, hasher) = (&self.values, &self.hasher);
        let hash = |&code: &u32| hasher.hash_one(values[code as usize].as_bytes());
        self.places.insert_unique(hash(&code), code, hash);
        code
    }

    /// Adds the texts of later rows.
    fn append(&mut self, later: Texts) {
        let pairs = later.values.iter().zip(&later.are_numbers);
        let codes: Vec<u32> =
            pairs.map(|(value, &is_number)| self.code_of(value, is_number)).collect();
        let code = |code: u32| codes.get(code as usize).copied().unwrap_or(TEXT_GAP);
        self.codes.extend(later.codes.into_iter().map(code));
    }

    /// Points in time if all values are, else text; and what comes first in dates such as 05/01/2024, if there are any. If they
    /// `must` be times, text is refused.
    ///
    /// # Errors
    /// The first row of a value that is no time or may be two, and what is wrong with it.
    pub(super) fn times_or_text(
        self,
        order: Option<DateOrder>,
        must: bool,
        is_chosen: bool,
    ) -> Result<(RawColumn, Option<DateOrder>), (usize, String)> {
        let mut orders: Vec<DateOrder> =
            self.values.iter().filter_map(|value| order_of(value.as_bytes())).collect();
        orders.dedup();
        let order = order.or(if orders.len() == 1 { Some(orders[0]) } else { None });
        let time = |(code, value): (usize, &String)| {
            parse_time(value.as_bytes(), order).map_err(|problem| (code, problem))
        };
        let times: Result<Vec<i64>, _> = self.values.iter().enumerate().map(time).collect();
        let row = |code: usize| self.codes.iter().position(|&it| it as usize == code).unwrap_or(0);
        match times {
            Ok(times) => {
                let time = |&code: &u32| times.get(code as usize).copied().unwrap_or(TIME_GAP);
                Ok((RawColumn::Times(self.codes.iter().map(time).collect()), order))
            }
            Err((code, NoTime::Other)) if must => {
                Err((row(code), no_time(self.values[code].as_bytes())))
            }
            // Without any that shows the order, they are dates nevertheless; with both, they are none.
            Err((code, NoTime::Unordered)) if must || (orders.is_empty() && self.are_times()) => {
                Err((row(code), unordered(&self.values[code])))
            }
            Err(_) => Ok((self.column(is_chosen), None)),
        }
    }

    /// Whether all values are times, in one order of day and month or the other.
    fn are_times(&self) -> bool {
        self.values.iter().all(|value| parse_time(value.as_bytes(), None) != Err(NoTime::Other))
    }

    /// The different values.
    pub(super) fn values(&self) -> &[String] {
        &self.values
    }

    /// The code of each row.
    pub(super) fn codes(&self) -> &[u32] {
        &self.codes
    }

    pub(super) fn column(self, is_chosen: bool) -> RawColumn {
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
        let wanted = Wanted { kind: wanted, ..Wanted::default() };
        let (mut column, gaps) = (TypedColumn::new(wanted, false), Gaps::new(None));
        let mut decimals = Decimals::of(b',');
        for (line, field) in (1..).zip(fields) {
            column.push(field.as_bytes(), line, &mut decimals, &gaps)?;
        }
        match column.finish() {
            Ok((ReadColumn::Raw(column), _)) => Ok(column),
            Ok((ReadColumn::Bytes(_), _)) => Err("bytes".to_owned()),
            Err((line, problem)) => Err(format!("line {line}: {problem}")),
        }
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
