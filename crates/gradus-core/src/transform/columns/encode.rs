//! Encodes rows of a table: raw columns and a schema in, rows of floats out.

use std::collections::HashMap;

use super::{CategoryForm, Scaled, Schema, SchemaColumn};
use crate::error::Result;
use crate::samples::{RawColumn, TEXT_GAP, TIME_GAP, Table};

/// The number of a text that the training part did not have.
const UNKNOWN: u32 = u32::MAX;

/// The numbers of the texts of a schema's categories, looked up by text: made once for many tables.
pub struct Places(Vec<HashMap<String, u32>>);

impl Places {
    /// Of this schema.
    pub fn of(schema: &Schema) -> Places {
        let places = |column: &SchemaColumn| match column {
            SchemaColumn::Category { values, .. } => values.iter().cloned().zip(0..).collect(),
            _ => HashMap::new(),
        };
        Places(schema.columns().iter().map(places).collect())
    }
}

/// A table and a schema, ready to encode rows.
pub struct Encoder<'a> {
    columns: Vec<(&'a SchemaColumn, &'a RawColumn)>,
    /// For each column of text, the number in the schema of each of its values.
    numbers: Vec<Vec<u32>>,
    width: usize,
}

impl<'a> Encoder<'a> {
    /// For this table.
    ///
    /// # Errors
    /// Those of [`Schema::check_table`].
    pub fn new(schema: &'a Schema, table: &'a Table) -> Result<Encoder<'a>> {
        Encoder::with_places(schema, &Places::of(schema), table)
    }

    /// The same with the places of this schema.
    ///
    /// # Errors
    /// Those of [`Schema::check_table`].
    pub fn with_places(
        schema: &'a Schema,
        places: &Places,
        table: &'a Table,
    ) -> Result<Encoder<'a>> {
        schema.check_table(table)?;
        let columns: Vec<_> = schema.columns().iter().zip(table.columns()).collect();
        let numbers = columns.iter().zip(&places.0);
        let numbers = numbers.map(|((_, raw), places)| numbers_of(places, raw)).collect();
        Ok(Encoder { columns, numbers, width: schema.width() })
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
        for ((column, raw), numbers) in self.columns.iter().zip(&self.numbers) {
            let width = column.width();
            if width == 0 {
                continue;
            }
            for (row, out) in rows.clone().zip(out.chunks_exact_mut(self.width)) {
                encode(column, raw, numbers, row, &mut out[start..start + width]);
            }
            start += width;
        }
    }
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

/// Encodes one cell.
fn encode(column: &SchemaColumn, raw: &RawColumn, numbers: &[u32], row: usize, out: &mut [f32]) {
    match (column, raw) {
        (SchemaColumn::Number(Scaled { scale, gaps, .. }), RawColumn::Numbers(values)) => {
            let value = values[row];
            out[0] = if value.is_nan() { scale.fill } else { scale.apply(value) };
            if *gaps {
                out[1] = f32::from(value.is_nan());
            }
        }
        (SchemaColumn::Category { values, form, .. }, RawColumn::Text { codes, .. }) => {
            let code = codes[row];
            let number = if code == TEXT_GAP { UNKNOWN } else { numbers[code as usize] };
            match form {
                CategoryForm::Binary => {
                    out[0] = if number == UNKNOWN { 0.0 } else { 2.0 * number as f32 - 1.0 };
                }
                CategoryForm::Code => {
                    out[0] = if number == UNKNOWN { 0.0 } else { (number + 1) as f32 };
                }
                CategoryForm::OneHot | CategoryForm::Frequent => {
                    out.fill(0.0);
                    let is_other = *form == CategoryForm::Frequent && code != TEXT_GAP;
                    match number {
                        UNKNOWN if is_other => out[values.len()] = 1.0,
                        UNKNOWN => {}
                        number => out[number as usize] = 1.0,
                    }
                }
            }
        }
        (SchemaColumn::Time { parts, gaps, .. }, RawColumn::Times(values)) => {
            let value = values[row];
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
        // `Encoder::new` has checked the types.
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
    fn every_kind_of_column_and_its_gaps() {
        let scale = |fill| Scale { mean: 2.0, deviation: 4.0, fill, clip: false };
        let number =
            |fill, gaps| SchemaColumn::Number(Scaled { scale: scale(fill), gaps, typical: None });
        let schema = Schema::new(vec![
            number(0.25, true),
            number(0.0, false),
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
        assert_eq!(encoder.width(), 13);
        let encoded = encoder.encode(0..3);
        #[rustfmt::skip]
        let expected = [
            [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 3.0, 1.0, 0.0],
            [0.25, 1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0, 1.0],
            [0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, -0.5, 0.0],
        ];
        assert_eq!(encoded, expected.concat());
        // Any rows in any order.
        assert_eq!(encoder.encode([2, 0].into_iter()), [expected[2], expected[0]].concat());
        // Another type of column is refused.
        let wrong: Vec<_> = table.columns().iter().rev().cloned().collect();
        let wrong = Table::new(wrong).unwrap();
        let error = Encoder::new(&schema, &wrong).err().unwrap().to_string();
        assert!(error.contains("feature column 0 has dates"), "{error}");
    }
}
