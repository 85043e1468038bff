//! Softmax and cross-entropy, fused (docs/maths.md M4); squared error (M21).

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
pub use gradus_kernels::softmax::Targets;

/// Mean cross-entropy of softmax over a batch, of which these rows are a part. `total` is the sum of
/// the weights of its samples, their number where they have none.
///
/// With the probabilities `p_i` of row `i`, its target `t_i` over `K` classes (the label, two labels
/// mixed, either smoothed) and its weight `w_i` (1 where there are none):
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
/// Panics where the lengths differ or a label is no class.
pub fn softmax_cross_entropy(
    kernels: Kernels,
    logits: MatMut,
    targets: Targets,
    total: f64,
    losses: &mut [f32],
) -> usize {
    kernels.softmax_cross_entropy(logits, targets, 1.0 / total as f32, losses)
}

/// Half the mean squared error over a batch, of which these rows are a part. `total` is the sum of the
/// weights of its samples, their number where they have none.
///
/// With the outputs `y_i` of row `i`, its `m` target values `t_i` and its weight `w_i` (1 without
/// weights):
///
/// ```text
/// loss_i = w_i / (2 m) sum_j (y_ij - t_ij)^2
/// y_ij   = w_i (y_ij - t_ij) / (m total)                       the gradient, in place of the outputs
/// ```
///
/// `losses` receives each row's own loss. Panics where the sizes differ.
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

/// Each row of logits becomes its probabilities.
pub fn softmax(kernels: Kernels, logits: MatMut) {
    kernels.softmax(logits);
}
