//! Texts of a column: fields in, each different one once out, with a code for each row.

use std::collections::HashMap;
use std::sync::Arc;

use gradus_core::samples::{DateOrder, RawColumn, TEXT_GAP, TIME_GAP};
use gradus_core::transform::columns::time_text;

use super::fields::{Decimals, Gaps, shown};
use super::times::{NoTime, order_of, parse_time};
use crate::interned::Interned;

/// A column of numbers or times with so small a share of other texts ...
pub(super) const FEW_TEXTS: f64 = 0.05;

/// ... among so many fields is not taken for text: they are mistakes, or gaps of another spelling.
pub(super) const MANY_FIELDS: usize = 20;

/// What is wrong with a text that is probably a mistake, in a column of which so many percent are `what`.
pub(super) fn mistake(text: &str, what: &str, percent: f64) -> String {
    format!(
        "{text} is not a {what}, but {percent:.1} % of this column are: correct it, count it among the gaps with `missing`, or \
         read the column as text with `categorical`"
    )
}

/// From this number on, double precision does not tell all whole numbers apart.
const EXACT: f64 = (1_u64 << 53) as f64;

/// Texts that are kept where only the type of a column is looked for.
const EVIDENCE: usize = 1 << 12;

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
    pub(super) codes: Vec<u32>,
    values: Interned,
    /// Whether each value is a number.
    are_numbers: Vec<bool>,
    /// The code of each number, by every other spelling that was found.
    spellings: HashMap<Box<[u8]>, u32>,
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
    pub(super) fn push(&mut self, field: &[u8], decimals: &mut Decimals) -> bool {
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
        if let Some(code) = self.values.find(field).or_else(|| self.spellings.get(field).copied()) {
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

    /// The code of a value.
    fn code_of(&mut self, value: &str, is_number: bool) -> u32 {
        let (code, is_new) = self.values.code_of(value);
        self.are_numbers.extend(is_new.then_some(is_number));
        code
    }

    /// Adds the texts of later rows.
    pub(super) fn append(&mut self, later: Texts) {
        let pairs = later.values().iter().zip(&later.are_numbers);
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
            self.values().iter().filter_map(|value| order_of(value.as_bytes())).collect();
        orders.dedup();
        let order = order.or(if orders.len() == 1 { Some(orders[0]) } else { None });
        let time = |(code, value): (usize, &String)| {
            parse_time(value.as_bytes(), order).map_err(|problem| (code, problem))
        };
        let times: Result<Vec<i64>, _> = self.values().iter().enumerate().map(time).collect();
        let row = |code: usize| self.codes.iter().position(|&it| it as usize == code).unwrap_or(0);
        match times {
            Ok(times) => {
                let time = |&code: &u32| times.get(code as usize).copied().unwrap_or(TIME_GAP);
                Ok((RawColumn::Times(self.codes.iter().map(time).collect()), order))
            }
            Err((code, NoTime::Other)) if must => {
                Err((row(code), no_time(self.values()[code].as_bytes())))
            }
            // Without any that shows the order, they are dates nevertheless; with both, they are none.
            Err((code, NoTime::Unordered)) if must || (orders.is_empty() && self.are_times()) => {
                Err((row(code), unordered(&self.values()[code])))
            }
            Err(_) => Ok((self.column(is_chosen), None)),
        }
    }

    /// The row and the text of what is no time, if so few rows have such that it is a mistake, or a gap of another spelling; and how
    /// many percent are times.
    pub(super) fn mistaken_time(&self) -> Option<(usize, &str, f64)> {
        let is_time = |value: &String| parse_time(value.as_bytes(), None) != Err(NoTime::Other);
        let codes = || self.codes.iter().filter(|&&code| code != TEXT_GAP);
        let all = codes().count();
        // Each value has a row: of a category, a few values show that it is none of times.
        let (mut are_times, mut others) = (Vec::with_capacity(self.values().len()), 0);
        for value in self.values() {
            are_times.push(is_time(value));
            others += usize::from(are_times.last() == Some(&false));
            if others as f64 >= FEW_TEXTS * all as f64 {
                return None;
            }
        }
        let times = codes().filter(|&&code| are_times[code as usize]).count();
        let share = times as f64 / all.max(1) as f64;
        if times == all || times < MANY_FIELDS || 1.0 - share >= FEW_TEXTS {
            return None;
        }
        let is_other = |&code: &u32| code != TEXT_GAP && !are_times[code as usize];
        let row = self.codes.iter().position(is_other)?;
        Some((row, &self.values()[self.codes[row] as usize], 100.0 * share))
    }

    /// Whether all values are times, in one order of day and month or the other.
    fn are_times(&self) -> bool {
        self.values().iter().all(|value| parse_time(value.as_bytes(), None) != Err(NoTime::Other))
    }

    /// Adds a number to the values without a row that has it.
    pub(super) fn note(&mut self, number: f64) {
        self.code_of(&number_text(number), true);
    }

    /// Forgets the rows, and of many values those that say no more about the type of the column than others do: a text that is
    /// no time makes it text, whatever else it has; and of times a few show whether day or month comes first.
    pub(super) fn forget_rows(&mut self) {
        self.codes.clear();
        if self.values().len() <= EVIDENCE {
            return;
        }
        let time = |value: &str, order| parse_time(value.as_bytes(), order);
        let other = self.values().iter().find(|value| time(value, None) == Err(NoTime::Other));
        let kept: Vec<String> = match other {
            Some(text) => vec![text.clone()],
            None => {
                let orders = [None, Some(DateOrder::DayFirst), Some(DateOrder::MonthFirst)];
                let mut found = Vec::new();
                let mut is_new = |value: &&String| {
                    let says = orders.map(|order| time(value, order).is_ok());
                    let says = (says, order_of(value.as_bytes()));
                    let is_new = !found.contains(&says);
                    found.extend(is_new.then_some(says));
                    is_new
                };
                self.values().iter().filter(|value| is_new(value)).cloned().collect()
            }
        };
        *self = Texts::default();
        for value in kept {
            self.code_of(&value, false);
        }
    }

    /// The different values.
    pub(super) fn values(&self) -> &[String] {
        self.values.values()
    }

    /// The code of each row.
    pub(super) fn codes(&self) -> &[u32] {
        &self.codes
    }

    pub(super) fn column(self, is_chosen: bool) -> RawColumn {
        let values = Arc::new(self.values.into_values());
        RawColumn::Text { codes: self.codes, values, is_chosen }
    }
}

/// A number as the only text of all its spellings.
pub(super) fn number_text(number: f64) -> String {
    match number.fract() == 0.0 && number.abs() < 1e15 {
        true => (number as i64).to_string(),
        false => number.to_string(),
    }
}
