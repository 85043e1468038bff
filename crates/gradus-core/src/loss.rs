//! Losses: outputs and targets in, the loss of each sample and its gradient out. Softmax with
//! cross-entropy, fused (docs/maths.md M4), and squared error (M21).

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
pub use gradus_kernels::softmax::Targets as LabelTargets;

use crate::samples::Task;

/// What training minimizes: the formula of the loss and of its gradient, which targets it is for, and what the
/// outputs of the last layer become in a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Cross-entropy of the softmax: one class for each sample ([`Loss::softmax_cross_entropy`]).
    SoftmaxCrossEntropy,
    /// Half the squared error: numbers for each sample ([`Loss::squared_error`]).
    SquaredError,
}

impl Loss {
    /// All losses.
    pub const ALL: [Loss; 2] = [Loss::SoftmaxCrossEntropy, Loss::SquaredError];

    /// The name in settings and files.
    pub fn name(self) -> &'static str {
        match self {
            Loss::SoftmaxCrossEntropy => "cross-entropy",
            Loss::SquaredError => "squared",
        }
    }

    /// The loss of this name.
    pub fn from_name(name: &str) -> Option<Loss> {
        Loss::ALL.into_iter().find(|loss| loss.name() == name)
    }

    /// What is learned with it.
    pub fn task(self) -> Task {
        match self {
            Loss::SoftmaxCrossEntropy => Task::Classification,
            Loss::SquaredError => Task::Regression,
        }
    }

    /// The loss for a task.
    pub fn of(task: Task) -> Loss {
        match task {
            Task::Classification => Loss::SoftmaxCrossEntropy,
            Task::Regression => Loss::SquaredError,
        }
    }

    /// Turns the outputs of the last layer, one row for each sample, into what the model predicts: the
    /// probabilities of the classes, or the numbers as they are.
    pub fn predictions(self, kernels: Kernels, outputs: MatMut) {
        match self {
            Loss::SoftmaxCrossEntropy => kernels.softmax(outputs),
            Loss::SquaredError => {}
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine, the program and model files take the loss from the task: a second loss of a task would be accepted
    /// by name and not be trained with. docs/adding/loss.md says what it needs.
    #[test]
    fn each_task_has_one_loss() {
        for loss in Loss::ALL {
            assert_eq!(Loss::of(loss.task()), loss);
        }
    }
}
