//! Softmax and cross-entropy of rows of logits, fused and stable (docs/maths.md M4).

use crate::dispatch::{Kernels, dispatch};
use crate::elementwise::exp;
use crate::matrix::MatMut;

/// The largest of `logits` and its index; the first of equals.
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

/// Turns a row of logits into `e^(z - max z)`; returns the sum of these.
#[inline(always)]
fn exponentials(row: &mut [f32], max: f32) -> f32 {
    for logit in row.iter_mut() {
        *logit = exp(*logit - max);
    }
    row.iter().sum()
}

impl Kernels {
    /// Each row of logits becomes its probabilities: `p_c = e^(z_c - max z) / sum`.
    /// Reference: [`crate::reference::softmax`].
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

    /// Mean cross-entropy of softmax, and its gradient in place of the logits:
    /// `loss_i = log(sum_c e^(z_ic)) - z_i,label` and `z_ic = (p_ic - [c = label]) grad_scale`,
    /// `grad_scale` being 1 over the number of samples in the mean. Returns how many rows have
    /// their largest logit at the label (the first of equals counts).
    /// Reference: [`crate::reference::softmax_cross_entropy`].
    ///
    /// Panics where the lengths differ or a label is no column.
    pub fn softmax_cross_entropy(
        self,
        logits: MatMut,
        labels: &[u32],
        grad_scale: f32,
        losses: &mut [f32],
    ) -> usize {
        assert!(labels.len() == logits.rows() && losses.len() == logits.rows());
        dispatch!(
            self,
            (logits: MatMut, labels: &[u32], grad_scale: f32, losses: &mut [f32]) -> usize,
            |_S| {
                let mut logits = logits;
                let mut correct = 0;
                for (i, (&label, loss)) in labels.iter().zip(losses).enumerate() {
                    let row = logits.row_mut(i);
                    let label = label as usize;
                    let (predicted, max) = largest(row);
                    let own = row[label] - max;
                    let sum = exponentials(row, max);
                    *loss = sum.ln() - own;
                    let scale = grad_scale / sum;
                    for value in row.iter_mut() {
                        *value *= scale;
                    }
                    row[label] -= grad_scale;
                    correct += usize::from(predicted == label);
                }
                correct
            }
        )
    }
}
