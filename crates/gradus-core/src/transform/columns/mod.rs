//! The schema of a table: what each raw column is, and how it becomes inputs of a network.
//!
//! In: a [`Table`], the training part only. Out: a [`Schema`], which is part of the model, and rows of floats for the
//! network.
//!
//! | file | in | out |
//! |---|---|---|
//! | fit.rs | the training part of a table | its schema |
//! | encode.rs | a table and a schema | rows of floats |
//! | truths.rs | the values of a category | the texts that stand for them |
//! | scale.rs | a number | the number on the scale of a normalization |
//! | calendar.rs | seconds since 1970 | year, month, day of the week, ... |
//! | describe.rs | a schema | its columns in words |
//!
//! | raw column | encoded columns |
//! |---|---|
//! | number | the number on the scale of the setting `normalize`; a flag of gaps if the training part has gaps; the code of its value where codes are possible, most rows have one value and others come back exactly |
//! | category of two values | -1 or +1; 0 for a gap or an unknown value |
//! | category of one or 3 to 8 values | a flag for each value; all 0 for a gap or an unknown value |
//! | category of more values | its code: 1 to K, 0 for a gap, an unknown or a rare value: one in fewer than 10 training rows, and in less than a hundredth of them; without codes a flag for each of up to 64 values, the most frequent ones, and if there are more, one for all others |
//! | time | year, month, day of the week, sine and cosine of the day of the year, elapsed days, hour: those that vary |

mod calendar;
mod describe;
mod encode;
mod fit;
mod scale;
mod streamed;
mod truths;

use std::collections::HashSet;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::samples::{Cell, ColumnType, Table};

pub use calendar::{TimePart, seconds_of, time_text};
pub use encode::{Encoder, RowEncoder};
pub use scale::Scale;
pub use truths::texts_of;

/// Categories of up to so many values have a flag for each, even where codes are possible.
pub const MOST_FLAGS: usize = 8;

/// Without codes, categories have flags for so many values, the most frequent.
pub const MOST_FREQUENT: usize = 64;

/// The most values that a category tells apart: the most frequent ones.
pub const MOST_VALUES: usize = 10_000;

/// The most encoded columns.
pub const MOST_ENCODED: usize = 1 << 20;

/// What each raw column of a table is; fitted to the training part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema {
    columns: Vec<SchemaColumn>,
}

/// What a raw column is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SchemaColumn {
    /// A number.
    Number(Scaled),
    /// One of several values.
    Category {
        /// The values that are told apart, in the order of their text.
        values: Vec<String>,
        /// What they become.
        form: CategoryForm,
        /// The most frequent value; older models do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typical: Option<String>,
    },
    /// A point in time.
    Time {
        /// What varies of it.
        parts: Vec<ScaledPart>,
        /// Whether a flag of gaps follows: the training part has gaps.
        gaps: bool,
        /// The median, in seconds; older models do not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        typical: Option<i64>,
    },
    /// Not used.
    Dropped {
        /// Its type.
        kind: ColumnType,
        /// Why.
        why: DropReason,
    },
}

/// How a number is scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaled {
    /// Shift and scale.
    pub scale: Scale,
    /// Whether a flag of gaps follows: the training part has gaps.
    pub gaps: bool,
    /// The median; older models do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typical: Option<f64>,
    /// Values that are told apart besides, in ascending order: a last code is 1 to K for these, and 0 for a gap or any other
    /// number. There is none if this is empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<f64>,
}

impl Scaled {
    /// Whether a code of values follows.
    pub fn has_code(&self) -> bool {
        !self.values.is_empty()
    }

    /// The code of a number; `NaN` is a gap.
    pub fn code(&self, number: f64) -> f32 {
        let place = self.values.binary_search_by(|value| {
            value.partial_cmp(&number).unwrap_or(std::cmp::Ordering::Less)
        });
        place.map_or(0.0, |at| (at + 1) as f32)
    }

    fn check(&self) -> Result<(), String> {
        let in_order = self.values.windows(2).all(|pair| pair[0] < pair[1]);
        let usable = in_order && self.values.iter().all(|value| value.is_finite());
        match usable && self.values.len() <= MOST_VALUES {
            true => self.scale.check(),
            false => Err(format!(
                "tells {} numbers apart, which must be finite, in ascending order and at most {MOST_VALUES}",
                self.values.len()
            )),
        }
    }
}

/// A part of a time and how it is scaled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaledPart {
    /// The part.
    pub part: TimePart,
    /// Shift and scale.
    pub scale: Scale,
}

