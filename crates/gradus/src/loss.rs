//! Softmax and cross-entropy, fused (docs/maths.md M4).

use gradus_kernels::Kernels;
use gradus_kernels::matrix::MatMut;

/// Mean cross-entropy of softmax over a batch of `batch` samples, of which these rows are a part.
/// The logits become their gradient, `(p - onehot) / batch`; `losses` receives each row's own loss.
/// Returns how many rows have their largest logit at the label.
pub fn softmax_cross_entropy(
    kernels: Kernels,
    logits: MatMut,
    labels: &[u32],
    batch: usize,
    losses: &mut [f32],
) -> usize {
    kernels.softmax_cross_entropy(logits, labels, 1.0 / batch as f32, losses)
}

/// Each row of logits becomes its probabilities.
pub fn softmax(kernels: Kernels, logits: MatMut) {
    kernels.softmax(logits);
}
