//! Encodes rows: raw columns or single rows and a schema in, rows of floats out.

use std::borrow::Cow;
use std::collections::HashMap;

use super::{CategoryForm, Scaled, Schema, SchemaColumn, texts_of};
use crate::error::{Error, Result, invalid};
use crate::samples::{ColumnType, RawColumn, RawValue, TEXT_GAP, TIME_GAP, Table, is_infinite};

/// The number of a text that the training part did not have.
const UNKNOWN: u32 = u32::MAX;

/// The numbers of the texts of a category, looked up by text; none for other columns.
type Places = HashMap<String, u32>;

/// Those of all columns: made once for many rows.
struct AllPlaces(Vec<Places>);

impl AllPlaces {
    /// Of this schema.
    fn of(schema: &Schema) -> AllPlaces {
        let places = |column: &SchemaColumn| match column {
            SchemaColumn::Category { values, .. } => {
                texts_of(values).into_iter().map(|(text, at)| (text.to_owned(), at)).collect()
            }
            _ => HashMap::new(),
        };
        AllPlaces(schema.columns().iter().map(places).collect())
    }
}

/// A table and a schema, ready to encode rows.
pub struct Encoder<'a> {
    columns: Vec<(&'a SchemaColumn, &'a RawColumn)>,
    /// For each column of text, the number in the schema of each of its values.
    numbers: Cow<'a, [Vec<u32>]>,
    width: usize,
}

impl<'a> Encoder<'a> {
    /// For this table.
    ///
    /// # Errors
    /// Those of [`Schema::check_table`].
    pub fn new(schema: &'a Schema, table: &'a Table) -> Result<Encoder<'a>> {
        schema.check_table(table)?;
        Ok(Encoder::with_numbers(schema, table, all_numbers(schema, table)))
    }

    /// For a table with the columns of the schema, whose texts have these numbers ([`all_numbers`]).
    pub(super) fn with_numbers(
        schema: &'a Schema,
        table: &'a Table,
        numbers: impl Into<Cow<'a, [Vec<u32>]>>,
    ) -> Encoder<'a> {
        let columns = schema.columns().iter().zip(table.columns()).collect();
        Encoder { columns, numbers: numbers.into(), width: schema.width() }
    }

    /// The number of encoded columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Encodes these rows of the table, one after the other.
    pub fn encode(&self, rows: impl ExactSizeIterator<Item = usize> + Clone) -> Vec<f32> {
        let mut encoded = vec![0.0; rows.len() * self.width];
        self.encode_into(rows, &mut encoded);
        encoded
    }

    /// Encodes these rows into `out`, which is as large as all of them.
    pub fn encode_into(&self, rows: impl ExactSizeIterator<Item = usize> + Clone, out: &mut [f32]) {
        let mut start = 0;
        for ((column, raw), numbers) in self.columns.iter().zip(self.numbers.iter()) {
            let width = column.width();
            if width == 0 {
                continue;
            }
            for (row, out) in rows.clone().zip(out.chunks_exact_mut(self.width)) {
                encode(column, cell_of(raw, numbers, row), &mut out[start..start + width]);
            }
            start += width;
        }
    }
}

/// A schema, ready to encode single rows: texts are looked up, and nothing is allocated.
pub struct RowEncoder {
    schema: Schema,
    places: AllPlaces,
    width: usize,
}

impl RowEncoder {
    /// For rows of this schema.
    pub fn new(schema: &Schema) -> RowEncoder {
        RowEncoder { schema: schema.clone(), places: AllPlaces::of(schema), width: schema.width() }
    }

    /// The number of encoded columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether a text stands for one of the values of a category.
    pub fn knows(&self, column: usize, text: &str) -> bool {
        self.places.0.get(column).is_some_and(|places| places.contains_key(text))
    }