/// What the values of a category become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryForm {
    /// -1 for the first of two values, +1 for the second, 0 for anything else.
    Binary,
    /// A flag for each value.
    OneHot,
    /// A flag for each of the values, the most frequent ones, and a last one for all others but gaps.
    Frequent,
    /// 1 to K; 0 for anything else.
    Code,
}

/// Why a column is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// It has one value in all rows.
    Constant,
    /// It has only gaps.
    Empty,
    /// Nearly every row has a text of its own, as identifiers have.
    Identifier,
}

/// What an encoded column is to a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodedColumn {
    /// A number on the scale of the setting `normalize`.
    Number,
    /// Few different values between -1 and 1, such as a flag.
    Flag,
    /// A whole number: 1 to `values`, and 0 for a gap or an unknown value.
    Code {
        /// The number of values told apart.
        values: usize,
    },
}

impl Schema {
    /// A schema of these columns.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn new(columns: Vec<SchemaColumn>) -> Result<Schema> {
        let schema = Schema { columns };
        schema.check(schema.columns.len())?;
        Ok(schema)
    }

    /// One for each raw column.
    pub fn columns(&self) -> &[SchemaColumn] {
        &self.columns
    }

    /// The types that raw columns must have.
    pub fn types(&self) -> Vec<ColumnType> {
        self.columns.iter().map(SchemaColumn::kind).collect()
    }

    /// Whether each raw column is used.
    pub fn used(&self) -> Vec<bool> {
        let is_used = |column: &SchemaColumn| !matches!(column, SchemaColumn::Dropped { .. });
        self.columns.iter().map(is_used).collect()
    }

    /// The encoded columns, in the order of a row.
    pub fn encoded(&self) -> Vec<EncodedColumn> {
        self.columns.iter().flat_map(SchemaColumn::encoded).collect()
    }

    /// The number of encoded columns.
    pub fn width(&self) -> usize {
        self.columns.iter().map(SchemaColumn::width).sum()
    }

    /// The encoded columns of each raw column: none for one that is not used.
    pub fn spans(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let spans = self.columns.iter().map(|column| {
            let start = end;
            end += column.width();
            start..end
        });
        spans.collect()
    }

    /// An encoded row that speaks for no value of any column: numbers and times are at the centre of the training part,
    /// which also stands for gaps, and flags of values have the same share each. Codes are 0.
    pub fn neutral(&self) -> Vec<f32> {
        self.columns.iter().flat_map(SchemaColumn::neutral).collect()
    }

    /// Checks that it is for so many raw columns and that its parts can be computed with.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is wrong.
    pub fn check(&self, features: usize) -> Result<()> {
        let count = self.columns.len();
        if count != features {
            return Err(Error::argument(format!(
                "a schema of {count} columns does not fit samples of {features}"
            )));
        }
        for (at, column) in self.columns.iter().enumerate() {
            column.check().map_err(|problem| {
                Error::argument(format!("column {at} of the schema {problem}"))
            })?;
        }
        match self.width() {
            0 => Err(Error::argument(
                "no column of the table can be learned from: all are constant, empty or look like identifiers \
                 (name columns to keep with `categorical`)",
            )),
            1..=MOST_ENCODED => Ok(()),
            width => Err(Error::argument(format!(
                "the columns of the table become {width} inputs, and at most {MOST_ENCODED} are possible: leave \
                 columns out with `drop`"
            ))),
        }
    }

    /// Checks that a table has the columns of this schema.
    ///
    /// # Errors
    /// `InvalidArgument` naming the first difference.
    pub fn check_table(&self, table: &Table) -> Result<()> {
        let (found, expected) = (table.columns().len(), self.columns.len());
        if found != expected {
            return Err(Error::argument(format!(
                "the table has {found} feature columns, expected {expected}"
            )));
        }
        for (at, (raw, column)) in table.columns().iter().zip(&self.columns).enumerate() {
            let is_used = !matches!(column, SchemaColumn::Dropped { .. });
            if is_used && raw.kind() != column.kind() {
                let (found, expected) = (raw.kind().plural(), column.kind().plural());
                return Err(Error::argument(format!(
                    "feature column {at} has {found}, but the training data had {expected} there"
                )));
            }
        }
        Ok(())
    }
}

