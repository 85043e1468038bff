//! How good predictions of several labels for a sample are (docs/maths.md M25).

use super::confusion::{ClassFigures, ratio};

/// What an evaluation of a model for several labels found.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelEvaluation {
    /// Mean over the samples of the binary cross-entropies of all labels together, in nats.
    pub loss: f64,
    /// Share of the samples for which all labels are predicted correctly.
    pub subset_accuracy: f64,
    /// Share of all labels of all samples that are predicted wrongly.
    pub hamming_loss: f64,
    /// F1 of all decisions pooled.
    pub micro_f1: f64,
    /// Mean of the labels' F1.
    pub macro_f1: f64,
    /// Samples.
    pub samples: u64,
    /// The figures of each label.
    pub labels: Vec<LabelFigures>,
}

/// Figures of one label; 0 where nothing was predicted or nothing was there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelFigures {
    /// Precision, recall, F1, and the number of samples that have the label.
    pub figures: ClassFigures,
    /// Average precision, `sum_n (R_n - R_(n-1)) P_n` over the thresholds from the highest probability down; 0 if no sample has
    /// the label.
    pub average_precision: f64,
}

impl LabelEvaluation {
    /// Compares logits and labels (0 or 1), both samples x `outputs`; a label is predicted if its probability is above 1/2.
    /// All figures are 0 without samples. Panics where their numbers differ.
    pub fn new(outputs: usize, logits: &[f32], labels: &[u8]) -> LabelEvaluation {
        assert_eq!(logits.len(), labels.len());
        let samples = labels.len() / outputs.max(1);
        let all = || logits.iter().zip(labels);
        let loss: f64 = all().map(|(&z, &t)| cross_entropy(z.into(), t.into())).sum();
        let wrong = all().filter(|(z, t)| (**z > 0.0) != (**t == 1)).count();
        let rows = logits.chunks_exact(outputs.max(1)).zip(labels.chunks_exact(outputs.max(1)));
        let whole = rows.filter(|(z, t)| z.iter().zip(*t).all(|(z, t)| (*z > 0.0) == (*t == 1)));
        let subset_accuracy = ratio(whole.count() as u64, samples as u64);
        let of_label = |at: usize| {
            let column = |at| all().skip(at).step_by(outputs).map(|(&z, &t)| (z, t == 1));
            LabelFigures::new(&column(at).collect::<Vec<_>>())
        };
        let of_labels: Vec<_> = (0..outputs).map(of_label).collect();
        let macro_f1 = of_labels.iter().map(|label| label.figures.f1).sum::<f64>();
        LabelEvaluation {
            loss: loss / samples.max(1) as f64,
            subset_accuracy,
            hamming_loss: ratio(wrong as u64, labels.len() as u64),
            micro_f1: figures(&all().map(|(&z, &t)| (z, t == 1)).collect::<Vec<_>>()).f1,
            macro_f1: macro_f1 / outputs.max(1) as f64,
            samples: samples as u64,
            labels: of_labels,
        }
    }
}

impl LabelFigures {
    fn new(column: &[(f32, bool)]) -> LabelFigures {
        LabelFigures { figures: figures(column), average_precision: average_precision(column) }
    }
}

/// `max(z, 0) - z t + ln(1 + e^-|z|)`.
fn cross_entropy(logit: f64, label: f64) -> f64 {
    logit.max(0.0) - logit * label + (-logit.abs()).exp().ln_1p()
}

fn figures(decisions: &[(f32, bool)]) -> ClassFigures {
    let count = |wanted: fn(bool, bool) -> bool| {
        decisions.iter().filter(|(logit, label)| wanted(*logit > 0.0, *label)).count() as u64
    };
    let right = count(|predicted, label| predicted && label);
    let (predicted, support) = (count(|predicted, _| predicted), count(|_, label| label));
    ClassFigures {
        precision: ratio(right, predicted),
        recall: ratio(right, support),
        f1: ratio(2 * right, predicted + support),
        support,
    }
}

fn average_precision(column: &[(f32, bool)]) -> f64 {
    let mut sorted = column.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let positives = sorted.iter().filter(|(_, label)| *label).count() as u64;
    let (mut found, mut sum) = (0u64, 0.0);
    for (at, (logit, label)) in sorted.iter().enumerate() {
        found += u64::from(*label);
        // Equal ones have one threshold together.
        let is_last = sorted.get(at + 1).is_none_or(|(next, _)| next != logit);
        if is_last {
            let before = sorted[..=at].iter().rev().take_while(|(other, _)| other == logit);
            let gained = before.filter(|(_, label)| *label).count() as u64;
            sum += ratio(gained, positives) * ratio(found, at as u64 + 1);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: [f64; 5] =
        [1.4770727854886956, 0.5, 0.25, 0.7692307692307693, 0.7777777777777777];
    const OF_LABELS: [[f64; 5]; 3] = [
        [1.0, 1.0, 1.0, 2.0, 1.0],
        [0.5, 1.0, 0.6666666666666666, 1.0, 1.0],
        [0.6666666666666666, 0.6666666666666666, 0.6666666666666666, 3.0, 0.8055555555555556],
    ];

    /// scikit-learn's log_loss (summed over the labels), accuracy_score, hamming_loss, f1_score,
    /// precision_recall_fscore_support and average_precision_score of these logits.
    #[test]
    fn figures_are_those_of_scikit_learn() {
        let logits = [2.0, -1.0, 0.5, -0.5, 1.5, 0.5, -2.0, 0.3, -1.0, 0.7, -0.2, 3.0];
        let labels = [1, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 1];
        let found = LabelEvaluation::new(3, &logits, &labels);
        let close = |found: f64, expected: f64| {
            assert!((found - expected).abs() < 1e-7, "{found} {expected}");
        };
        for (found, expected) in [
            (found.loss, EXPECTED[0]),
            (found.subset_accuracy, EXPECTED[1]),
            (found.hamming_loss, EXPECTED[2]),
            (found.micro_f1, EXPECTED[3]),
            (found.macro_f1, EXPECTED[4]),
        ] {
            close(found, expected);
        }
        for (label, expected) in found.labels.iter().zip(OF_LABELS) {
            let ClassFigures { precision, recall, f1, support } = label.figures;
            let all = [precision, recall, f1, support as f64, label.average_precision];
            all.into_iter().zip(expected).for_each(|(found, expected)| close(found, expected));
        }
        assert_eq!(LabelEvaluation::new(2, &[], &[]).loss, 0.0);
    }
}
