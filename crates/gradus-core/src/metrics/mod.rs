//! How good predictions are (docs/maths.md M20).
//!
//! One [`SampleResult`] a sample in, an [`Evaluation`] out: loss, accuracy and its interval, top-k
//! accuracy, confusion matrix with figures by class, calibration. [`most_confident_mistakes`] picks the
//! samples to look at. Of values, [`ValueEvaluation`] has the errors.

mod interval;
mod results;
mod confusion;
mod calibration;
mod mistakes;
mod values;
mod labels;

pub use calibration::{Calibration, CalibrationBin};
pub use confusion::{ClassFigures, ConfusionMatrix};
pub use interval::{Z_95, wilson_interval};
pub use labels::{LabelEvaluation, LabelFigures};
#[doc(hidden)] // the name in version 0.1.0
pub use mistakes::most_confident_mistakes as worst_mistakes;
pub use mistakes::{Mistake, most_confident_mistakes};
pub use results::{SampleResult, most_probable, rank};
pub use values::{ValueErrors, ValueEvaluation, ValueSums};

use confusion::ratio;

/// What an evaluation found.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Mean cross-entropy in nats, also known as log loss.
    pub loss: f64,
    /// Share of right predictions.
    pub accuracy: f64,
    /// Every label against every prediction.
    pub confusion: ConfusionMatrix,
    /// `ranks[r]` samples have their true class at [`rank`] `r`; one entry a class.
    pub ranks: Vec<u64>,
    /// Confidence against accuracy.
    pub calibration: Calibration,
}

/// The results of samples, summed up part after part: the same figures as of all results at once, for more samples than
/// there is memory for.
#[derive(Debug, Clone)]
pub struct EvaluationSums {
    loss: f64,
    samples: usize,
    confusion: ConfusionMatrix,
    ranks: Vec<u64>,
    calibration: Calibration,
}

impl EvaluationSums {
    /// No results yet, for `classes` classes.
    pub fn new(classes: usize) -> EvaluationSums {
        EvaluationSums {
            loss: 0.0,
            samples: 0,
            confusion: ConfusionMatrix::new(classes),
            ranks: vec![0; classes],
            calibration: Calibration::empty(),
        }
    }

    /// Adds the results of the next samples. Panics where a class or rank is out of range.
    pub fn add(&mut self, results: &[SampleResult]) {
        for result in results {
            self.confusion.add(result.label as usize, result.predicted as usize);
            self.ranks[result.rank as usize] += 1;
            self.loss += f64::from(result.loss);
            self.calibration.add(result);
        }
        self.samples += results.len();
    }

    /// The figures of all results.
    pub fn finish(self) -> Evaluation {
        let EvaluationSums { loss, samples, confusion, ranks, calibration } = self;
        Evaluation {
            loss: loss / samples.max(1) as f64,
            accuracy: confusion.accuracy(),
            confusion,
            ranks,
            calibration: calibration.into_means(),
        }
    }
}

impl Evaluation {
    /// Sums up the results for the samples of a data set of `classes` classes; all figures are 0
    /// where there is no sample. Panics where a class or rank is out of range.
    pub fn new(classes: usize, results: &[SampleResult]) -> Evaluation {
        let mut sums = EvaluationSums::new(classes);
        sums.add(results);
        sums.finish()
    }

    /// Wilson's interval of 95 % for the accuracy.
    pub fn accuracy_interval(&self) -> (f64, f64) {
        self.confusion.accuracy_interval()
    }

    /// Top-k accuracy: the share of samples whose class is among the `k` most probable ones. The
    /// accuracy for `k` = 1, and 1 from the number of classes on.
    pub fn top_k(&self, k: usize) -> f64 {
        ratio(self.correct_among(k), self.confusion.total())
    }

    /// Wilson's interval of 95 % for the top-k accuracy.
    pub fn top_k_interval(&self, k: usize) -> (f64, f64) {
        wilson_interval(self.correct_among(k), self.confusion.total(), Z_95)
    }

    fn correct_among(&self, k: usize) -> u64 {
        self.ranks.iter().take(k).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_give_the_figures_of_the_whole() {
        let result = |at: u32| SampleResult {
            label: at % 3,
            predicted: at % 2,
            rank: u32::from(at % 3 != at % 2),
            confidence: 1.0 / (1.0 + at as f32),
            label_probability: 0.1,
            loss: (at as f32).sin().abs(),
        };
        let results: Vec<_> = (0..50).map(result).collect();
        let mut sums = EvaluationSums::new(3);
        [0..1, 1..30, 30..50].into_iter().for_each(|part| sums.add(&results[part]));
        assert_eq!(sums.finish(), Evaluation::new(3, &results));
    }

    #[test]
    fn without_samples_all_figures_are_zero() {
        let nothing = Evaluation::new(2, &[]);
        let figures = [nothing.loss, nothing.accuracy, nothing.top_k(1), nothing.top_k(2)];
        assert_eq!(figures, [0.0; 4]);
        assert_eq!(nothing.accuracy_interval(), (0.0, 1.0));
        assert_eq!(nothing.calibration.expected_error(), 0.0);
        let averages = [ConfusionMatrix::macro_average, ConfusionMatrix::weighted_average];
        assert!(averages.iter().all(|average| average(&nothing.confusion).recall == 0.0));
    }
}
