//! How predictions depend on one column: samples in, the mean prediction at each of several values out
//! (docs/maths.md M36).

use std::collections::HashMap;

use gradus_kernels::threads::Workers;

use super::Model;
use super::importance::drawn;
use crate::error::{Error, Result};
use crate::samples::{Cell, Dataset, Subset};
use crate::transform::columns::SchemaColumn;

/// The share of the samples below the first and above the last value of a column of numbers.
const TAIL: f64 = 0.05;

/// How partial dependence is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DependenceSettings {
    /// At most so many values.
    pub points: usize,
    /// The mean is over at most so many samples, drawn at random; none for all.
    pub most_samples: Option<usize>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for DependenceSettings {
    fn default() -> DependenceSettings {
        DependenceSettings { points: 20, most_samples: Some(1_000), seed: 0 }
    }
}

/// The mean prediction for each of several values of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialDependence {
    /// The column, or the place of the value in a sample.
    pub column: usize,
    /// The values.
    pub values: Vec<Cell>,
    /// `values x outputs`, row-major: the mean prediction where all samples have this value.
    pub means: Vec<f64>,
    /// Number of outputs.
    pub outputs: usize,
    /// Samples that counted.
    pub samples: usize,
}

impl PartialDependence {
    /// The means of one output.
    pub fn output(&self, output: usize) -> Vec<f64> {
        self.means.iter().skip(output).step_by(self.outputs).copied().collect()
    }
}

impl Model {
    /// Partial dependence on a column (Friedman, "Greedy Function Approximation", 2001): for each of several values the
    /// mean of the predictions if all samples had this value in the column and kept all others.
    ///
    /// For numbers and times the values are evenly spaced quantiles from 5 to 95 % of the samples' values, all that there are if these are
    /// few; for categories the most frequent of the values that the model tells apart, and the gap where samples have gaps.
    /// Where columns depend on each other, the mean is also over samples that do not exist.
    ///
    /// # Errors
    /// `InvalidArgument` if the samples do not fit the model or are sparse, there is no such column, it is not used, or it
    /// has no value in any sample.
    pub fn partial_dependence<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        column: usize,
        settings: &DependenceSettings,
        workers: &Workers,
    ) -> Result<PartialDependence> {
        let data = data.into();
        self.check_column(&data, column)?;
        let samples = drawn(data, settings.most_samples, settings.seed)?;
        let values = self.grid(&samples, column, settings.points)?;
        self.mean_predictions(samples, column, values, workers)
    }

    /// The same at these values.
    ///
    /// # Errors
    /// As [`Self::partial_dependence`], and for values of another type than the column's.
    pub fn partial_dependence_at<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        column: usize,
        values: Vec<Cell>,
        workers: &Workers,
    ) -> Result<PartialDependence> {
        let data = data.into();
        self.check_column(&data, column)?;
        self.mean_predictions(data.to_dataset(), column, values, workers)
    }

    fn check_column(&self, data: &Subset, column: usize) -> Result<()> {
        self.check_inputs(data.rows())?;
        let (found, features) = (data.features(), self.features());
        if found != features {
            return Err(Error::argument(format!(
                "the samples have {found} values, but the model takes {features}"
            )));
        }
        if column >= features {
            return Err(Error::argument(format!("there is no column {column} among {features}")));
        }
        match self.uses(column) {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "predictions do not depend on column {column}: the model does not use it"
            ))),
        }
    }

    fn mean_predictions(
        &self,
        mut samples: Dataset,
        column: usize,
        values: Vec<Cell>,
        workers: &Workers,
    ) -> Result<PartialDependence> {
        let (outputs, count) = (self.names().len(), samples.len());
        let mut means = Vec::with_capacity(values.len() * outputs);
        // So that sparse samples are refused.
        samples.saved(column)?;
        for value in &values {
            samples.fill(column, value)?;
            let mut sums = vec![0.0; outputs];
            for row in self.predict(&samples.inputs, workers)?.chunks_exact(outputs) {
                sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
            }
            means.extend(sums.iter().map(|sum| sum / count as f64));
        }
        Ok(PartialDependence { column, values, means, outputs, samples: count })
    }

    /// The values to look at.
    fn grid(&self, samples: &Dataset, column: usize, points: usize) -> Result<Vec<Cell>> {
        let cells: Vec<Cell> = (0..samples.len()).map(|row| samples.cell(row, column)).collect();
        let schema = self.transform.schema().map(|schema| &schema.columns()[column]);
        let values = match schema {
            Some(SchemaColumn::Category { values, .. }) => frequent(&cells, values, points),
            _ => quantiles(cells, points),
        };
        match values.is_empty() {
            false => Ok(values),
            true => Err(Error::argument(format!(
                "column {column} has no value in any sample that the model knows"
            ))),
        }
    }
}

/// The most frequent of the known values, in the order in which they are known; then the gap, where there are gaps.
fn frequent(cells: &[Cell], known: &[String], points: usize) -> Vec<Cell> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for cell in cells {
        if let Cell::Text(text) = cell {
            *counts.entry(text).or_default() += 1;
        }
    }
    let count = |at: usize| counts.get(known[at].as_str()).copied().unwrap_or(0);
    let mut found: Vec<usize> = (0..known.len()).filter(|&at| count(at) > 0).collect();
    // Sorting is stable: of equally frequent ones those that come first.
    found.sort_by_key(|&at| std::cmp::Reverse(count(at)));
    found.truncate(points);
    found.sort_unstable();
    let gap = cells.contains(&Cell::Gap).then_some(Cell::Gap);
    found.into_iter().map(|at| Cell::Text(known[at].clone())).chain(gap).collect()
}

/// Evenly spaced quantiles, each a value that a sample has.
fn quantiles(cells: Vec<Cell>, points: usize) -> Vec<Cell> {
    let position = |cell: &Cell| match cell {
        Cell::Number(value) => Some(*value),
        Cell::Time(seconds) => Some(*seconds as f64),
        Cell::Text(_) | Cell::Gap => None,
    };
    let mut sorted: Vec<(f64, Cell)> =
        cells.into_iter().filter_map(|cell| Some((position(&cell)?, cell))).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut different = sorted.clone();
    different.dedup_by(|a, b| a.0 == b.0);
    if different.len() <= points {
        return different.into_iter().map(|(_, cell)| cell).collect();
    }
    let last = sorted.len() - 1;
    let at = |point: usize| {
        let share = TAIL + (1.0 - 2.0 * TAIL) * point as f64 / (points.max(2) - 1) as f64;
        sorted[(share * last as f64).round() as usize].1.clone()
    };
    let mut found: Vec<Cell> = (0..points).map(at).collect();
    found.dedup();
    found
}
