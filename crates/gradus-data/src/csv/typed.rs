//! Columns of a table with values of one type each: fields in, numbers, text or times out.
//!
//! A column is of numbers until a field is text; then the numbers so far become text, too. Among texts, numbers are
//! written in one way (`3`, `3.0` and `3.00` are `3`), so that nothing is lost by that. Text is of times if all of its
//! values are.

use gradus_core::samples::{ColumnType, DateOrder, RawColumn, TEXT_GAP, TIME_GAP};

use super::fields::{
    Decimals, Gaps, check_size, has_both_marks, is_code, parse_byte, parse_number, shown,
};
use super::survey::Traits;
use super::texts::{FEW_TEXTS, MANY_FIELDS, Texts, mistake, no_time};
use super::times::{NoTime, parse_time};

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
    /// The line of the first text that is no time.
    first_other: Option<u64>,
    /// A number of rows that were forgotten.
    forgotten: Option<f64>,
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

impl ReadColumn {
    /// A column of this type with one row, which is a gap.
    pub(super) fn gap(kind: Option<ColumnType>) -> ReadColumn {
        match kind {
            None | Some(ColumnType::Number) => RawColumn::Numbers(vec![f64::NAN]).into(),
            Some(ColumnType::Time) => RawColumn::Times(vec![TIME_GAP]).into(),
            Some(ColumnType::Text) => {
                let (codes, values) = (vec![TEXT_GAP], Vec::new().into());
                RawColumn::Text { codes, values, is_chosen: false }.into()
            }
        }
    }

    /// The column as it is kept where not all are numbers.
    pub(super) fn into_raw(self) -> RawColumn {
        match self {
            ReadColumn::Raw(column) => column,
            ReadColumn::Bytes(bytes) => {
                RawColumn::Numbers(bytes.into_iter().map(f64::from).collect())
            }
        }
    }

    /// What it holds.
    pub(super) fn kind(&self) -> ColumnType {
        match self {
            ReadColumn::Bytes(_) => ColumnType::Number,
            ReadColumn::Raw(column) => column.kind(),
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
        let (numbers, texts) = (0, 0);
        let (has_codes, first_text, first_other, forgotten) = (false, None, None, None);
        TypedColumn {
            wanted,
            values,
            numbers,
            texts,
            has_codes,
            first_text,
            first_other,
            forgotten,
        }
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
            let texts = Texts::of_numbers(values);
            self.become_text(texts);
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
        let known = texts.values().len();
        let is_number = texts.push(field, decimals);
        // Each text once; of a category, the first is none.
        if self.first_other.is_none() && texts.values().len() > known && !is_time() {
            self.first_other = Some(line);
        }
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

    /// The number in the last row; none for text.
    pub(super) fn last_number(&self) -> Option<f64> {
        match &self.values {
            Values::Bytes(bytes) => bytes.last().map(|&byte| byte.into()),
            Values::Numbers(numbers) => numbers.last().copied(),
            Values::Text(_) => None,
        }
    }

    /// A column of numbers so far is one of these texts.
    fn become_text(&mut self, mut texts: Texts) {
        self.forgotten.take().into_iter().for_each(|number| texts.note(number));
        self.values = Values::Text(texts);
    }

    /// Forgets the rows so far, but not what they say about the column.
    pub(super) fn forget_rows(&mut self, traits: &mut Traits) {
        match &mut self.values {
            Values::Bytes(bytes) => {
                self.forgotten = self.forgotten.or(bytes.first().map(|&byte| byte.into()));
                traits.add_bytes(bytes);
                bytes.clear();
            }
            Values::Numbers(numbers) => {
                let known = numbers.iter().copied().find(|number| !number.is_nan());
                self.forgotten = self.forgotten.or(known);
                traits.add_numbers(numbers);
                numbers.clear();
            }
            Values::Text(texts) => {
                traits.add_others(texts.codes().iter().map(|&code| code == TEXT_GAP));
                texts.forget_rows();
            }
        }
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
        self.first_other = self.first_other.or(later.first_other);
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
                self.become_text(texts);
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
            Some((line, text)) if is_mistake => {
                Err((line, mistake(&text, "number", 100.0 * (1.0 - share))))
            }
            Some((line, _)) if kind != Some(ColumnType::Text) => {
                let found = if kind.is_none() && !is_chosen { texts.mistaken_time() } else { None };
                if let Some((_, text, percent)) = found {
                    let line = self.first_other.unwrap_or(line);
                    return Err((line, mistake(&shown(text.as_bytes()), "date", percent)));
                }
                texts
                    .times_or_text(order, kind.is_some(), is_chosen)
                    .map(|(column, order)| (column.into(), order))
                    .map_err(|(_, problem)| (line, problem))
            }
            None if kind == Some(ColumnType::Time) => {
                Ok((RawColumn::Times(vec![TIME_GAP; texts.codes.len()]).into(), None))
            }
            _ => Ok((texts.column(is_chosen).into(), None)),
        }
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
