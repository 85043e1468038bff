//! Losses: outputs and targets in, the loss of each sample and its gradient out. Softmax with
//! cross-entropy, fused (docs/maths.md M4), squared error (M21), and the losses that are sums over outputs (M24).

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
pub use gradus_kernels::output_losses::{OutputLoss, OutputTargets};
pub use gradus_kernels::softmax::Targets as LabelTargets;

use crate::error::{Error, Result};
use crate::samples::{Targets, Task};

mod mean;
mod names;
mod slopes;

/// What training minimizes: the formula of the loss and of its gradient, which targets it is for, and what the
/// outputs of the last layer become in a prediction.
#[derive(Debug, Clone, PartialEq)]
pub enum Loss {
    /// Cross-entropy of the softmax: one class for each sample ([`Loss::softmax_cross_entropy`]).
    SoftmaxCrossEntropy,
    /// The sum of the binary cross-entropies of all labels: any number of labels for each sample. An output is the logit of
    /// a label, which is predicted if its probability is above 1/2.
    BinaryCrossEntropy,
    /// Half the squared error: numbers for each sample ([`Loss::squared_error`]).
    SquaredError,
    /// Half the Poisson deviance: counts and other numbers from 0 for each sample. An output is the logarithm of the
    /// prediction. McCullagh and Nelder 1989.
    Poisson,
    /// Half the squared error near the target, a linear loss beyond. Huber 1964.
    Huber {
        /// Where the linear part begins, in the targets' own units.
        delta: f32,
    },
    /// The absolute error: predictions are medians.
    AbsoluteError,
    /// The pinball loss of each of these quantiles, above 0, below 1 and ascending. The outputs are those of the first
    /// target, one for each quantile, then those of the next; a prediction has them in ascending order, so that quantiles
    /// do not cross. Koenker and Bassett 1978; Chernozhukov, Fernandez-Val and Galichon 2010.
    Quantile(Vec<f32>),
}

impl Loss {
    /// Delta of `huber` where none is given, as in scikit-learn's and PyTorch's.
    pub const USUAL_DELTA: f32 = 1.0;

    /// What is learned with it.
    pub fn task(&self) -> Task {
        match self {
            Loss::SoftmaxCrossEntropy => Task::Classification,
            Loss::BinaryCrossEntropy => Task::MultiLabel,
            Loss::SquaredError
            | Loss::Poisson
            | Loss::Huber { .. }
            | Loss::AbsoluteError
            | Loss::Quantile(_) => Task::Regression,
        }
    }

    /// The usual loss of a task: that of runs and models that name none.
    pub fn of(task: Task) -> Loss {
        match task {
            Task::Classification => Loss::SoftmaxCrossEntropy,
            Task::MultiLabel => Loss::BinaryCrossEntropy,
            Task::Regression => Loss::SquaredError,
        }
    }

    /// Whether it is the usual loss of its task.
    pub fn is_usual(&self) -> bool {
        *self == Loss::of(self.task())
    }

    /// How many outputs a network has for each target.
    pub fn outputs_per_target(&self) -> usize {
        match self {
            Loss::Quantile(levels) => levels.len(),
            _ => 1,
        }
    }

    /// Whether its targets may be learned with mean 0 and standard deviation 1: those of Poisson may not, because an output
    /// is a logarithm.
    pub fn can_standardize(&self) -> bool {
        self.task() == Task::Regression && *self != Loss::Poisson
    }

    /// The loss of a single output, if the loss of a sample is a sum over its outputs.
    pub fn of_output(&self) -> Option<OutputLoss> {
        Some(match self {
            Loss::SoftmaxCrossEntropy => return None,
            Loss::BinaryCrossEntropy => OutputLoss::BinaryCrossEntropy,
            Loss::SquaredError => OutputLoss::Squared,
            Loss::Poisson => OutputLoss::Poisson,
            Loss::Huber { .. } => OutputLoss::Huber,
            Loss::AbsoluteError => OutputLoss::Absolute,
            Loss::Quantile(_) => OutputLoss::Quantile,
        })
    }

    /// The constant of output `at`: delta of Huber, the level of a quantile, 0 for all others.
    pub fn constant(&self, at: usize) -> f32 {
        match self {
            Loss::Huber { delta } => *delta,
            Loss::Quantile(levels) => levels[at % levels.len()],
            _ => 0.0,
        }
    }

