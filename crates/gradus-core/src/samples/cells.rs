//! Single cells of the columns of samples, and columns whose cells are exchanged or all the same: what importances and
//! partial dependence ask a model about.

use std::sync::Arc;

use super::{Dataset, Inputs, RawColumn, RawValue, TEXT_GAP, TIME_GAP};
use crate::error::{Error, Result};

/// A value of a column, as a value of its own; [`RawValue`] borrows its text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// Seconds since 1970-01-01 00:00.
    Time(i64),
    /// Nothing.
    Gap,
}

impl RawColumn {
    /// The value of a row.
    pub fn cell(&self, row: usize) -> Cell {
        match self.value(row) {
            RawValue::Gap => Cell::Gap,
            RawValue::Number(value) => Cell::Number(value),
            RawValue::Text(text) => Cell::Text(text.to_owned()),
            RawValue::Time(seconds) => Cell::Time(seconds),
        }
    }

    /// A column of this type with the same value in each of `rows` rows; none if the value has another type.
    fn filled(&self, cell: &Cell, rows: usize) -> Option<RawColumn> {
        Some(match (self, cell) {
            (RawColumn::Numbers(_), Cell::Number(value)) => RawColumn::Numbers(vec![*value; rows]),
            (RawColumn::Numbers(_), Cell::Gap) => RawColumn::Numbers(vec![f64::NAN; rows]),
            (RawColumn::Times(_), Cell::Time(value)) => RawColumn::Times(vec![*value; rows]),
            (RawColumn::Times(_), Cell::Gap) => RawColumn::Times(vec![TIME_GAP; rows]),
            (RawColumn::Text { is_chosen, .. }, Cell::Text(value)) => {
                let values = Arc::new(vec![value.clone()]);
                RawColumn::Text { codes: vec![0; rows], values, is_chosen: *is_chosen }
            }
            (RawColumn::Text { values, is_chosen, .. }, Cell::Gap) => {
                let (codes, values) = (vec![TEXT_GAP; rows], values.clone());
                RawColumn::Text { codes, values, is_chosen: *is_chosen }
            }
            _ => return None,
        })
    }

    /// The column whose row `i` has the value of row `order[i]`.
    fn reordered(&self, order: &[usize]) -> RawColumn {
        match self {
            RawColumn::Numbers(values) => {
                RawColumn::Numbers(order.iter().map(|&row| values[row]).collect())
            }
            RawColumn::Text { codes, values, is_chosen } => RawColumn::Text {
                codes: order.iter().map(|&row| codes[row]).collect(),
                values: values.clone(),
                is_chosen: *is_chosen,
            },
            RawColumn::Times(values) => {
                RawColumn::Times(order.iter().map(|&row| values[row]).collect())
            }
        }
    }
}

/// What a column was before it was changed.
pub(crate) enum SavedColumn {
    Numbers(Vec<f64>),
    Raw(RawColumn),
}

impl Inputs {
    /// The value of a feature of a sample, of samples of so many features. Panics where there is no such sample or feature.
    pub fn cell(&self, features: usize, sample: usize, feature: usize) -> Cell {
        let at = sample * features + feature;
        match self {
            Inputs::Table(table) => table.columns()[feature].cell(sample),
            Inputs::Bytes(values) => Cell::Number(values[at].into()),
            Inputs::Floats(values) => Cell::Number(values[at].into()),
            Inputs::Doubles(values) => Cell::Number(values[at]),
            Inputs::Sparse(rows) => Cell::Number(rows.dense_row(sample)[feature].into()),
            Inputs::Streamed(rows) => Cell::Number(rows.row(sample)[feature].into()),
        }
    }
}

impl Dataset {
    /// The value of a feature of a sample. Panics where there is no such sample or feature.
    pub fn cell(&self, sample: usize, feature: usize) -> Cell {
        self.inputs.cell(self.features(), sample, feature)
    }

    /// The numbers of a feature in all samples.
    fn numbers(&self, feature: usize) -> Result<Vec<f64>> {
        fn column<T: Copy + Into<f64>>(values: &[T], at: usize, width: usize) -> Vec<f64> {
            values.iter().skip(at).step_by(width).map(|&value| value.into()).collect()
        }
        let width = self.features();
        match &self.inputs {
            Inputs::Bytes(values) => Ok(column(values, feature, width)),
            Inputs::Floats(values) => Ok(column(values, feature, width)),
            Inputs::Doubles(values) => Ok(column(values, feature, width)),
            Inputs::Streamed(_) => Err(Error::argument(
                "importances and partial dependence need all samples in memory: load them",
            )),
            Inputs::Sparse(_) | Inputs::Table(_) => Err(Error::argument(
                "importances and partial dependence are computed for dense rows, but these samples are sparse: make \
                 them dense",
            )),
        }
    }

    fn set_numbers(&mut self, feature: usize, from: &[f64]) {
        let width = self.features();
        let places = |len: usize| (feature..len).step_by(width);
        match &mut self.inputs {
            // Bytes come only from bytes.
            Inputs::Bytes(values) => {
                places(values.len()).zip(from).for_each(|(at, &value)| values[at] = value as u8);
            }
            Inputs::Floats(values) => {
                places(values.len()).zip(from).for_each(|(at, &value)| values[at] = value as f32);
            }
            Inputs::Doubles(values) => {
                places(values.len()).zip(from).for_each(|(at, &value)| values[at] = value);
            }
            Inputs::Sparse(_) | Inputs::Table(_) | Inputs::Streamed(_) => {}
        }
    }

