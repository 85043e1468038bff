//! From the columns of a table to samples: features of one type each and targets in, inputs and a data set out.

use gradus_core::samples::{
    ColumnType, DateOrder, RawColumn, TEXT_GAP, TIME_GAP, Table as RawTable,
};
use rayon::prelude::*;

use super::fields::{Decimals, Gaps, shown};
use super::head::{Head, Layout};
use super::options::TableOptions;
use super::texts::{Texts, mistake};
use super::typed::{ReadColumn, Wanted};
use crate::error::{Error, Result};
use crate::{Inputs, invalid, needs_doubles};

impl Head {
    /// What the features must hold, as options or other data say.
    ///
    /// # Errors
    /// `InvalidArgument` for a column that an option names wrongly or two of them name.
    pub(super) fn wanted(&self, layout: &Layout, options: &TableOptions) -> Result<Vec<Wanted>> {
        let places = |names: &[String], option| self.places_of(names, option, layout);
        let categorical = places(options.categorical, "categorical")?;
        let numeric = places(options.numeric, "numeric")?;
        let (names, orders): (Vec<String>, Vec<Option<DateOrder>>) =
            options.dates.iter().map(|name| self.dates_called(name)).unzip();
        let dates = places(&names, "dates")?;
        let order_of = |at: usize| {
            let mut named = names.iter().zip(&orders).filter(|(name, _)| {
                self.positions_of(std::slice::from_ref(name), "").is_ok_and(|it| it.contains(&at))
            });
            named.find_map(|(_, order)| *order)
        };
        let wanted = |(index, at): (usize, &usize)| {
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
            // A model of numbers takes nothing else.
            let of_numbers =
                (!options.may_be_raw() || options.fill.is_some()).then_some(ColumnType::Number);
            let known = match options.uses(index) {
                true => options.types.and_then(|types| types.get(index).copied()),
                // What is not used may be anything, and anything can be text.
                false => Some(ColumnType::Text),
            };
            Ok(Wanted {
                kind: asked.first().copied().or(known).or(of_numbers),
                is_chosen: categorical.contains(at),
                is_full: !options.may_be_raw(),
                order: order_of(*at).or_else(|| options.columns?.date_order(index)),
            })
        };
        layout.read().zip(&layout.features).map(wanted).collect()
    }

