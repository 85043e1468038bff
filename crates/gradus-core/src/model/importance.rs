//! How important each column is to a model: labelled samples in, how much worse predictions become without a column out
//! (docs/maths.md M36).

use gradus_kernels::threads::Workers;
use rand::seq::SliceRandom;

use super::Model;
use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::random::{Purpose, numbered_stream};
use crate::samples::{Dataset, Subset, Task};
use crate::transform::columns::SchemaColumn;

/// How importances are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportanceSettings {
    /// How often each column is shuffled.
    pub repeats: usize,
    /// At most so many samples count, drawn at random; none for all.
    pub most_samples: Option<usize>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for ImportanceSettings {
    fn default() -> ImportanceSettings {
        ImportanceSettings { repeats: 5, most_samples: Some(5_000), seed: 0 }
    }
}

/// A figure that tells how good predictions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Score {
    /// The share of right predictions; for several labels the share of samples all of whose labels are right.
    Accuracy,
    /// The mean cross-entropy.
    LogLoss,
    /// The share of the variance that is explained, averaged over the outputs.
    R2,
    /// The root of the mean squared error, averaged over the outputs.
    Rmse,
}

/// The importances of all columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Importances {
    /// Samples that counted.
    pub samples: usize,
    /// The two figures and what they are with all columns: accuracy and log loss, or R^2 and root mean squared error.
    pub scores: [(Score, f64); 2],
    /// One for each raw column, or each value of a sample, in their order.
    pub columns: Vec<ColumnImportance>,
}

/// How important a column is by each of the two figures.
#[derive(Debug, Clone, PartialEq)]
pub struct ColumnImportance {
    /// By each of [`Importances::scores`]: how much worse it becomes.
    pub by_score: [Importance; 2],
}

/// How much worse a figure becomes when the values of a column are shuffled.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// The mean over the repeats; positive where the column matters.
    pub mean: f64,
    /// Their standard deviation, with their number as divisor.
    pub std: f64,
    /// Each repeat.
    pub repeats: Vec<f64>,
}

impl Score {
    /// The two figures for a kind of targets.
    pub fn of(task: Task) -> [Score; 2] {
        match task {
            Task::Classification | Task::MultiLabel => [Score::Accuracy, Score::LogLoss],
            Task::Regression => [Score::R2, Score::Rmse],
        }
    }

    /// The name, in a few letters.
    pub fn name(self) -> &'static str {
        match self {
            Score::Accuracy => "accuracy",
            Score::LogLoss => "log loss",
            Score::R2 => "R^2",
            Score::Rmse => "RMSE",
        }
    }

    /// The name in JSON and CSV.
    pub fn key(self) -> &'static str {
        match self {
            Score::Accuracy => "accuracy",
            Score::LogLoss => "log_loss",
            Score::R2 => "r2",
            Score::Rmse => "rmse",
        }
    }

    /// How much worse `found` is than `before`.
    fn worse(self, before: f64, found: f64) -> f64 {
        match self {
            Score::Accuracy | Score::R2 => before - found,
            Score::LogLoss | Score::Rmse => found - before,
        }
    }
}

impl Importance {
    fn of(repeats: Vec<f64>) -> Importance {
        let count = repeats.len().max(1) as f64;
        let mean = repeats.iter().sum::<f64>() / count;
        let squares: f64 = repeats.iter().map(|it| (it - mean) * (it - mean)).sum();
        Importance { mean, std: (squares / count).sqrt(), repeats }
    }
}

impl Importances {
    /// The columns from the most important to the least, by the second figure, the loss or the error: unlike accuracy it
    /// also sees predictions that become less certain.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.columns.len()).collect();
        let mean = |at: usize| self.columns[at].by_score[1].mean;
        order.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)));
        order
    }
}

