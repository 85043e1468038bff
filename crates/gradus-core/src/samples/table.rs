//! Raw columns of a table, each of one type: numbers, text or points in time, with gaps.
//!
//! In: what a reader finds in the columns. Out: a [`Table`], which can be divided like all other inputs and which a
//! schema ([`crate::transform::columns`]) turns into the numbers that a network takes.

use std::sync::Arc;

use super::permute::{permute_rows, split_off};
use crate::error::{Result, invalid};

/// The code of a gap in a column of text.
pub const TEXT_GAP: u32 = u32::MAX;

/// The value of a gap in a column of points in time.
pub const TIME_GAP: i64 = i64::MIN;

/// Columns of the same number of rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    rows: usize,
    columns: Vec<RawColumn>,
}

/// A column with values of one type.
#[derive(Debug, Clone, PartialEq)]
pub enum RawColumn {
    /// Numbers; a gap is NaN.
    Numbers(Vec<f64>),
    /// Text: each row has the index of its value, or [`TEXT_GAP`].
    Text {
        /// Indices into `values`.
        codes: Vec<u32>,
        /// The different values, in any order; the parts of a table share them.
        values: Arc<Vec<String>>,
        /// Whether the user asked for a category: it is one even if it looks like an identifier.
        is_chosen: bool,
    },
    /// Seconds since 1970-01-01 00:00; a gap is [`TIME_GAP`].
    Times(Vec<i64>),
}

/// A raw value, whose text belongs to its table or to the caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawValue<'a> {
    /// Nothing.
    Gap,
    /// A number; NaN is a gap, too.
    Number(f64),
    /// A text.
    Text(&'a str),
    /// Seconds since 1970-01-01 00:00.
    Time(i64),
}

/// The type of a raw column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Numbers.
    Number,
    /// Text.
    Text,
    /// Points in time.
    Time,
}

impl ColumnType {
    /// The values of such a column, in the plural.
    pub fn plural(self) -> &'static str {
        match self {
            ColumnType::Number => "numbers",
            ColumnType::Text => "text",
            ColumnType::Time => "dates",
        }
    }
}