    /// Checks that it can be computed for these targets.
    ///
    /// # Errors
    /// `InvalidArgument` for targets of another task, and for targets below 0 with Poisson.
    pub fn check_targets(&self, targets: &Targets) -> Result<()> {
        let (own, found) = (self.task(), targets.task());
        if own != found {
            return Err(Error::argument(format!(
                "`loss` is {}, which is for {}, but the targets are those of {}: leave it out, or use {}",
                self.name(),
                own.name(),
                found.name(),
                Loss::of(found).name()
            )));
        }
        let Targets::Values { values, names } = targets else { return Ok(()) };
        match values.iter().position(|&value| *self == Loss::Poisson && value < 0.0) {
            None => Ok(()),
            Some(at) => Err(Error::argument(format!(
                "`loss` is poisson, which needs targets of at least 0, but that of sample {} is {}: use another loss, \
                 such as squared",
                at / names.len(),
                values[at]
            ))),
        }
    }

    /// Turns the outputs of the last layer, one row for each sample, into what the model predicts: the
    /// probabilities of the classes or labels, the numbers as they are, their exponentials for Poisson, or in ascending order for
    /// the quantiles of a target.
    pub fn predictions(&self, kernels: Kernels, mut outputs: MatMut) {
        match self {
            Loss::SoftmaxCrossEntropy => kernels.softmax(outputs),
            Loss::BinaryCrossEntropy => {
                for row in 0..outputs.rows() {
                    kernels.sigmoid(outputs.row_mut(row));
                }
            }
            Loss::Poisson => {
                for row in 0..outputs.rows() {
                    kernels.exponential(outputs.row_mut(row));
                }
            }
            Loss::Quantile(levels) => {
                for row in 0..outputs.rows() {
                    let of_targets = outputs.row_mut(row).chunks_exact_mut(levels.len());
                    of_targets.for_each(|quantiles| quantiles.sort_unstable_by(f32::total_cmp));
                }
            }
            Loss::SquaredError | Loss::Huber { .. } | Loss::AbsoluteError => {}
        }
    }

    /// The loss of a prediction of output `at`, in double precision; 0 for classes, whose loss depends on all outputs.
    pub fn of_prediction(&self, predicted: f64, target: f64, at: usize) -> f64 {
        let error = predicted - target;
        let constant = f64::from(self.constant(at));
        match self {
            Loss::SoftmaxCrossEntropy => 0.0,
            Loss::BinaryCrossEntropy => {
                // A probability that single precision rounds to 0 or 1 is not infinitely wrong.
                let least = f64::from(f32::MIN_POSITIVE);
                let logarithm = |probability: f64| probability.max(least).ln();
                -target * logarithm(predicted) - (1.0 - target) * logarithm(1.0 - predicted)
            }
            Loss::SquaredError => error * error / 2.0,
            // A prediction that single precision rounds to 0 is not infinitely wrong.
            Loss::Poisson if target > 0.0 => {
                target * (target / predicted.max(f32::MIN_POSITIVE.into())).ln() + error
            }
            Loss::Poisson => predicted,
            Loss::Huber { .. } if error.abs() <= constant => error * error / 2.0,
            Loss::Huber { .. } => constant * (error.abs() - constant / 2.0),
            Loss::AbsoluteError => error.abs(),
            Loss::Quantile(_) if error > 0.0 => (1.0 - constant) * error,
            Loss::Quantile(_) => -constant * error,
        }
    }

    /// Mean cross-entropy of softmax over a batch, of which these rows are a part. `total` is the sum of
    /// the weights of its samples, their number if they have none.
    ///
    /// With the probabilities `p_i` of row `i`, its target `t_i` over `K` classes (the label, two labels
    /// mixed, either smoothed) and its weight `w_i` (1 without weights):
    ///
    /// ```text
    /// t_i    = (1 - smoothing) (share_i onehot(label_i) + (1 - share_i) onehot(other_i)) + smoothing / K
    /// loss_i = -w_i sum_c t_ic log p_ic = w_i (log sum_c e^(z_ic) - sum_c t_ic z_ic)
    /// z_ic   = w_i (p_ic - t_ic) / total                              the gradient, in place of the logits
    /// ```
    ///
    /// `losses` receives each row's own loss. Returns how many rows have their largest logit at the
    /// label.
    /// Sources: Szegedy et al. 2016 (smoothing), Zhang et al. 2018 (mixup); docs/maths.md M4.
    ///
    /// Panics if lengths differ or a label is not a class.
    pub fn softmax_cross_entropy(
        kernels: Kernels,
        logits: MatMut,
        targets: LabelTargets,
        total: f64,
        losses: &mut [f32],
    ) -> usize {
        kernels.softmax_cross_entropy(logits, targets, 1.0 / total as f32, losses)
    }