    /// Encodes a row, a value for each raw column, into `out`, which is as long as [`Self::width`]. The values of columns that
    /// are not used may be anything.
    ///
    /// # Errors
    /// `InvalidArgument` if there are more or fewer values than columns, or a value is of another type than its column;
    /// `InvalidData` for a number that is infinite in single precision.
    pub fn encode_into<'v>(
        &self,
        row: impl ExactSizeIterator<Item = RawValue<'v>>,
        out: &mut [f32],
    ) -> Result<()> {
        let (found, expected) = (row.len(), self.places.0.len());
        if found != expected {
            return Err(Error::argument(format!(
                "a row of {found} values, but the model takes {expected} columns"
            )));
        }
        let mut rest = out;
        for (at, (value, (column, places))) in
            row.zip(self.schema.columns().iter().zip(&self.places.0)).enumerate()
        {
            let (own, others) = rest.split_at_mut(column.width());
            rest = others;
            if own.is_empty() {
                continue;
            }
            match cell(column, places, value) {
                Some(Taken::Number(number)) if is_infinite(number) => {
                    return Err(invalid(format!(
                        "feature column {at} has {number}, which is not a finite number"
                    )));
                }
                Some(cell) => encode(column, cell, own),
                None => {
                    let expected = column.kind().plural();
                    return Err(Error::argument(format!(
                        "feature column {at} has {value:?}, but the training data had {expected} there"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// Fewer rows than this may well have rare values alone.
const ROWS_TO_JUDGE: usize = 10;

impl Schema {
    /// The columns of categories of which a table has texts in ten rows or more, all of them unknown: they are hardly what the
    /// training data had there. The table must have the columns of the schema.
    pub fn unknown_columns(&self, table: &Table) -> Vec<usize> {
        let all = table.columns().iter().zip(all_numbers(self, table)).enumerate();
        let is_unknown = |(at, (raw, numbers)): (usize, (&RawColumn, Vec<u32>))| {
            let RawColumn::Text { codes, .. } = raw else { return None };
            let is_category = matches!(self.columns()[at], SchemaColumn::Category { .. });
            let texts = codes.iter().filter(|&&code| code != TEXT_GAP);
            let is_strange = |&&code: &&u32| numbers[code as usize] == UNKNOWN;
            let strange = texts.clone().take_while(is_strange).count();
            (is_category && strange >= ROWS_TO_JUDGE && strange == texts.count()).then_some(at)
        };
        all.filter_map(is_unknown).collect()
    }
}

/// A raw value as its column takes it.
#[derive(Clone, Copy)]
enum Taken {
    /// NaN for a gap.
    Number(f64),
    /// The number of a text, and whether it is a gap, which has none.
    Category { number: u32, is_gap: bool },
    /// Seconds, or [`TIME_GAP`].
    Time(i64),
}

/// The value as the column takes it; none if it is of another type.
fn cell(column: &SchemaColumn, places: &Places, value: RawValue) -> Option<Taken> {
    match (column.kind(), value) {
        (ColumnType::Number, RawValue::Gap) => Some(Taken::Number(f64::NAN)),
        (ColumnType::Number, RawValue::Number(value)) => Some(Taken::Number(value)),
        (ColumnType::Text, RawValue::Gap) => {
            Some(Taken::Category { number: UNKNOWN, is_gap: true })
        }
        (ColumnType::Text, RawValue::Text(text)) => {
            let number = places.get(text).copied().unwrap_or(UNKNOWN);
            Some(Taken::Category { number, is_gap: false })
        }
        (ColumnType::Time, RawValue::Gap) => Some(Taken::Time(TIME_GAP)),
        (ColumnType::Time, RawValue::Time(seconds)) => Some(Taken::Time(seconds)),
        _ => None,
    }
}

/// The numbers in the schema of the values of all columns of text.
pub(super) fn all_numbers(schema: &Schema, table: &Table) -> Vec<Vec<u32>> {
    let places = AllPlaces::of(schema);
    table.columns().iter().zip(&places.0).map(|(raw, places)| numbers_of(places, raw)).collect()
}

/// The number in the schema of each value of a column of text; empty for other columns.
fn numbers_of(places: &HashMap<String, u32>, raw: &RawColumn) -> Vec<u32> {
    match raw {
        RawColumn::Text { values, .. } => {
            values.iter().map(|value| places.get(value).copied().unwrap_or(UNKNOWN)).collect()
        }
        RawColumn::Numbers(_) | RawColumn::Times(_) => Vec::new(),
    }
}

/// The value in a row of a column; `numbers` are those of its texts.
fn cell_of(raw: &RawColumn, numbers: &[u32], row: usize) -> Taken {
    match raw {
        RawColumn::Numbers(values) => Taken::Number(values[row]),
        RawColumn::Text { codes, .. } => match codes[row] {
            TEXT_GAP => Taken::Category { number: UNKNOWN, is_gap: true },
            code => Taken::Category { number: numbers[code as usize], is_gap: false },
        },
        RawColumn::Times(values) => Taken::Time(values[row]),
    }
}

/// Encodes one value.
fn encode(column: &SchemaColumn, cell: Taken, out: &mut [f32]) {
    match (column, cell) {
        (SchemaColumn::Number(number), Taken::Number(value)) => {
            let Scaled { scale, gaps, .. } = number;
            out[0] = if value.is_nan() { scale.fill } else { scale.apply(value) };
            if *gaps {
                out[1] = f32::from(value.is_nan());
            }
            if number.has_code() {
                out[1 + usize::from(*gaps)] = number.code(value);
            }
        }
        (SchemaColumn::Category { values, form, .. }, Taken::Category { number, is_gap }) => {
            match form {
                CategoryForm::Binary => {
                    out[0] = if number == UNKNOWN { 0.0 } else { 2.0 * number as f32 - 1.0 };
                }
                CategoryForm::Code => {
                    out[0] = if number == UNKNOWN { 0.0 } else { (number + 1) as f32 };
                }
                CategoryForm::OneHot | CategoryForm::Frequent => {
                    out.fill(0.0);
                    let is_other = *form == CategoryForm::Frequent && !is_gap;
                    match number {
                        UNKNOWN if is_other => out[values.len()] = 1.0,
                        UNKNOWN => {}
                        number => out[number as usize] = 1.0,
                    }
                }
            }
        }
        (SchemaColumn::Time { parts, gaps, .. }, Taken::Time(value)) => {
            let is_gap = value == TIME_GAP;
            for (part, out) in parts.iter().zip(out.iter_mut()) {
                *out = match is_gap {
                    true => part.scale.fill,
                    false => part.scale.apply(part.part.of(value)),
                };
            }
            if *gaps {
                out[parts.len()] = f32::from(is_gap);
            }
        }
        // The types have been checked.
        _ => out.fill(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::columns::{Scale, ScaledPart, TimePart};
    use std::sync::Arc;

    fn category(values: &[&str], form: CategoryForm) -> SchemaColumn {
        let values = values.iter().map(|&it| it.to_owned()).collect();
        SchemaColumn::Category { values, form, typical: None }
    }

    fn text(cells: &[Option<&str>]) -> RawColumn {
        let values: Vec<String> = cells.iter().flatten().map(|&it| it.to_owned()).collect();
        let mut next = 0;
        let code = |cell: &Option<&str>| match cell {
            None => TEXT_GAP,
            Some(_) => {
                next += 1;
                next - 1
            }
        };
        let codes = cells.iter().map(code).collect();
        RawColumn::Text { codes, values: Arc::new(values), is_chosen: false }
    }

    #[test]
    fn truth_values_are_known_in_any_spelling() {
        let schema = vec![category(&["False", "True"], CategoryForm::Binary)];
        let schema = Schema::new(schema).unwrap();
        let cells = ["true", "FALSE", "True", "yes"].map(Some);
        let table = Table::new(vec![text(&cells)]).unwrap();
        let encoded = Encoder::new(&schema, &table).unwrap().encode(0..4);
        assert_eq!(encoded, [1.0, -1.0, 1.0, 0.0]);
    }

    #[test]
    fn columns_of_nothing_but_unknown_texts_are_told() {
        let schema = vec![
            category(&["Bonn", "Ulm"], CategoryForm::Code),
            category(&["False", "True"], CategoryForm::Binary),
        ];
        let schema = Schema::new(schema).unwrap();
        let found = |city: &dyn Fn(usize) -> Option<&'static str>, rows: usize| {
            let cities: Vec<Option<&str>> = (0..rows).map(city).collect();
            let flags: Vec<Option<&str>> = (0..rows).map(|at| Some(["0", "1"][at % 2])).collect();
            schema.unknown_columns(&Table::new(vec![text(&cities), text(&flags)]).unwrap())
        };
        assert_eq!(found(&|at| (at > 0).then_some("1"), 11), [0]);
        assert!(found(&|at| (at > 0).then_some("1"), 10).is_empty());
        assert!(found(&|at| Some(if at == 19 { "Ulm" } else { "1" }), 20).is_empty());
        assert!(found(&|_| None, 20).is_empty());
    }

    #[test]
    fn every_kind_of_column_and_its_gaps() {
        let scale = |fill| Scale { mean: 2.0, deviation: 4.0, fill, clip: false };
        let number = |fill, gaps, values| {
            SchemaColumn::Number(Scaled { scale: scale(fill), gaps, typical: None, values })
        };
        let schema = Schema::new(vec![
            number(0.25, true, vec![-1.5, 2.0]),
            number(0.0, false, vec![4.0]),
            category(&["no", "yes"], CategoryForm::Binary),
            category(&["a", "b", "c"], CategoryForm::OneHot),
            category(&["a", "b"], CategoryForm::Frequent),
            category(&["a", "b", "c"], CategoryForm::Code),
            SchemaColumn::Time {
                parts: vec![ScaledPart { part: TimePart::Hour, scale: scale(-1.0) }],
                gaps: true,
                typical: None,
            },
        ])
        .unwrap();
        let rows = |a, b, c| text(&[a, b, c]);
        let table = Table::new(vec![
            RawColumn::Numbers(vec![6.0, f64::NAN, 2.0]),
            RawColumn::Numbers(vec![f64::NAN, 4.0, 2.0]),
            rows(Some("yes"), Some("perhaps"), Some("no")),
            rows(Some("c"), None, Some("x")),
            rows(Some("x"), None, Some("b")),
            rows(Some("c"), None, Some("x")),
            RawColumn::Times(vec![6 * 3600, TIME_GAP, 0]),
        ])
        .unwrap();
        let encoder = Encoder::new(&schema, &table).unwrap();
        assert_eq!(encoder.width(), 15);
        let encoded = encoder.encode(0..3);
        #[rustfmt::skip]
        let expected = [
            [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 3.0, 1.0, 0.0],
            [0.25, 1.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0],
            [0.0, 0.0, 2.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -0.5, 0.0],
        ];
        assert_eq!(encoded, expected.concat());
        // Rows alone.
        let (rows, mut single) = (RowEncoder::new(&schema), vec![f32::NAN; 15]);
        for (row, expected) in expected.iter().enumerate() {
            rows.encode_into(table.columns().iter().map(|it| it.value(row)), &mut single).unwrap();
            assert_eq!(single, expected);
        }
        let refused = |row: &[RawValue]| {
            let found = rows.encode_into(row.iter().copied(), &mut [0.0; 15]);
            found.unwrap_err().to_string()
        };
        let mut row = [RawValue::Gap; 7];
        assert!(refused(&row[1..]).contains("a row of 6 values, but the model takes 7 columns"));
        row[2] = RawValue::Number(1.0);
        let error = refused(&row);
        assert!(error.contains("feature column 2 has Number(1.0), but the training"), "{error}");
        row[0] = RawValue::Number(1e39);
        assert!(refused(&row).contains("which is not a finite number"));
        // Any rows in any order.
        assert_eq!(encoder.encode([2, 0].into_iter()), [expected[2], expected[0]].concat());
        // Another type of column is refused.
        let wrong: Vec<_> = table.columns().iter().rev().cloned().collect();
        let wrong = Table::new(wrong).unwrap();
        let error = Encoder::new(&schema, &wrong).err().unwrap().to_string();
        assert!(error.contains("feature column 0 has dates"), "{error}");
    }
}
