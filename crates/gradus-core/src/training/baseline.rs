//! How well a model that ignores its inputs does: the training samples in, its loss and accuracy out. A run that ends no
//! better has learned nothing.

use crate::loss::{Loss, shares};
use crate::regularization::ClassWeights;
use crate::samples::{Subset, Targets};
use crate::training::config::TrainConfig;
use crate::training::history::EpochReport;

/// Below this share of the loss of guessing, something was learned.
const LEARNED: f64 = 0.98;

/// Above this multiple of it, the loss is garbage, whatever the accuracy is.
const GARBAGE: f64 = 10.0;

/// The figures of the best constant prediction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Baseline {
    /// Its training loss: the entropy of the classes, or half the variance of the targets.
    loss: f64,
    /// Share of the most frequent class; none in regression.
    accuracy: Option<f64>,
    samples: usize,
}

impl Baseline {
    /// Of the training samples, each counted as the loss counts it.
    pub(super) fn of(config: &TrainConfig, data: &Subset) -> Baseline {
        let samples = data.len();
        let weights = config.regularization.class_weights.of_samples(data);
        let weight = |at: usize| weights.as_ref().map_or(1.0, |weights| f64::from(weights[at]));
        match &data.data().targets {
            Targets::Classes { labels, names } => {
                let mut counts = vec![0.0; names.len()];
                let mut shares = vec![0.0; names.len()];
                for (at, index) in data.indices().enumerate() {
                    let label = labels[index] as usize;
                    counts[label] += 1.0;
                    shares[label] += weight(at);
                }
                let total: f64 = shares.iter().sum::<f64>().max(f64::MIN_POSITIVE);
                let smoothing = f64::from(config.regularization.label_smoothing);
                // Of smoothed targets the mean is smoothed, too; mixing them in pairs does not change it.
                let entropy = shares.iter().map(|share| {
                    let p = (1.0 - smoothing) * share / total + smoothing / names.len() as f64;
                    if p > 0.0 { -p * p.ln() } else { 0.0 }
                });
                let most = counts.iter().copied().fold(0.0, f64::max) / samples as f64;
                Baseline { loss: entropy.sum(), accuracy: Some(most), samples }
            }
            Targets::Labels { values, names } => {
                let having: Vec<f64> = (0..names.len())
                    .map(|label| {
                        let of = |index: usize| f64::from(values[index * names.len() + label]);
                        let all = || data.indices().enumerate();
                        let total: f64 = all().map(|(at, _)| weight(at)).sum();
                        let sum = all().map(|(at, index)| weight(at) * of(index)).sum::<f64>();
                        sum / total.max(f64::MIN_POSITIVE)
                    })
                    .collect();
                let entropy = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
                let weights = match &config.regularization.class_weights {
                    ClassWeights::Each(weights) => &weights[..],
                    _ => &[],
                };
                let factors = shares(weights, names.len());
                let losses = having.iter().zip(factors).map(|(&share, factor)| {
                    factor * names.len() as f64 * (entropy(share) + entropy(1.0 - share))
                });
                let mut rows = std::collections::HashMap::<&[u8], usize>::new();
                for index in data.indices() {
                    *rows.entry(&values[index * names.len()..][..names.len()]).or_default() += 1;
                }
                let most = rows.values().copied().max().unwrap_or(0) as f64 / samples as f64;
                Baseline { loss: losses.sum(), accuracy: Some(most), samples }
            }
            Targets::Values { values, names } => {
                let column = |target: usize| -> Vec<(f64, f64)> {
                    let of = |index: usize| f64::from(values[index * names.len() + target]);
                    data.indices().enumerate().map(|(at, index)| (weight(at), of(index))).collect()
                };
                let loss = config.loss_for(&data.data().targets);
                let output_weights = config.output_weights.as_deref().unwrap_or_default();
                let loss = best_constants(&loss, output_weights, names.len(), column);
                Baseline { loss, accuracy: None, samples }
            }
        }
    }