    /// Half the mean squared error over a batch, of which these rows are a part. `total` is the sum of the
    /// weights of its samples, their number if they have none.
    ///
    /// With the outputs `y_i` of row `i`, its `m` target values `t_i` and its weight `w_i` (1 without
    /// weights):
    ///
    /// ```text
    /// loss_i = w_i / (2 m) sum_j (y_ij - t_ij)^2
    /// y_ij   = w_i (y_ij - t_ij) / (m total)                       the gradient, in place of the outputs
    /// ```
    ///
    /// `losses` receives each row's own loss. Panics if sizes differ.
    pub fn squared_error(
        kernels: Kernels,
        outputs: MatMut,
        targets: MatRef,
        weights: Option<&[f32]>,
        total: f64,
        losses: &mut [f32],
    ) {
        kernels.squared_error(outputs, targets, weights, 1.0 / total as f32, losses);
    }
}

/// The share of each output in the loss of a sample: `w_j / sum w`, for `count` outputs; `1 / count` without weights.
pub fn shares(weights: &[f32], count: usize) -> Vec<f64> {
    match weights {
        [] => vec![1.0 / count.max(1) as f64; count],
        weights => {
            // The outputs of one target follow each other, and share its weight.
            let per_target = count / weights.len().max(1);
            let total: f64 = weights.iter().map(|&weight| f64::from(weight)).sum();
            let share =
                |at: usize| f64::from(weights[at / per_target]) / (total * per_target as f64);
            (0..count).map(share).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_a_usual_loss() {
        for loss in Loss::examples() {
            assert_eq!(Loss::of(loss.task()).task(), loss.task());
        }
        assert!(Loss::SquaredError.is_usual() && !Loss::Poisson.is_usual());
    }

    /// The loss of a prediction is that of the output which becomes it.
    #[test]
    fn losses_of_predictions_are_those_of_outputs() {
        let kernels = Kernels::detect().unwrap();
        for loss in Loss::examples() {
            let Some(of_output) = loss.of_output() else { continue };
            for (output, target) in [(0.3f32, 2.0f32), (1.5, 0.0), (-2.0, 0.5), (4.0, 1.0)] {
                let mut predicted = vec![output; loss.outputs_per_target()];
                let width = predicted.len();
                loss.predictions(kernels, MatMut::new(&mut predicted, 1, width));
                for (at, &predicted) in predicted.iter().enumerate() {
                    let constant = f64::from(loss.constant(at));
                    let (y, t) = (f64::from(output), f64::from(target));
                    let (expected, _) =
                        gradus_kernels::reference::output_loss(of_output, y, t, constant);
                    let found = loss.of_prediction(predicted.into(), t, at);
                    let error = (found - expected).abs();
                    assert!(error < 1e-6 * (1.0 + expected), "{loss:?} {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn quantiles_come_in_order() {
        let loss = Loss::Quantile(vec![0.1, 0.5, 0.9]);
        let mut outputs = [3.0, 1.0, 2.0, -1.0, -3.0, -1.0];
        loss.predictions(Kernels::detect().unwrap(), MatMut::new(&mut outputs, 1, 6));
        assert_eq!(outputs, [1.0, 2.0, 3.0, -3.0, -1.0, -1.0]);
    }

    #[test]
    fn targets_must_fit() {
        let values =
            |value: f32| Targets::Values { values: vec![1.0, value], names: vec!["y".into()] };
        Loss::Poisson.check_targets(&values(0.0)).unwrap();
        let error = Loss::Poisson.check_targets(&values(-0.5)).unwrap_err().to_string();
        assert!(error.contains("sample 1 is -0.5"), "{error}");
        let error = Loss::SoftmaxCrossEntropy.check_targets(&values(1.0)).unwrap_err().to_string();
        assert!(error.contains("for classification") && error.contains("use squared"), "{error}");
    }

    #[test]
    fn shares_sum_to_one() {
        assert_eq!(shares(&[], 4), [0.25; 4]);
        assert_eq!(shares(&[1.0, 3.0], 4), [0.125, 0.125, 0.375, 0.375]);
    }
}