    /// A feature as it is, for [`Self::restore`].
    ///
    /// # Errors
    /// `InvalidArgument` for sparse samples.
    pub(crate) fn saved(&self, feature: usize) -> Result<SavedColumn> {
        match &self.inputs {
            Inputs::Table(table) => Ok(SavedColumn::Raw(table.columns()[feature].clone())),
            _ => Ok(SavedColumn::Numbers(self.numbers(feature)?)),
        }
    }

    /// Gives sample `i` the value that sample `order[i]` has in `saved`.
    pub(crate) fn reorder(&mut self, feature: usize, saved: &SavedColumn, order: &[usize]) {
        match (saved, &mut self.inputs) {
            (SavedColumn::Raw(column), Inputs::Table(table)) => {
                table.replace(feature, column.reordered(order));
            }
            (SavedColumn::Numbers(values), _) => {
                let values: Vec<f64> = order.iter().map(|&row| values[row]).collect();
                self.set_numbers(feature, &values);
            }
            (SavedColumn::Raw(_), _) => {}
        }
    }

    /// Gives all samples the same value.
    ///
    /// # Errors
    /// `InvalidArgument` if the feature has values of another type.
    pub(crate) fn fill(&mut self, feature: usize, cell: &Cell) -> Result<()> {
        let rows = self.len();
        let wrong = || Error::argument(format!("feature {feature} cannot be {cell:?}"));
        if let Inputs::Table(table) = &mut self.inputs {
            let column = table.columns()[feature].filled(cell, rows).ok_or_else(wrong)?;
            table.replace(feature, column);
            return Ok(());
        }
        match (&self.inputs, cell) {
            (Inputs::Bytes(_), Cell::Number(value)) if f64::from(*value as u8) != *value => {
                Err(wrong())
            }
            (_, Cell::Number(value)) if (*value as f32).is_finite() => {
                self.set_numbers(feature, &vec![*value; rows]);
                Ok(())
            }
            _ => Err(wrong()),
        }
    }

    /// Undoes all changes of a feature.
    pub(crate) fn restore(&mut self, feature: usize, saved: SavedColumn) {
        match (saved, &mut self.inputs) {
            (SavedColumn::Raw(column), Inputs::Table(table)) => table.replace(feature, column),
            (SavedColumn::Numbers(values), _) => self.set_numbers(feature, &values),
            (SavedColumn::Raw(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Table, Targets};

    fn set(inputs: Inputs, features: usize) -> Dataset {
        let targets = Targets::Values { values: vec![0.0; 3], names: vec!["y".into()] };
        Dataset::with_targets(inputs, targets, vec![features]).unwrap()
    }

    #[test]
    fn columns_of_rows_change_and_come_back() {
        let of_floats = (0..6).map(|at| at as f32 / 2.0).collect();
        let of_doubles = (0..6).map(|at| f64::from(at) / 2.0).collect();
        for inputs in [
            Inputs::Bytes(vec![0, 1, 2, 3, 4, 5]),
            Inputs::Floats(of_floats),
            Inputs::Doubles(of_doubles),
        ] {
            let before = set(inputs, 2);
            let mut data = before.clone();
            let saved = data.saved(1).unwrap();
            data.reorder(1, &saved, &[2, 0, 1]);
            let cells = |data: &Dataset, at| [0, 1, 2].map(|row| data.cell(row, at));
            let [a, b, c] = cells(&before, 1);
            assert_eq!(cells(&data, 1), [c, a, b]);
            assert_eq!(cells(&data, 0), cells(&before, 0));
            data.fill(1, &Cell::Number(7.0)).unwrap();
            assert_eq!(cells(&data, 1), [(); 3].map(|()| Cell::Number(7.0)));
            assert!(data.fill(1, &Cell::Gap).is_err() && data.fill(1, &Cell::Time(3)).is_err());
            data.restore(1, saved);
            assert_eq!(data, before);
        }
        let mut bytes = set(Inputs::Bytes(vec![0; 3]), 1);
        assert!(bytes.fill(0, &Cell::Number(0.5)).is_err());
    }

    #[test]
    fn raw_columns_change_and_come_back() {
        let values = Arc::new(vec!["a".to_owned(), "b".to_owned()]);
        let table = Table::new(vec![
            RawColumn::Numbers(vec![1.0, f64::NAN, 3.0]),
            RawColumn::Text { codes: vec![0, 1, TEXT_GAP], values, is_chosen: true },
            RawColumn::Times(vec![TIME_GAP, 5, 6]),
        ]);
        let before = set(Inputs::Table(table.unwrap()), 3);
        let mut data = before.clone();
        let text = |text: &str| Cell::Text(text.to_owned());
        let cells = |data: &Dataset, at| [0, 1, 2].map(|row| data.cell(row, at));
        let others = [Cell::Number(2.5), text("new"), Cell::Time(9)];
        for (at, other) in others.iter().enumerate() {
            let saved = data.saved(at).unwrap();
            data.reorder(at, &saved, &[1, 2, 0]);
            let [a, b, c] = cells(&before, at);
            assert_eq!(cells(&data, at), [b, c, a]);
            for cell in [other, &Cell::Gap] {
                data.fill(at, cell).unwrap();
                assert_eq!(cells(&data, at), [(); 3].map(|()| cell.clone()));
            }
            assert!(data.fill(at, &others[(at + 1) % 3]).is_err());
            data.restore(at, saved);
            assert_eq!(format!("{data:?}"), format!("{before:?}"));
        }
    }
}