impl Table {
    /// A table of these columns.
    ///
    /// # Errors
    /// `InvalidData` if there is no column or no row, lengths differ, a number is infinite in single precision, or
    /// the code of a text is out of range.
    pub fn new(columns: Vec<RawColumn>) -> Result<Table> {
        let rows = columns.first().map_or(0, RawColumn::len);
        if rows == 0 {
            return Err(invalid("a table without rows"));
        }
        for (at, column) in columns.iter().enumerate() {
            if column.len() != rows {
                let found = column.len();
                return Err(invalid(format!("column {at} has {found} rows, column 0 has {rows}")));
            }
            column.check().map_err(|error| error.context(format!("column {at}")))?;
        }
        Ok(Table { rows, columns })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns.
    pub fn columns(&self) -> &[RawColumn] {
        &self.columns
    }

    /// The types of the columns.
    pub fn types(&self) -> Vec<ColumnType> {
        self.columns.iter().map(RawColumn::kind).collect()
    }

    /// No rows, but the types and texts of these.
    pub(crate) fn without_rows(&self) -> Table {
        self.subset(&[])
    }

    /// Adds the rows of another table, and says whether it has the same types and shares its texts.
    pub(super) fn append(&mut self, other: &Table) -> bool {
        if !self.shares_texts(other) {
            return false;
        }
        for (own, other) in self.columns.iter_mut().zip(&other.columns) {
            match (own, other) {
                (RawColumn::Numbers(all), RawColumn::Numbers(more)) => all.extend(more),
                (RawColumn::Text { codes, .. }, RawColumn::Text { codes: more, .. }) => {
                    codes.extend(more);
                }
                (RawColumn::Times(all), RawColumn::Times(more)) => all.extend(more),
                _ => {}
            }
        }
        self.rows += other.rows;
        true
    }

    /// Whether the columns of both have the same types, and codes of text mean the same in both.
    pub(crate) fn shares_texts(&self, other: &Table) -> bool {
        let are_alike = |(own, other): (&RawColumn, &RawColumn)| match (own, other) {
            (RawColumn::Text { values, .. }, RawColumn::Text { values: others, .. }) => {
                Arc::ptr_eq(values, others) || values == others
            }
            (own, other) => own.kind() == other.kind(),
        };
        self.columns.len() == other.columns.len()
            && self.columns.iter().zip(&other.columns).all(are_alike)
    }

    /// Puts a column of the same type and number of rows in place of column `at`.
    pub(super) fn replace(&mut self, at: usize, column: RawColumn) {
        debug_assert!(column.len() == self.rows && column.kind() == self.columns[at].kind());
        self.columns[at] = column;
    }

    /// The rows at `indices`, in that order. Texts are shared. Panics where there is no such row.
    pub fn subset(&self, indices: &[usize]) -> Table {
        let columns = self.columns.iter().map(|column| column.subset(indices)).collect();
        Table { rows: indices.len(), columns }
    }

    /// Divides the rows in two without a copy of the whole: `order` is a permutation, its first `count` rows go first.
    pub(super) fn divide(self, order: &[usize], count: usize) -> (Table, Table) {
        let parts = self.columns.into_iter().map(|column| column.divide(order, count));
        let (first, second) = parts.unzip();
        let table = |rows, columns| Table { rows, columns };
        (table(count, first), table(order.len() - count, second))
    }

    /// One row as numbers, for drawings and listings: the code of a text, the seconds of a time; NaN for a gap.
    pub(super) fn row_as_numbers(&self, row: usize) -> Vec<f32> {
        let number = |column: &RawColumn| match column {
            RawColumn::Numbers(values) => values[row] as f32,
            RawColumn::Text { codes, .. } if codes[row] == TEXT_GAP => f32::NAN,
            RawColumn::Text { codes, .. } => codes[row] as f32,
            RawColumn::Times(values) if values[row] == TIME_GAP => f32::NAN,
            RawColumn::Times(values) => values[row] as f32,
        };
        self.columns.iter().map(number).collect()
    }

    /// The place of the first infinite number: its value, its row and its column.
    pub(super) fn not_finite(&self) -> Option<(f64, (usize, usize))> {
        let columns = self.columns.iter().enumerate();
        let mut found = columns.filter_map(|(at, column)| match column {
            RawColumn::Numbers(values) => {
                let row = values.iter().position(|&value| is_infinite(value))?;
                Some((values[row], (row, at)))
            }
            _ => None,
        });
        found.next()
    }
}

/// Whether a number is neither a gap nor finite in single precision.
pub(crate) fn is_infinite(value: f64) -> bool {
    !value.is_nan() && !(value as f32).is_finite()
}

impl RawColumn {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            RawColumn::Numbers(values) => values.len(),
            RawColumn::Text { codes, .. } => codes.len(),
            RawColumn::Times(values) => values.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type of its values.
    pub fn kind(&self) -> ColumnType {
        match self {
            RawColumn::Numbers(_) => ColumnType::Number,
            RawColumn::Text { .. } => ColumnType::Text,
            RawColumn::Times(_) => ColumnType::Time,
        }
    }

    /// Whether a row is a gap.
    pub fn is_gap(&self, row: usize) -> bool {
        match self {
            RawColumn::Numbers(values) => values[row].is_nan(),
            RawColumn::Text { codes, .. } => codes[row] == TEXT_GAP,
            RawColumn::Times(values) => values[row] == TIME_GAP,
        }
    }

    /// The value in a row.
    pub fn value(&self, row: usize) -> RawValue<'_> {
        match self {
            _ if self.is_gap(row) => RawValue::Gap,
            RawColumn::Numbers(values) => RawValue::Number(values[row]),
            RawColumn::Text { codes, values, .. } => RawValue::Text(&values[codes[row] as usize]),
            RawColumn::Times(values) => RawValue::Time(values[row]),
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            RawColumn::Numbers(values) => match values.iter().position(|&it| is_infinite(it)) {
                Some(row) => {
                    let value = values[row];
                    Err(invalid(format!("row {row} has {value}, which is not a finite number")))
                }
                None => Ok(()),
            },
            RawColumn::Text { codes, values, .. } => {
                let count = values.len();
                match codes.iter().find(|&&code| code != TEXT_GAP && code as usize >= count) {
                    Some(code) => Err(invalid(format!("there is no text {code} among {count}"))),
                    None => Ok(()),
                }
            }
            RawColumn::Times(_) => Ok(()),
        }
    }

