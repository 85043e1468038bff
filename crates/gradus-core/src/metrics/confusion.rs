//! Every true class against every predicted one, and what follows from the counts.

use super::interval::{Z_95, wilson_interval};

/// Counts of true classes (rows) against predicted ones (columns).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// Figures of one class; 0 where nothing was predicted or nothing was there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFigures {
    /// Of the samples predicted as this class, the share that are of it.
    pub precision: f64,
    /// Of the samples of this class, the share predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Samples of this class.
    pub support: u64,
}

impl ConfusionMatrix {
    /// No counts yet.
    pub fn new(classes: usize) -> Self {
        ConfusionMatrix { classes, counts: vec![0; classes * classes] }
    }

    /// Counts a sample. Panics where a class is out of range.
    pub fn add(&mut self, label: usize, predicted: usize) {
        assert!(label < self.classes && predicted < self.classes);
        self.counts[label * self.classes + predicted] += 1;
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Samples of class `label` that were predicted as `predicted`.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        self.counts[label * self.classes + predicted]
    }

    /// All samples.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Samples of class `label`.
    fn support(&self, label: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(label, predicted)).sum()
    }

    /// Samples that were predicted as what they are.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Share of samples that were predicted as what they are; 0 where there are none.
    pub fn accuracy(&self) -> f64 {
        ratio(self.correct(), self.total())
    }

    /// Wilson's interval of 95 % for the accuracy.
    pub fn accuracy_interval(&self) -> (f64, f64) {
        wilson_interval(self.correct(), self.total(), Z_95)
    }

    /// Wilson's interval of 95 % for the recall of one class, that is for the accuracy on its
    /// samples.
    pub fn recall_interval(&self, class: usize) -> (f64, f64) {
        wilson_interval(self.count(class, class), self.support(class), Z_95)
    }

    /// The figures of one class.
    pub fn class(&self, class: usize) -> ClassFigures {
        let right = self.count(class, class);
        let predicted: u64 = (0..self.classes).map(|label| self.count(label, class)).sum();
        let support = self.support(class);
        ClassFigures {
            precision: ratio(right, predicted),
            recall: ratio(right, support),
            f1: ratio(2 * right, predicted + support),
            support,
        }
    }

    /// The mean of the classes' figures, each class counting the same; support is the total.
    pub fn macro_average(&self) -> ClassFigures {
        self.average(|_| 1.0)
    }

    /// The mean of the classes' figures, each class counting as often as it has samples; support is
    /// the total. Its recall is the accuracy.
    pub fn weighted_average(&self) -> ClassFigures {
        self.average(|figures| figures.support as f64)
    }

    /// The figures of all decisions pooled. With one class a sample, each wrong prediction is wrong
    /// once for the class predicted and missing once for the true one, so that precision, recall and
    /// F1 are all the accuracy.
    pub fn micro_average(&self) -> ClassFigures {
        let accuracy = self.accuracy();
        ClassFigures { precision: accuracy, recall: accuracy, f1: accuracy, support: self.total() }
    }

    fn average(&self, weight: impl Fn(&ClassFigures) -> f64) -> ClassFigures {
        let all: Vec<_> = (0..self.classes).map(|class| self.class(class)).collect();
        let weights: f64 = all.iter().map(&weight).sum();
        let mean = |value: fn(&ClassFigures) -> f64| {
            let sum: f64 = all.iter().map(|figures| weight(figures) * value(figures)).sum();
            if weights == 0.0 { 0.0 } else { sum / weights }
        };
        ClassFigures {
            precision: mean(|c| c.precision),
            recall: mean(|c| c.recall),
            f1: mean(|c| c.f1),
            support: self.total(),
        }
    }
}

/// A share; 0 where there is nothing.
pub(super) fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_a_small_matrix_by_hand() {
        let mut matrix = ConfusionMatrix::new(3);
        for (label, predicted, times) in [(0, 0, 4), (0, 1, 1), (1, 1, 2), (1, 0, 2), (2, 1, 1)] {
            (0..times).for_each(|_| matrix.add(label, predicted));
        }
        assert_eq!((matrix.total(), matrix.correct()), (10, 6));
        assert_eq!(matrix.accuracy(), 0.6);
        let zero = matrix.class(0);
        assert_eq!((zero.precision, zero.recall, zero.support), (4.0 / 6.0, 0.8, 5));
        assert!((zero.f1 - 8.0 / 11.0).abs() < 1e-12);
        let two = matrix.class(2);
        assert_eq!((two.precision, two.recall, two.f1, two.support), (0.0, 0.0, 0.0, 1));
        assert!((matrix.macro_average().recall - (0.8 + 0.5) / 3.0).abs() < 1e-12);
    }
}
