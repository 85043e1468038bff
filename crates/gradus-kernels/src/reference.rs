//! The plain loops that define the kernels: slices go in, slices or numbers come out. Safe, slow, and
//! correct by inspection; the fast kernels are tested against them, and docs/maths.md points here.
//!
//! Products and softmax are in this file, the rest is in the folder. Sums are in double precision, so that
//! what differs in a test is the rounding of the fast kernel.

use crate::dense::{Transpose, Update};
use crate::softmax::Targets;

mod batch_norm;
mod distort;
mod inputs;
mod output_losses;
mod periodic;
mod piecewise;
mod quantized;
mod random;
mod squared;
mod strengths;
mod weights;

pub use batch_norm::*;
pub use distort::*;
pub use inputs::*;
pub use output_losses::*;
pub use periodic::*;
pub use piecewise::*;
pub use quantized::*;
pub use random::*;
pub use squared::*;
pub use strengths::*;
pub use weights::*;

/// `C (+)= A B`, `A^T B` or `A B^T`, with `C` `[m x n]`: `A` is `[m x k]` (`[k x m]` for `First`), `B` is
/// `[k x n]` (`[n x k]` for `Second`), all without gaps.
pub fn matmul(
    transpose: Transpose,
    (m, k, n): (usize, usize, usize),
    a: &[f32],
    b: &[f32],
    c: &mut [f32],
    update: Update,
) {
    for i in 0..m {
        for j in 0..n {
            let mut sum = 0.0f64;
            for l in 0..k {
                let a = if transpose == Transpose::First { a[l * m + i] } else { a[i * k + l] };
                let b = if transpose == Transpose::Second { b[j * k + l] } else { b[l * n + j] };
                sum += f64::from(a) * f64::from(b);
            }
            let before = if update == Update::Add { c[i * n + j] } else { 0.0 };
            c[i * n + j] = before + sum as f32;
        }
    }
}

/// `output = bias + scale X W`: `x` is `[samples x features]`, `weight` `[features x width]`, `output`
/// `[samples x width]`.
pub fn sparse_forward(x: &[u8], scale: f32, weight: &[f32], bias: &[f32], output: &mut [f32]) {
    let width = bias.len();
    let features = weight.len() / width;
    for (x, output) in x.chunks(features).zip(output.chunks_mut(width)) {
        for j in 0..width {
            let mut sum = f64::from(bias[j]);
            for p in 0..features {
                sum += f64::from(scale) * f64::from(x[p]) * f64::from(weight[p * width + j]);
            }
            output[j] = sum as f32;
        }
    }
}

/// `grad_weight (+)= offset + scale X^T grad_output`: `x` is `[samples x features]`, `grad_output`
/// `[samples x width]`, `grad_weight` `[features x width]`; `offset` is added to each of its rows.
pub fn sparse_gradient(
    x: &[u8],
    scale: f32,
    grad_output: &[f32],
    offset: &[f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    let width = offset.len();
    let features = grad_weight.len() / width;
    for p in 0..features {
        for j in 0..width {
            let before = if update == Update::Add { grad_weight[p * width + j] } else { 0.0 };
            let mut sum = f64::from(before) + f64::from(offset[j]);
            for (x, grad) in x.chunks(features).zip(grad_output.chunks(width)) {
                sum += f64::from(scale) * f64::from(x[p]) * f64::from(grad[j]);
            }
            grad_weight[p * width + j] = sum as f32;
        }
    }
}

/// `sums_i += a_i b_i`
pub fn add_products(sums: &mut [f32], a: &[f32], b: &[f32]) {
    for i in 0..sums.len() {
        sums[i] = (f64::from(sums[i]) + f64::from(a[i]) * f64::from(b[i])) as f32;
    }
}

/// `p_c = e^(z_c - max z) / sum_c e^(z_c - max z)` for one row.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.iter().map(|e| (e / sum) as f32).collect()
}

/// The target probabilities for row `i`: `(1 - s) (q onehot(a) + (1 - q) onehot(b)) + s / K`.
pub fn target(targets: &Targets, i: usize, classes: usize) -> Vec<f64> {
    let smoothing = f64::from(targets.smoothing);
    let (other, share) =
        targets.mixed.map_or((targets.labels[i], 1.0), |(b, q)| (b[i], f64::from(q[i])));
    let mut target = vec![smoothing / classes as f64; classes];
    target[targets.labels[i] as usize] += (1.0 - smoothing) * share;
    target[other as usize] += (1.0 - smoothing) * (1.0 - share);
    target
}

/// Loss and gradient for one row of logits with target `t` and weight `w`:
/// `w (log sum_c e^(z_c) - sum_c t_c z_c)` and `(p - t) w grad_scale`.
pub fn softmax_cross_entropy(
    logits: &[f32],
    target: &[f64],
    weight: f32,
    grad_scale: f32,
) -> (f32, Vec<f32>) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let e: Vec<f64> = logits.iter().map(|&z| f64::from(z - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    let expected: f64 = logits.iter().zip(target).map(|(&z, t)| t * f64::from(z - max)).sum();
    let scale = f64::from(weight) * f64::from(grad_scale);
    let grad = e.iter().zip(target).map(|(e, t)| ((e / sum - t) * scale) as f32).collect();
    ((f64::from(weight) * (sum.ln() - expected)) as f32, grad)
}
