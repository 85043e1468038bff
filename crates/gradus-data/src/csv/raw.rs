//! Reads the features of a table as raw columns of one type each, with gaps.

use std::io::Read;

use gradus_core::samples::{ColumnType, RawColumn, Table as RawTable};

use super::fields::{Decimals, Numbers, is_text};
use super::options::TableOptions;
use super::records::Record;
use super::table::{Layout, RowCounter, Table};
use super::typed::TypedColumn;
use crate::error::{Error, Result};
use crate::{Inputs, invalid};

impl<R: Read> Table<R> {
    /// Whether the first rows show that the features are raw columns, or the options say so.
    pub(super) fn looks_raw(&self, layout: &Layout, options: &TableOptions) -> bool {
        let gaps = options.gaps();
        let comma = self.decimals != Decimals::Point;
        let is_raw = |field: &[u8]| gaps.contain(field) || is_text(field, comma);
        let has_raw = |row: &Record| {
            row.len() == self.columns
                && (layout.features.iter().any(|&at| is_raw(row.field(at)))
                    || layout.targets.iter().any(|&at| gaps.contain(row.field(at))))
        };
        let stored = options.stored.unwrap_or_default();
        let has_text = layout.features.iter().any(|&at| stored.get(at).is_some_and(|&it| it));
        options.may_be_raw()
            && (options.names_types() || has_text || self.first_rows().any(has_raw))
    }

    /// Reads all rows as [`Table::read`], with features of any type. Rows whose target is a gap are left out with a
    /// warning. Features that are all numbers without gaps become numbers, unless options name their types.
    ///
    /// # Errors
    /// `InvalidData` with line and column for a field that is not what it should be.
    pub(super) fn read_raw(
        &mut self,
        layout: &Layout,
        options: &TableOptions,
        mut target: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Inputs> {
        let mut columns = self.typed_columns(layout, options)?;
        let gaps = options.gaps();
        let (mut decimals, mut counter, mut row) =
            (self.decimals, RowCounter::default(), Record::default());
        let (mut rows, mut left_out) = (0_u64, 0_u64);
        while self.next(&mut row)? {
            rows += 1;
            if layout.targets.iter().any(|&at| gaps.contain(row.field(at))) {
                left_out += 1;
                continue;
            }
            for &at in &layout.targets {
                let read = target(row.field(at));
                read.map_err(|problem| self.refusal(&row, at, layout, &problem))?;
            }
            for (&at, column) in layout.features.iter().zip(&mut columns) {
                let read = column.push(row.field(at), row.line, &mut decimals, &gaps);
                read.map_err(|problem| self.misfit(row.line, at, &problem))?;
            }
            counter.see(row.field(0));
        }
        if left_out == rows {
            return Err(invalid(
                "the target is missing in all rows: there is nothing to learn from",
            ));
        }
        let finished = columns.into_iter().zip(&layout.features).map(|(column, &at)| {
            column.finish().map_err(|(line, problem)| self.misfit(line, at, &problem))
        });
        let mut columns: Vec<RawColumn> = finished.collect::<Result<_>>()?;
        if let Some(fill) = options.fill {
            self.fill_gaps(&mut columns, fill);
        }
        self.end_of_rows(layout, decimals, &counter);
        if left_out > 0 {
            let rows = if left_out == 1 { "row" } else { "rows" };
            self.warnings.push(format!("{left_out} {rows} without a target left out"));
        }
        match plain(&columns).filter(|_| !options.names_types()) {
            Some(values) => {
                let mut numbers = Numbers::new(layout.may_be_pixels, decimals);
                values.into_iter().for_each(|value| numbers.push_number(value));
                Ok(numbers.finish(columns.len(), options.doubles))
            }
            None => Ok(Inputs::Table(RawTable::new(columns)?)),
        }
    }

    /// The columns to fill, with the types that options or other data say.
    fn typed_columns(&self, layout: &Layout, options: &TableOptions) -> Result<Vec<TypedColumn>> {
        let places = |names: &[String], option| self.places_of(names, option, layout);
        let categorical = places(options.categorical, "categorical")?;
        let numeric = places(options.numeric, "numeric")?;
        let dates = places(options.dates, "dates")?;
        let mut columns = Vec::with_capacity(layout.features.len());
        for (index, at) in layout.features.iter().enumerate() {
            let asked = [
                (&categorical, ColumnType::Text),
                (&numeric, ColumnType::Number),
                (&dates, ColumnType::Time),
            ];
            let asked: Vec<ColumnType> = asked
                .into_iter()
                .filter(|(places, _)| places.contains(at))
                .map(|it| it.1)
                .collect();
            if asked.len() > 1 {
                return Err(Error::argument(format!(
                    "{} is named by two of `categorical`, `numeric` and `dates`",
                    self.column(*at)
                )));
            }
            let of_numbers = options.fill.map(|_| ColumnType::Number);
            let known = options.types.and_then(|types| types.get(index).copied()).or(of_numbers);
            let wanted = asked.first().copied().or(known);
            let is_text = options.stored.is_some_and(|stored| stored.get(*at) == Some(&true));
            columns.push(match (wanted, is_text) {
                (None, true) => TypedColumn::of_text(),
                _ => TypedColumn::new(wanted, categorical.contains(at)),
            });
        }
        Ok(columns)
    }

    /// Puts the means of the training data in place of gaps, with a warning.
    fn fill_gaps(&mut self, columns: &mut [RawColumn], fill: &[f64]) {
        let mut count = 0_u64;
        for (column, mean) in columns.iter_mut().zip(fill) {
            let RawColumn::Numbers(values) = column else { continue };
            for value in values.iter_mut().filter(|value| value.is_nan()) {
                *value = *mean;
                count += 1;
            }
        }
        if count > 0 {
            let gaps = if count == 1 { "gap is" } else { "gaps are" };
            self.warnings.push(format!(
                "{count} {gaps} filled with the means of the training data, which had none"
            ));
        }
    }

    /// The positions of features that an option names.
    fn places_of(&self, names: &[String], option: &str, layout: &Layout) -> Result<Vec<usize>> {
        let places = self.positions_of(names, &format!("column for `{option}`"))?;
        match places.iter().find(|at| !layout.features.contains(at)) {
            None => Ok(places),
            Some(&at) => Err(Error::argument(format!(
                "`{option}`: {} is the target or left out, not a feature",
                self.column(at)
            ))),
        }
    }

    /// The error for a feature that is not what it should be.
    fn misfit(&self, line: u64, at: usize, problem: &str) -> Error {
        invalid(format!("line {line}, {}: {problem}", self.column(at)))
    }
}

/// The values row by row, if all columns are numbers without gaps.
fn plain(columns: &[RawColumn]) -> Option<Vec<f64>> {
    let numbers = columns.iter().map(|column| match column {
        RawColumn::Numbers(values) if !values.iter().any(|value| value.is_nan()) => Some(values),
        _ => None,
    });
    let numbers: Vec<&Vec<f64>> = numbers.collect::<Option<_>>()?;
    let rows = numbers.first()?.len();
    Some((0..rows).flat_map(|row| numbers.iter().map(move |values| values[row])).collect())
}