impl SchemaColumn {
    /// The type of the raw column.
    pub fn kind(&self) -> ColumnType {
        match self {
            SchemaColumn::Number(_) => ColumnType::Number,
            SchemaColumn::Category { .. } => ColumnType::Text,
            SchemaColumn::Time { .. } => ColumnType::Time,
            SchemaColumn::Dropped { kind, .. } => *kind,
        }
    }

    /// A typical value: the median of numbers and times, the most frequent of categories. A gap where the column is not used,
    /// and where the model does not say it: older ones have only the centres of their numbers.
    pub fn typical(&self) -> Cell {
        match self {
            SchemaColumn::Number(number) => {
                let centred = number.scale.fill == 0.0;
                let known = number.typical.or(centred.then_some(number.scale.mean));
                known.map_or(Cell::Gap, Cell::Number)
            }
            SchemaColumn::Category { typical, .. } => typical.clone().map_or(Cell::Gap, Cell::Text),
            SchemaColumn::Time { typical, .. } => typical.map_or(Cell::Gap, Cell::Time),
            SchemaColumn::Dropped { .. } => Cell::Gap,
        }
    }

    fn width(&self) -> usize {
        match self {
            SchemaColumn::Category { values, form, .. } => match form {
                CategoryForm::Binary | CategoryForm::Code => 1,
                CategoryForm::OneHot => values.len(),
                CategoryForm::Frequent => values.len() + 1,
            },
            SchemaColumn::Number(number) => {
                1 + usize::from(number.gaps) + usize::from(number.has_code())
            }
            SchemaColumn::Time { parts, gaps, .. } => parts.len() + usize::from(*gaps),
            SchemaColumn::Dropped { .. } => 0,
        }
    }

    fn encoded(&self) -> Vec<EncodedColumn> {
        let gap_flag = |gaps: bool| gaps.then_some(EncodedColumn::Flag);
        match self {
            SchemaColumn::Number(number) => {
                let values = number.values.len();
                let code = number.has_code().then_some(EncodedColumn::Code { values });
                [Some(EncodedColumn::Number), gap_flag(number.gaps), code]
                    .into_iter()
                    .flatten()
                    .collect()
            }
            SchemaColumn::Category { values, form: CategoryForm::Code, .. } => {
                vec![EncodedColumn::Code { values: values.len() }]
            }
            SchemaColumn::Time { parts, gaps, .. } => {
                let part = |it: &ScaledPart| match it.part.is_flag() {
                    true => EncodedColumn::Flag,
                    false => EncodedColumn::Number,
                };
                parts.iter().map(part).chain(gap_flag(*gaps)).collect()
            }
            SchemaColumn::Category { .. } | SchemaColumn::Dropped { .. } => {
                vec![EncodedColumn::Flag; self.width()]
            }
        }
    }

    fn neutral(&self) -> Vec<f32> {
        let mut row = vec![0.0; self.width()];
        match self {
            SchemaColumn::Number(number) => row[0] = number.scale.fill,
            SchemaColumn::Time { parts, .. } => {
                row.iter_mut().zip(parts).for_each(|(value, part)| *value = part.scale.fill);
            }
            SchemaColumn::Category {
                form: CategoryForm::OneHot | CategoryForm::Frequent, ..
            } => {
                let share = 1.0 / row.len() as f32;
                row.fill(share);
            }
            SchemaColumn::Category { .. } | SchemaColumn::Dropped { .. } => {}
        }
        row
    }

    fn check(&self) -> Result<(), String> {
        match self {
            SchemaColumn::Number(number) => number.check(),
            SchemaColumn::Category { values, form, .. } => {
                let most = match form {
                    CategoryForm::Binary if values.len() != 2 => 0,
                    CategoryForm::Binary | CategoryForm::Code => MOST_VALUES,
                    CategoryForm::OneHot | CategoryForm::Frequent => MOST_FREQUENT,
                };
                let different: HashSet<&String> = values.iter().collect();
                match (1..=most).contains(&values.len()) && different.len() == values.len() {
                    true => Ok(()),
                    false => Err(format!(
                        "has {} values, {} of them different, which do not fit the form {form:?}",
                        values.len(),
                        different.len()
                    )),
                }
            }
            SchemaColumn::Time { parts, .. } => {
                let different: HashSet<TimePart> = parts.iter().map(|it| it.part).collect();
                match different.len() == parts.len() {
                    true => parts.iter().try_for_each(|it| it.scale.check()),
                    false => Err("has a part of a time twice".to_owned()),
                }
            }
            SchemaColumn::Dropped { .. } => Ok(()),
        }
    }
}
