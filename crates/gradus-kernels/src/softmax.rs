//! Softmax and cross-entropy (docs/maths.md M4): rows of logits and the samples' targets go in;
//! probabilities, or losses and the gradients of the logits, come out.
//!
//! Both are fused, so that the logits are read once; and both subtract the largest logit first, so that
//! no exponential overflows.

use crate::dispatch::{Kernels, dispatch};
use crate::elementwise::exp;
use crate::matrix::MatMut;

/// The target probabilities for each row of logits (docs/maths.md M4): with the row's class `a`, label
/// smoothing `s` over `K` classes and, with mixup, a second class `b` and the share `q` of `a`,
/// `t = (1 - s) (q onehot(a) + (1 - q) onehot(b)) + s / K`.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// The class of each row.
    pub labels: &'a [u32],
    /// Mixup (Zhang et al. 2018): a second class for each row, and the share of the first.
    pub mixed: Option<(&'a [u32], &'a [f32])>,
    /// A factor for each row's loss; all are 1 without them.
    pub weights: Option<&'a [f32]>,
    /// Label smoothing (Szegedy et al. 2016): the share of the target that is spread over all classes.
    pub smoothing: f32,
}

/// The target of one row: `everywhere` for each class, and more for one or two of them. A whole vector of
/// `K` values would cost as much memory traffic as the logits.
struct RowTarget {
    first: (usize, f32),
    second: Option<(usize, f32)>,
    everywhere: f32,
    weight: f32,
}

impl<'a> Targets<'a> {
    /// One class for each row, no mixup, no weights, no smoothing.
    pub fn of(labels: &'a [u32]) -> Self {
        Targets { labels, mixed: None, weights: None, smoothing: 0.0 }
    }

    #[inline(always)]
    fn row(&self, i: usize, classes: usize) -> RowTarget {
        let hard = 1.0 - self.smoothing;
        let share = self.mixed.map_or(1.0, |(_, shares)| shares[i]);
        RowTarget {
            first: (self.labels[i] as usize, hard * share),
            second: self.mixed.map(|(others, _)| (others[i] as usize, hard * (1.0 - share))),
            everywhere: self.smoothing / classes as f32,
            weight: self.weights.map_or(1.0, |weights| weights[i]),
        }
    }
}

impl RowTarget {
    /// The classes with more than `everywhere`, each with how much more it has.
    #[inline(always)]
    fn classes(&self) -> impl Iterator<Item = (usize, f32)> {
        std::iter::once(self.first).chain(self.second)
    }

    /// `sum_c t_c (z_c - max)`. Without smoothing this reads one or two logits instead of all.
    #[inline(always)]
    fn mean_logit(&self, logits: &[f32], max: f32) -> f32 {
        let (class, share) = self.first;
        let mut sum = share * (logits[class] - max);
        if let Some((class, share)) = self.second {
            sum += share * (logits[class] - max);
        }
        if self.everywhere > 0.0 {
            sum += self.everywhere * logits.iter().map(|logit| logit - max).sum::<f32>();
        }
        sum
    }
}

/// The largest of `logits` and its index; of equal ones the first.
#[inline(always)]
fn largest(logits: &[f32]) -> (usize, f32) {
    let mut best = (0, f32::NEG_INFINITY);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (class, logit);
        }
    }
    best
}

/// Replaces a row of logits by `e^(z - max z)`; returns the sum.
#[inline(always)]
fn exponentials(row: &mut [f32], max: f32) -> f32 {
    for logit in row.iter_mut() {
        *logit = exp(*logit - max);
    }
    row.iter().sum()
}

impl Kernels {
    /// Replaces each row of logits by its probabilities, `p_c = e^(z_c - max z) / sum_c e^(z_c - max z)`.
    /// `logits` is `[samples x classes]`. Reference: [`crate::reference::softmax`].
    pub fn softmax(self, logits: MatMut) {
        dispatch!(self, (logits: MatMut), |_S| {
            let mut logits = logits;
            for i in 0..logits.rows() {
                let row = logits.row_mut(i);
                let (_, max) = largest(row);
                let scale = 1.0 / exponentials(row, max);
                for value in row {
                    *value *= scale;
                }
            }
        });
    }

    /// Softmax cross-entropy of each row `i` with target `t_i` and weight `w_i` ([`Targets`]):
    /// `losses[i] = w_i (log(sum_c e^(z_ic)) - sum_c t_ic z_ic)`. Replaces the logits, `[samples x classes]`,
    /// by their gradient, `(p_ic - t_ic) w_i grad_scale`; `grad_scale` is 1 over the number of samples in
    /// the mean. Returns how many rows have their largest logit (of equal ones the first) at the label.
    /// Reference: [`crate::reference::softmax_cross_entropy`].
    ///
    /// Panics where the lengths differ or a label is not a column.
    pub fn softmax_cross_entropy(
        self,
        logits: MatMut,
        targets: Targets,
        grad_scale: f32,
        losses: &mut [f32],
    ) -> usize {
        let rows = logits.rows();
        assert!(targets.labels.len() == rows && losses.len() == rows);
        assert!(targets.mixed.is_none_or(|(b, share)| b.len() == rows && share.len() == rows));
        assert!(targets.weights.is_none_or(|weights| weights.len() == rows));
        dispatch!(
            self,
            (logits: MatMut, targets: Targets, grad_scale: f32, losses: &mut [f32]) -> usize,
            |_S| {
                let mut logits = logits;
                let mut correct = 0;
                for (i, loss) in losses.iter_mut().enumerate() {
                    let row = logits.row_mut(i);
                    let target = targets.row(i, row.len());
                    let (predicted, max) = largest(row);
                    // Before the logits are overwritten by their exponentials.
                    let expected = target.mean_logit(row, max);
                    let sum = exponentials(row, max);
                    *loss = target.weight * (sum.ln() - expected);
                    let grad_scale = grad_scale * target.weight;
                    let (scale, everywhere) = (grad_scale / sum, grad_scale * target.everywhere);
                    for value in row.iter_mut() {
                        *value = *value * scale - everywhere;
                    }
                    for (class, share) in target.classes() {
                        row[class] -= grad_scale * share;
                    }
                    correct += usize::from(predicted == targets.labels[i] as usize);
                }
                correct
            }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mixup with a share of 1, weights of 1 and no smoothing give the same bits as plain labels.
    #[test]
    fn neutral_targets_change_no_bit() {
        let start: Vec<f32> = (0..130).map(|i| (i as f32 * 0.7).sin() * 9.0).collect();
        let labels: Vec<u32> = (0..13).map(|i| i * 7 % 10).collect();
        let others: Vec<u32> = (0..13).map(|i| i * 3 % 10).collect();
        let ones = [1.0; 13];
        let neutral =
            Targets { mixed: Some((&others, &ones)), weights: Some(&ones), ..Targets::of(&labels) };
        for kernels in Kernels::available() {
            let run = |targets| {
                let (mut logits, mut losses) = (start.clone(), [0.0; 13]);
                let view = MatMut::new(&mut logits, 13, 10);
                let correct = kernels.softmax_cross_entropy(view, targets, 1.0 / 13.0, &mut losses);
                logits.extend(losses);
                (correct, logits.into_iter().map(f32::to_bits).collect::<Vec<_>>())
            };
            assert_eq!(run(Targets::of(&labels)), run(neutral));
        }
    }
}
