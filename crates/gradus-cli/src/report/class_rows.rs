//! Metrics of single classes, for the page and for CSV files.

use gradus::metrics::{ClassFigures, ConfusionMatrix, Z_95, wilson_interval};

/// A fraction with its confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Share {
    pub(super) value: f64,
    pub(super) interval: (f64, f64),
}

/// The metrics of one class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ClassRow {
    pub(super) class: usize,
    pub(super) precision: Share,
    pub(super) recall: Share,
    pub(super) f1: f64,
    pub(super) support: u64,
}

impl ClassRow {
    pub(super) fn of(confusion: &ConfusionMatrix, class: usize) -> ClassRow {
        let ClassFigures { precision, recall, f1, support } = confusion.class(class);
        let correct = confusion.count(class, class);
        let predicted = (0..confusion.classes()).map(|label| confusion.count(label, class)).sum();
        ClassRow {
            class,
            precision: Share {
                value: precision,
                interval: wilson_interval(correct, predicted, Z_95),
            },
            recall: Share { value: recall, interval: confusion.recall_interval(class) },
            f1,
            support,
        }
    }

    /// The rows of all classes, in their order.
    pub(super) fn all(confusion: &ConfusionMatrix) -> Vec<ClassRow> {
        (0..confusion.classes()).map(|class| ClassRow::of(confusion, class)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precision_and_recall_have_intervals_of_their_own() {
        let mut confusion = ConfusionMatrix::new(2);
        for (label, predicted, times) in [(0, 0, 2), (0, 1, 3), (1, 1, 7), (1, 0, 0)] {
            (0..times).for_each(|_| confusion.add(label, predicted));
        }
        let row = ClassRow::of(&confusion, 0);
        assert_eq!((row.precision.value, row.recall.value, row.support), (1.0, 0.4, 5));
        assert_eq!(row.recall.interval, wilson_interval(2, 5, Z_95));
        assert_eq!(row.precision.interval, wilson_interval(2, 2, Z_95));
        assert_eq!(ClassRow::all(&confusion).len(), 2);
    }
}