    /// Whether an epoch with these figures was better. Noise during training, such as dropout, makes the loss larger, so
    /// that an accuracy clearly above that of guessing is enough.
    pub(super) fn is_beaten_by(&self, report: &EpochReport) -> bool {
        let more_accurate = self.is_more_accurate(report) && !self.is_far_below(report);
        // One class, or constant targets: there is nothing to learn.
        self.loss == 0.0 || report.loss < LEARNED * self.loss || more_accurate
    }

    /// Whether an epoch has an accuracy clearly above that of guessing.
    fn is_more_accurate(&self, report: &EpochReport) -> bool {
        match (self.accuracy, report.accuracy) {
            (Some(guessed), Some(found)) => {
                let deviation = (guessed * (1.0 - guessed) / self.samples as f64).sqrt();
                found > guessed + 2.0 * deviation
            }
            _ => false,
        }
    }

    /// What is wrong with the figures of an epoch that was no better than guessing.
    pub(super) fn complaint(&self, report: &EpochReport) -> String {
        let [loss, guessed] = [report.loss, self.loss].map(short);
        match (self.accuracy, report.accuracy) {
            (Some(_), Some(_)) if self.is_more_accurate(report) => format!(
                "training ended with a loss of {loss}, far above that of always predicting the most frequent class, \
                 {guessed}"
            ),
            (Some(guess), Some(found)) => format!(
                "training ended no better than guessing (training accuracy {:.1} %, loss {loss}; always predicting the \
                 most frequent class gives {:.1} %)",
                100.0 * found,
                100.0 * guess
            ),
            _ => format!(
                "training ended no better than guessing (training loss {loss}; always predicting the mean gives \
                 {guessed})"
            ),
        }
    }

    /// Whether an epoch with these figures was much worse: what too large steps lead to.
    pub(super) fn is_far_below(&self, report: &EpochReport) -> bool {
        report.loss > GARBAGE * self.loss
    }
}

/// The loss of predicting the same number for all samples, for each output the best one: the mean, or a quantile. (For
/// Huber's loss the median is only near the best.) `column` gives the weights and values of a target.
fn best_constants(
    loss: &Loss,
    output_weights: &[f32],
    targets: usize,
    column: impl Fn(usize) -> Vec<(f64, f64)>,
) -> f64 {
    let per_target = loss.outputs_per_target();
    if *loss == Loss::SquaredError && output_weights.is_empty() {
        let variances = (0..targets).map(|target| mean_loss(loss, &column(target), 0));
        return 2.0 * variances.sum::<f64>() / (2 * targets) as f64;
    }
    let shares = shares(output_weights, targets * per_target);
    let of_output = |at: usize| shares[at] * mean_loss(loss, &column(at / per_target), at);
    (0..targets * per_target).map(of_output).sum()
}

/// The mean loss of the best constant for output `at`.
fn mean_loss(loss: &Loss, column: &[(f64, f64)], at: usize) -> f64 {
    let total: f64 = column.iter().map(|(w, _)| w).sum::<f64>().max(f64::MIN_POSITIVE);
    let constant = match loss {
        Loss::Huber { .. } | Loss::AbsoluteError => quantile(column, 0.5),
        Loss::Quantile(_) => quantile(column, loss.constant(at).into()),
        _ => column.iter().map(|(w, value)| w * value).sum::<f64>() / total,
    };
    let losses = column.iter().map(|&(w, value)| w * loss.of_prediction(constant, value, at));
    losses.sum::<f64>() / total
}

/// The smallest value that has at least this share of the weight at or below it.
fn quantile(column: &[(f64, f64)], level: f64) -> f64 {
    let mut sorted = column.to_vec();
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let total: f64 = sorted.iter().map(|(w, _)| w).sum();
    let mut below = 0.0;
    let reached = sorted.iter().find(|(w, _)| {
        below += w;
        below >= level * total
    });
    reached.or(sorted.last()).map_or(0.0, |&(_, value)| value)
}

