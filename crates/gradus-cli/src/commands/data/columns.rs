//! The raw columns of a table for `gradus data`: a data set in, a row of facts for each column and what is suspicious out.

use gradus::data::normalize::Normalization;
use gradus::data::{Dataset, RawColumn, Subset, Table};
use gradus::transform::columns::{Schema, SchemaColumn, time_text};
use serde::Serialize;

use super::suspicious;
use crate::run::describe::names_of;

/// The most frequent values that are listed.
const LISTED: usize = 3;

/// Numbers of no more different values than this have a list of them.
const FEW_NUMBERS: usize = 10;

/// What is known of the raw columns of a table.
#[derive(Serialize)]
pub(super) struct ColumnFacts {
    pub(super) columns: Vec<Facts>,
    /// A line for each thing that is suspicious.
    pub(super) suspicious: Vec<String>,
}

/// What is known of a raw column.
#[derive(Serialize)]
pub(super) struct Facts {
    pub(super) name: String,
    /// `number`, `category`, `date` or `dropped`.
    pub(super) kind: &'static str,
    /// Rows without a value.
    pub(super) gaps: usize,
    /// Different values.
    pub(super) different: usize,
    /// The smallest, the middle and the largest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) range: Option<[f64; 3]>,
    /// The mean of the numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mean: Option<f64>,
    /// The earliest and the latest time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) times: Option<[String; 2]>,
    /// The most frequent values of a category, or of numbers of which few differ, and their rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) frequent: Vec<(String, usize)>,
    /// What a network gets of it.
    pub(super) inputs: String,
}

impl ColumnFacts {
    /// Of the raw columns of a data set.
    pub(super) fn of(data: &Dataset, table: &Table) -> ColumnFacts {
        let schema = Schema::fit(Normalization::Standard, table, Subset::from(data), false);
        let names = names_of(data.columns.as_ref(), data.features());
        let columns: Vec<Facts> = names
            .iter()
            .zip(schema.columns().iter().zip(table.columns()))
            .map(|(name, (column, raw))| Facts::of(name, column, raw))
            .collect();
        let mut suspicious = schema.notes(|at| names[at].clone());
        for (name, raw) in names.iter().zip(table.columns()) {
            suspicious.extend(suspicious::of_column(name, raw, &data.targets));
        }
        suspicious.extend(suspicious::of_targets(&data.targets));
        ColumnFacts { columns, suspicious }
    }

    /// The rows of the listing.
    pub(super) fn rows(&self) -> Vec<Vec<String>> {
        let heading = ["column", "kind", "gaps", "different", "values", "inputs"];
        let row = |facts: &Facts| {
            vec![
                facts.name.clone(),
                facts.kind.to_owned(),
                facts.gaps.to_string(),
                facts.different.to_string(),
                facts.values(),
                facts.inputs.clone(),
            ]
        };
        let heading = heading.map(String::from).to_vec();
        std::iter::once(heading).chain(self.columns.iter().map(row)).collect()
    }
}

impl Facts {
    fn of(name: &str, column: &SchemaColumn, raw: &RawColumn) -> Facts {
        let gaps = (0..raw.len()).filter(|&row| raw.is_gap(row)).count();
        let (mut range, mut mean, mut times, mut frequent) = (None, None, None, Vec::new());
        let different = match raw {
            RawColumn::Numbers(values) => {
                let mut sorted: Vec<f64> =
                    values.iter().copied().filter(|value| !value.is_nan()).collect();
                sorted.sort_by(f64::total_cmp);
                if let (Some(&least), Some(&most)) = (sorted.first(), sorted.last()) {
                    range = Some([least, sorted[sorted.len() / 2], most]);
                    mean = Some(sorted.iter().sum::<f64>() / sorted.len() as f64);
                }
                let runs = sorted.chunk_by(|a, b| a == b);
                let different = runs.clone().count();
                if different <= FEW_NUMBERS {
                    let runs = runs.map(|run| (run[0].to_string(), run.len()));
                    frequent = most_frequent(runs.collect());
                }
                different
            }
            RawColumn::Text { codes, values, .. } => {
                let mut counts = vec![0; values.len()];
                codes.iter().for_each(|&code| {
                    if let Some(count) = counts.get_mut(code as usize) {
                        *count += 1;
                    }
                });
                let pairs = values.iter().cloned().zip(counts);
                let found: Vec<(String, usize)> = pairs.filter(|it| it.1 > 0).collect();
                let different = found.len();
                frequent = most_frequent(found);
                different
            }
            RawColumn::Times(values) => {
                let mut sorted: Vec<i64> =
                    (0..raw.len()).filter(|&row| !raw.is_gap(row)).map(|row| values[row]).collect();
                sorted.sort_unstable();
                if let (Some(&first), Some(&last)) = (sorted.first(), sorted.last()) {
                    times = Some([time_text(first), time_text(last)]);
                }
                sorted.dedup();
                sorted.len()
            }
        };
        let (name, kind, inputs) = (name.to_owned(), column.name(), column.inputs());
        Facts { name, kind, gaps, different, range, mean, times, frequent, inputs }
    }

    /// `1 to 90, middle 37`, the first and the last time, or the most frequent values.
    fn values(&self) -> String {
        match (&self.range, &self.times) {
            (Some([least, middle, most]), _) => format!("{least} to {most}, middle {middle}"),
            (None, Some([first, last])) => format!("{first} to {last}"),
            (None, None) => {
                let frequent =
                    self.frequent.iter().map(|(value, rows)| format!("{value} ({rows})"));
                let more = if self.different > self.frequent.len() && !self.frequent.is_empty() {
                    ", ..."
                } else {
                    ""
                };
                frequent.collect::<Vec<_>>().join(", ") + more
            }
        }
    }
}

/// The most frequent of these values, the most frequent one first.
fn most_frequent(mut values: Vec<(String, usize)>) -> Vec<(String, usize)> {
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(LISTED);
    values
}
