//! What must be known of all rows of a table before any of them becomes a sample: parts of a column in, what its form depends
//! on out. The rows themselves are not kept.

use gradus_core::samples::Precision;
#[cfg(feature = "parquet")]
use gradus_core::samples::{TEXT_GAP, TIME_GAP};

#[cfg(feature = "parquet")]
use super::fields::Gaps;
#[cfg(feature = "parquet")]
use super::texts::Texts;
#[cfg(feature = "parquet")]
use crate::RawColumn;

/// What the values of a column have in common.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    /// Whether some rows have a value.
    pub(super) has_values: bool,
    /// Whether some rows have no value.
    pub(super) has_gaps: bool,
    /// Whether all values are whole numbers from 0 to 255.
    pub(super) are_bytes: bool,
    /// Whether one of them is above 1.
    pub(super) exceed_one: bool,
    /// What single precision would blur.
    pub(super) precision: Precision,
}

impl Default for Traits {
    fn default() -> Traits {
        Traits {
            has_values: false,
            has_gaps: false,
            are_bytes: true,
            exceed_one: false,
            precision: Precision::default(),
        }
    }
}

impl Traits {
    /// Adds further rows of whole numbers.
    pub(super) fn add_bytes(&mut self, bytes: &[u8]) {
        self.has_values |= !bytes.is_empty();
        self.exceed_one |= bytes.iter().any(|&byte| byte > 1);
        let numbers: Vec<f64> = bytes.iter().map(|&byte| byte.into()).collect();
        self.precision.add(&numbers, 1);
    }

    /// Adds further rows of numbers, of which NaN is a gap.
    pub(super) fn add_numbers(&mut self, numbers: &[f64]) {
        self.has_values |= numbers.iter().any(|number| !number.is_nan());
        self.has_gaps |= numbers.iter().any(|number| number.is_nan());
        self.are_bytes &= numbers.iter().all(|&number| number == f64::from(number as u8));
        self.exceed_one |= numbers.iter().any(|&number| number > 1.0);
        // With gaps the column is raw, and keeps its precision in any case.
        if !self.has_gaps {
            self.precision.add(numbers, 1);
        }
    }

    /// Adds further rows of text or times.
    pub(super) fn add_others(&mut self, are_gaps: impl Iterator<Item = bool>) {
        for is_gap in are_gaps {
            self.has_values |= !is_gap;
            self.has_gaps |= is_gap;
            self.are_bytes = false;
        }
    }

    /// Adds further rows of a column of a file with types; `found` keeps its type and what shows whether its texts are dates.
    #[cfg(feature = "parquet")]
    pub(super) fn add_raw(&mut self, more: &RawColumn, gaps: &Gaps, found: &mut RawColumn) {
        match more {
            RawColumn::Numbers(numbers) => self.add_numbers(numbers),
            RawColumn::Times(times) => {
                self.add_others(times.iter().map(|&time| time == TIME_GAP));
                *found = RawColumn::Times(Vec::new());
            }
            RawColumn::Text { codes, values, is_chosen } => {
                let more = Texts::of_stored(codes, values, gaps);
                self.add_others(more.codes().iter().map(|&code| code == TEXT_GAP));
                let mut texts = match found {
                    RawColumn::Text { values, .. } => Texts::of_stored(&[], values, gaps),
                    _ => Texts::default(),
                };
                texts.append(more);
                texts.forget_rows();
                *found = texts.column(*is_chosen);
            }
        }
    }
}

/// Whether numbers count the rows of a file from 0 or 1, those that are left out among them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counting {
    /// What a row's number is greater by than the rows before it.
    offset: Option<f64>,
    rows: usize,
    numbers: usize,
    has_stopped: bool,
}

impl Counting {
    /// Adds the value of the next row, if it is a number.
    pub(super) fn add(&mut self, number: Option<f64>) {
        match number {
            Some(number) => {
                self.begins(number - self.rows as f64);
                self.numbers += 1;
            }
            None => self.has_stopped = true,
        }
        self.rows += 1;
    }

    /// Adds a row that is left out, whatever its number.
    pub(super) fn skip(&mut self) {
        self.rows += 1;
    }

    /// Adds later rows.
    pub(super) fn append(&mut self, later: Counting) {
        self.has_stopped |= later.has_stopped;
        if let Some(offset) = later.offset {
            self.begins(offset - self.rows as f64);
        }
        self.rows += later.rows;
        self.numbers += later.numbers;
    }

    fn begins(&mut self, offset: f64) {
        self.has_stopped |= *self.offset.get_or_insert(offset) != offset;
    }

    /// Whether they do, in so many rows that it is no coincidence.
    pub(super) fn holds(self) -> bool {
        const ENOUGH: usize = 5;
        let begins = self.offset.is_some_and(|offset| offset == 0.0 || offset == 1.0);
        begins && !self.has_stopped && self.numbers >= ENOUGH
    }
}