    fn subset(&self, indices: &[usize]) -> RawColumn {
        fn rows<T: Copy>(values: &[T], indices: &[usize]) -> Vec<T> {
            indices.iter().map(|&at| values[at]).collect()
        }
        match self {
            RawColumn::Numbers(values) => RawColumn::Numbers(rows(values, indices)),
            RawColumn::Text { codes, values, is_chosen } => {
                let (codes, values) = (rows(codes, indices), values.clone());
                RawColumn::Text { codes, values, is_chosen: *is_chosen }
            }
            RawColumn::Times(values) => RawColumn::Times(rows(values, indices)),
        }
    }

    fn divide(self, order: &[usize], count: usize) -> (RawColumn, RawColumn) {
        fn parts<T: Copy + Default>(
            mut values: Vec<T>,
            order: &[usize],
            count: usize,
        ) -> (Vec<T>, Vec<T>) {
            permute_rows(&mut values, 1, order);
            split_off(values, count)
        }
        match self {
            RawColumn::Numbers(values) => {
                let (first, second) = parts(values, order, count);
                (RawColumn::Numbers(first), RawColumn::Numbers(second))
            }
            RawColumn::Text { codes, values, is_chosen } => {
                let (first, second) = parts(codes, order, count);
                let part = |codes| RawColumn::Text { codes, values: values.clone(), is_chosen };
                (part(first), part(second))
            }
            RawColumn::Times(values) => {
                let (first, second) = parts(values, order, count);
                (RawColumn::Times(first), RawColumn::Times(second))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, Inputs, Subset, Targets};

    /// Numbers with a gap, text and times.
    fn mixed() -> Table {
        let values = Arc::new(vec!["b".to_owned(), "a".to_owned()]);
        Table::new(vec![
            RawColumn::Numbers(vec![1.0, f64::NAN, 3.0, 4.0]),
            RawColumn::Text { codes: vec![0, 1, TEXT_GAP, 1], values, is_chosen: false },
            RawColumn::Times(vec![0, 86_400, TIME_GAP, 3]),
        ])
        .unwrap()
    }

    #[test]
    fn parts_of_a_table_are_its_rows() {
        let labels = vec![0, 1, 0, 1];
        let names = vec!["x".to_owned(), "y".to_owned()];
        let targets = Targets::Classes { labels, names };
        let set = Dataset::with_targets(Inputs::Table(mixed()), targets, vec![3]).unwrap();
        let shown = |set: &Dataset| format!("{:?}", set.inputs);
        let expected = (set.subset(&[3, 0]), set.subset(&[2, 1]));
        let found = set.clone().divide(&[3, 0], &[2, 1]);
        assert_eq!(shown(&found.0), shown(&expected.0));
        assert_eq!(shown(&found.1), shown(&expected.1));
        assert_eq!(set.sample(3)[..2], [4.0, 1.0]);
        let subset = Subset::new(&set, &[3, 0]).unwrap();
        assert_eq!(subset.sha256(), expected.0.sha256());
        assert_ne!(subset.sha256(), expected.1.sha256());
    }

    #[test]
    fn columns_must_fit_together() {
        let numbers = |count| RawColumn::Numbers(vec![0.5; count]);
        assert!(Table::new(vec![numbers(2), numbers(3)]).is_err());
        assert!(Table::new(vec![]).is_err());
        assert!(Table::new(vec![RawColumn::Numbers(vec![f64::INFINITY])]).is_err());
        let values = Arc::new(vec!["a".to_owned()]);
        let text = RawColumn::Text { codes: vec![1], values, is_chosen: false };
        assert!(Table::new(vec![text]).is_err());
    }
}