/// Four digits of a loss of any size.
fn short(loss: f64) -> String {
    match (1e-3..1e6).contains(&loss) {
        true => format!("{loss:.4}"),
        false => format!("{loss:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, Inputs};

    fn report(loss: f64, accuracy: Option<f64>) -> EpochReport {
        EpochReport {
            epoch: 0,
            loss,
            accuracy,
            val_loss: None,
            val_accuracy: None,
            val_r2: None,
            learning_rate: 0.1,
            seconds: 0.0,
        }
    }

    #[test]
    fn guessing_classes_gives_their_entropy() {
        let labels: Vec<u32> = (0..400).map(|at| u32::from(at % 4 == 0)).collect();
        let names = vec!["a".into(), "b".into()];
        let data = Dataset::new(Inputs::Floats(vec![0.0; 400]), labels, vec![1], names).unwrap();
        let of = |config: &TrainConfig| Baseline::of(config, &(&data).into());
        let mut config = TrainConfig::default();
        let baseline = of(&config);
        let entropy = -(0.75 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((baseline.loss - entropy).abs() < 1e-9 && baseline.accuracy == Some(0.75));
        assert!(!baseline.is_beaten_by(&report(entropy, Some(0.75))));
        assert!(!baseline.is_beaten_by(&report(1e12, Some(0.25))));
        assert!(baseline.is_far_below(&report(1e12, Some(0.25))));
        assert!(baseline.is_beaten_by(&report(0.5, Some(0.75))));
        assert!(baseline.is_beaten_by(&report(0.6, Some(0.85))));
        // Right more often, but by numbers that mean nothing any more.
        let huge = report(1e9, Some(0.85));
        assert!(
            !baseline.is_beaten_by(&huge)
                && baseline.complaint(&huge).contains("a loss of 1.000e9")
        );
        config.regularization.class_weights = ClassWeights::Balanced;
        assert!((of(&config).loss - 2f64.ln()).abs() < 1e-9);
        config.regularization.class_weights = ClassWeights::Equal;
        config.regularization.label_smoothing = 0.5;
        assert!(of(&config).loss > entropy);
        let one = data.subset(&[0, 4, 8]);
        assert!(
            Baseline::of(&TrainConfig::default(), &(&one).into())
                .is_beaten_by(&report(0.0, Some(1.0)))
        );
    }

    #[test]
    fn guessing_targets_gives_half_their_variance() {
        let names = vec!["y".into(), "z".into()];
        let targets = Targets::Values { values: vec![1.0, 10.0, 3.0, 10.0], names };
        let data = Dataset::with_targets(Inputs::Floats(vec![0.0; 2]), targets, vec![1]).unwrap();
        let baseline = Baseline::of(&TrainConfig::default(), &(&data).into());
        assert_eq!((baseline.loss, baseline.accuracy), (0.25, None));
        assert!(baseline.is_beaten_by(&report(0.1, None)));
        assert!(!baseline.is_beaten_by(&report(0.25, None)));
    }

    #[test]
    fn guessing_with_other_losses_takes_their_best_constant() {
        let targets = Targets::Values { values: vec![0.0, 1.0, 2.0, 9.0], names: vec!["y".into()] };
        let data = Dataset::with_targets(Inputs::Floats(vec![0.0; 4]), targets, vec![1]).unwrap();
        let of = |loss: Loss| {
            let config = TrainConfig { loss: Some(loss), ..TrainConfig::default() };
            Baseline::of(&config, &(&data).into()).loss
        };
        // The median 1, the quantiles 0 and 9, the mean 3.
        assert_eq!(of(Loss::AbsoluteError), 10.0 / 4.0);
        assert_eq!(of(Loss::Huber { delta: 1.0 }), (0.5 + 0.0 + 0.5 + 7.5) / 4.0);
        let [low, high] = [0.1f32, 0.9].map(f64::from);
        let expected = (low * 12.0 / 4.0 + (1.0 - high) * 24.0 / 4.0) / 2.0;
        assert!((of(Loss::Quantile(vec![0.1, 0.9])) - expected).abs() < 1e-12);
        let deviance = |t: f64| if t > 0.0 { t * (t / 3.0).ln() - t + 3.0 } else { 3.0 };
        let expected = [0.0, 1.0, 2.0, 9.0].map(deviance).iter().sum::<f64>() / 4.0;
        assert!((of(Loss::Poisson) - expected).abs() < 1e-12);
    }
}