    /// The name of a column of dates, behind which `:day-first` or `:month-first` may say how they are written.
    fn dates_called(&self, name: &str) -> (String, Option<DateOrder>) {
        let is_column = !self.named(&[], |other| other == name).is_empty();
        let orders = DateOrder::ALL.iter().filter(|_| !is_column);
        let mut found = orders.filter_map(|&order| {
            let name = name.strip_suffix(order.name())?.strip_suffix(':')?;
            Some((name.to_owned(), Some(order)))
        });
        found.next_back().unwrap_or_else(|| (name.to_owned(), None))
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

    /// The inputs from features of one type each. Features that are all numbers without gaps become numbers, unless options
    /// name their types.
    pub(super) fn inputs(
        &mut self,
        mut columns: Vec<ReadColumn>,
        may_be_pixels: bool,
        options: &TableOptions,
    ) -> Result<Inputs> {
        if let Some(fill) = options.fill {
            self.fill_gaps(&mut columns, fill);
        }
        if !options.names_types() && columns.iter().all(is_plain) {
            return Ok(numbers(&columns, may_be_pixels, options.doubles));
        }
        Ok(Inputs::Table(RawTable::new(columns.into_iter().map(ReadColumn::into_raw).collect())?))
    }

    /// Adds gaps in place of the features that were not read.
    pub(super) fn add_unread(
        columns: &mut Vec<ReadColumn>,
        layout: &Layout,
        options: &TableOptions,
    ) {
        let rows = columns.first().map_or(0, ReadColumn::len);
        for &at in &layout.unread {
            let gaps = match options.types.and_then(|types| types.get(at)) {
                None | Some(ColumnType::Number) => RawColumn::Numbers(vec![f64::NAN; rows]),
                Some(ColumnType::Time) => RawColumn::Times(vec![TIME_GAP; rows]),
                Some(ColumnType::Text) => RawColumn::Text {
                    codes: vec![TEXT_GAP; rows],
                    values: Vec::new().into(),
                    is_chosen: false,
                },
            };
            columns.insert(at, gaps.into());
        }
    }

    /// Puts the means of the training data in place of gaps, with a warning.
    fn fill_gaps(&mut self, columns: &mut [ReadColumn], fill: &[f64]) {
        let mut count = 0_u64;
        for (column, mean) in columns.iter_mut().zip(fill) {
            let ReadColumn::Raw(RawColumn::Numbers(values)) = column else { continue };
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

    /// Says that rows without a target were left out.
    ///
    /// # Errors
    /// `InvalidData` if these are all rows.
    pub(super) fn tell_left_out(&mut self, left_out: u64, rows: u64) -> Result<()> {
        if left_out == rows {
            return Err(invalid(
                "the target is missing in all rows: there is nothing to learn from",
            ));
        }
        if left_out > 0 {
            let rows = if left_out == 1 { "row" } else { "rows" };
            self.warnings.push(format!("{left_out} {rows} without a target left out"));
        }
        Ok(())
    }
}

/// Whether a column holds numbers without gaps.
fn is_plain(column: &ReadColumn) -> bool {
    match column {
        ReadColumn::Bytes(_) => true,
        ReadColumn::Raw(RawColumn::Numbers(values)) => !values.iter().any(|value| value.is_nan()),
        ReadColumn::Raw(_) => false,
    }
}

/// What columns of numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Numbers {
    /// Grey levels of images.
    Bytes,
    Floats,
    Doubles,
}

impl Numbers {
    /// What numbers without gaps become: bytes if they may be pixels, all of them are whole numbers from 0 to 255 and one is
    /// above 1, since zeros and ones alone are not grey levels; else floats, of double precision where that is needed.
    pub(super) fn of(
        may_be_pixels: bool,
        are_bytes: impl FnOnce() -> bool,
        exceed_one: impl FnOnce() -> bool,
        need_doubles: impl FnOnce() -> bool,
    ) -> Numbers {
        match may_be_pixels && are_bytes() {
            true if exceed_one() => Numbers::Bytes,
            true => Numbers::Floats,
            false if need_doubles() => Numbers::Doubles,
            false => Numbers::Floats,
        }
    }

    /// Columns of numbers as rows.
    pub(super) fn rows(self, columns: &[ReadColumn]) -> Inputs {
        match self {
            Numbers::Bytes => Inputs::Bytes(rows_of(columns, |it, row| value_of(it, row) as u8)),
            Numbers::Floats => Inputs::Floats(rows_of(columns, |it, row| value_of(it, row) as f32)),
            Numbers::Doubles => Inputs::Doubles(rows_of(columns, value_of)),
        }
    }
}

fn value_of(column: &ReadColumn, row: usize) -> f64 {
    match column {
        ReadColumn::Bytes(bytes) => f64::from(bytes[row]),
        ReadColumn::Raw(RawColumn::Numbers(values)) => values[row],
        ReadColumn::Raw(_) => f64::NAN,
    }
}

/// Columns of numbers as rows: bytes if they have the shape of images and are no flags, else floats.
fn numbers(columns: &[ReadColumn], may_be_pixels: bool, doubles: bool) -> Inputs {
    let exceeds_one = |column: &ReadColumn| match column {
        ReadColumn::Bytes(bytes) => bytes.iter().any(|&byte| byte > 1),
        ReadColumn::Raw(RawColumn::Numbers(values)) => values.iter().any(|&value| value > 1.0),
        ReadColumn::Raw(_) => false,
    };
    let is_blurred = |column: &ReadColumn| match column {
        ReadColumn::Raw(RawColumn::Numbers(values)) => needs_doubles(values, 1),
        _ => false,
    };
    let form = Numbers::of(
        may_be_pixels,
        || columns.iter().all(are_bytes),
        || columns.iter().any(exceeds_one),
        || doubles || columns.par_iter().any(is_blurred),
    );
    form.rows(columns)
}

/// Whether a column holds whole numbers from 0 to 255.
fn are_bytes(column: &ReadColumn) -> bool {
    match column {
        ReadColumn::Bytes(_) => true,
        ReadColumn::Raw(RawColumn::Numbers(values)) => {
            values.iter().all(|&value| value == f64::from(value as u8))
        }
        ReadColumn::Raw(_) => false,
    }
}

/// The values row by row.
fn rows_of<V: Send + Copy + Default>(
    columns: &[ReadColumn],
    value: impl Fn(&ReadColumn, usize) -> V + Sync,
) -> Vec<V> {
    /// Rows that are put together at a time.
    const ROWS: usize = 256;
    let features = columns.len();
    let rows = columns.first().map_or(0, ReadColumn::len);
    let mut all = vec![V::default(); rows * features];
    let fill = |(chunk, out): (usize, &mut [V])| {
        for (at, column) in columns.iter().enumerate() {
            for (row, out) in out[at..].iter_mut().step_by(features).enumerate() {
                *out = value(column, chunk * ROWS + row);
            }
        }
    };
    match rows > ROWS {
        true => all.par_chunks_mut(ROWS * features).enumerate().for_each(fill),
        false => fill((0, &mut all)),
    }
    all
}

/// A column of a file with types as one that is wanted, converted where that is exact; and what comes first in dates that are
/// texts such as 05/01/2024.
///
/// # Errors
/// The row of a value that cannot be, and what is wrong with it.
pub(super) fn convert(
    column: RawColumn,
    wanted: Wanted,
    gaps: &Gaps,
) -> std::result::Result<(RawColumn, Option<DateOrder>), (usize, String)> {
    let column = match (column, wanted.kind) {
        (RawColumn::Text { codes, values, .. }, kind) => {
            return of_text(Texts::of_stored(&codes, &values, gaps), wanted, kind);
        }
        (RawColumn::Numbers(numbers), Some(ColumnType::Text)) => {
            Texts::of_numbers(&numbers).column(wanted.is_chosen)
        }
        (RawColumn::Times(times), Some(ColumnType::Text)) => {
            Texts::of_times(&times).column(wanted.is_chosen)
        }
        (column @ RawColumn::Numbers(_), Some(ColumnType::Time)) => match first_value(&column) {
            None => RawColumn::Times(vec![TIME_GAP; column.len()]),
            Some(row) => return Err((row, "a number, where a date is expected".to_owned())),
        },
        (column @ RawColumn::Times(_), Some(ColumnType::Number)) => match first_value(&column) {
            None => RawColumn::Numbers(vec![f64::NAN; column.len()]),
            Some(row) => return Err((row, "a date, where a number is expected".to_owned())),
        },
        (column, _) => column,
    };
    match (0..column.len()).find(|&row| wanted.is_full && column.is_gap(row)) {
        Some(row) => {
            Err((row, "the value is missing; fill it in, or leave out the row".to_owned()))
        }
        None => Ok((column, None)),
    }
}

fn first_value(column: &RawColumn) -> Option<usize> {
    (0..column.len()).find(|&row| !column.is_gap(row))
}

fn of_text(
    texts: Texts,
    wanted: Wanted,
    kind: Option<ColumnType>,
) -> std::result::Result<(RawColumn, Option<DateOrder>), (usize, String)> {
    let row_of =
        |code: usize| texts.codes().iter().position(|&it| it as usize == code).unwrap_or(0);
    match kind {
        Some(ColumnType::Number) => {
            let mut decimals = Decimals::of(b',');
            let number = |(code, value): (usize, &String)| {
                decimals.number(value.as_bytes()).map_err(|problem| (row_of(code), problem))
            };
            let numbers = texts.values().iter().enumerate().map(number);
            let numbers = numbers.collect::<std::result::Result<Vec<f64>, _>>()?;
            let values = texts.codes().iter().map(|&code| match code {
                TEXT_GAP => f64::NAN,
                code => numbers[code as usize],
            });
            Ok((RawColumn::Numbers(values.collect()), None))
        }
        Some(ColumnType::Time) => texts.times_or_text(wanted.order, true, wanted.is_chosen),
        // Texts that are all dates are dates; texts that are all numbers stay texts.
        None if !texts.values().is_empty() => {
            let found = if wanted.is_chosen { None } else { texts.mistaken_time() };
            if let Some((row, text, percent)) = found {
                return Err((row, mistake(&shown(text.as_bytes()), "date", percent)));
            }
            texts.times_or_text(wanted.order, false, wanted.is_chosen)
        }
        _ => Ok((texts.column(wanted.is_chosen), None)),
    }
}