impl Model {
    /// Permutation importances (Breiman, "Random Forests", 2001; scikit-learn's `permutation_importance`): how much worse
    /// accuracy and log loss, or R^2 and RMSE, become on labelled samples when the values of one column are shuffled among
    /// them, so that the column tells nothing about its sample. Columns that say the same share their importance: the model
    /// still has the other one.
    ///
    /// The same seed gives the same numbers at any number of threads.
    ///
    /// # Errors
    /// `InvalidArgument` for data that do not fit the model, sparse samples, or no repeats.
    pub fn importances<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        settings: &ImportanceSettings,
        workers: &Workers,
    ) -> Result<Importances> {
        self.importances_by(data.into(), settings, workers, |column, repeat, count| {
            let number = (column as u64 + 1) << 20 | repeat as u64;
            let mut order: Vec<usize> = (0..count).collect();
            order.shuffle(&mut numbered_stream(settings.seed, Purpose::Importance, number));
            order
        })
    }

    /// The same with shuffles from elsewhere: `shuffle(column, repeat, samples)`.
    #[doc(hidden)] // for the tests of gradus
    pub fn importances_by(
        &self,
        data: Subset,
        settings: &ImportanceSettings,
        workers: &Workers,
        shuffle: impl Fn(usize, usize, usize) -> Vec<usize>,
    ) -> Result<Importances> {
        self.check_data(&data)?;
        if settings.repeats == 0 {
            return Err(Error::argument("importances need at least 1 repeat"));
        }
        let mut samples = drawn(data, settings.most_samples, settings.seed)?;
        let names = Score::of(self.task());
        let before = self.scores(&samples, workers)?;
        let count = samples.len();
        let column = |column: usize| -> Result<ColumnImportance> {
            let mut found = [vec![0.0; settings.repeats], vec![0.0; settings.repeats]];
            // What is not used cannot matter.
            if self.uses(column) {
                let saved = samples.saved(column)?;
                for repeat in 0..settings.repeats {
                    samples.reorder(column, &saved, &shuffle(column, repeat, count));
                    let after = self.scores(&samples, workers)?;
                    for (at, found) in found.iter_mut().enumerate() {
                        found[repeat] = names[at].worse(before[at], after[at]);
                    }
                }
                samples.restore(column, saved);
            }
            Ok(ColumnImportance { by_score: found.map(Importance::of) })
        };
        let columns = (0..self.features()).map(column).collect::<Result<_>>()?;
        let scores = [0, 1].map(|at| (names[at], before[at]));
        Ok(Importances { samples: count, scores, columns })
    }

    /// Whether predictions depend on a column at all.
    pub(super) fn uses(&self, column: usize) -> bool {
        let schema = self.transform.schema();
        !schema.is_some_and(|it| matches!(it.columns()[column], SchemaColumn::Dropped { .. }))
    }

    /// The figures of [`Score::of`].
    fn scores(&self, data: &Dataset, workers: &Workers) -> Result<[f64; 2]> {
        let (data, by) = (Subset::from(data), (workers, &Ranks::ALONE));
        Ok(match self.task() {
            Task::Classification => {
                let found = self.classifier()?.measure(data, by)?;
                [found.accuracy, found.loss]
            }
            Task::MultiLabel => {
                let found = self.check_labels(data, by)?;
                [found.subset_accuracy, found.loss]
            }
            Task::Regression => {
                let found = self.regressor()?.measure(data, by)?.mean();
                [found.r2, found.root_mean_squared]
            }
        })
    }
}

/// A copy of the samples, or of so many of them, drawn at random and in their order.
pub(super) fn drawn(data: Subset, most: Option<usize>, seed: u64) -> Result<Dataset> {
    let count = data.len();
    let Some(most) = most.filter(|&most| most < count) else { return Ok(data.to_dataset()) };
    if most == 0 {
        return Err(Error::argument("importances and partial dependence need at least 1 sample"));
    }
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(&mut numbered_stream(seed, Purpose::Importance, 0));
    order.truncate(most);
    order.sort_unstable();
    let rows: Vec<usize> = order.into_iter().map(|at| data.index(at)).collect();
    Ok(data.data().subset(&rows))
}
