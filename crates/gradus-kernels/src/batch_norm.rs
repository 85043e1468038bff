//! Batch normalization: a batch of pre-activations goes in; every column gets mean 0 and variance 1, then
//! a learnt scale and shift (Ioffe and Szegedy 2015; docs/maths.md M14).
//!
//! Work goes panel by panel: for a mini-batch, 64 columns stay in the nearest cache between one pass over
//! the rows and the next.

use std::ops::Range;

use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};

/// Columns of a panel, which are worked on together.
const PANEL: usize = 64;

/// Rows that are summed before their sum is added to the total: a sum over many thousands of rows then
/// loses no more digits than one over a few hundred.
const BLOCK: usize = 64;

/// The panels of this many columns.
#[inline(always)]
fn panels(columns: usize) -> impl Iterator<Item = Range<usize>> {
    (0..columns).step_by(PANEL).map(move |start| start..columns.min(start + PANEL))
}

/// Sums over the rows, in blocks: `add` adds the terms of row `i` to a block, which has one sum for each
/// column, as `sums` does.
#[inline(always)]
fn sum_rows(rows: usize, sums: &mut [f32], mut add: impl FnMut(usize, &mut [f32])) {
    sums.fill(0.0);
    for start in (0..rows).step_by(BLOCK) {
        let mut block = [0.0; PANEL];
        let block = &mut block[..sums.len()];
        for i in start..rows.min(start + BLOCK) {
            add(i, block);
        }
        for (sum, &part) in sums.iter_mut().zip(&*block) {
            *sum += part;
        }
    }
}

/// Mean and biased variance of these columns.
#[inline(always)]
fn moments(values: MatRef, columns: Range<usize>, mean: &mut [f32], variance: &mut [f32]) {
    let (rows, count) = (values.rows(), values.rows() as f32);
    sum_rows(rows, mean, |i, sums| {
        for (sum, &x) in sums.iter_mut().zip(&values.row(i)[columns.clone()]) {
            *sum += x;
        }
    });
    mean.iter_mut().for_each(|mean| *mean /= count);
    // A second pass, over differences from the mean: the mean of the squares minus the square of the mean
    // would lose all digits where the mean is large.
    sum_rows(rows, variance, |i, sums| {
        for ((sum, &x), &mean) in sums.iter_mut().zip(&values.row(i)[columns.clone()]).zip(&*mean) {
            *sum += (x - mean) * (x - mean);
        }
    });
    variance.iter_mut().for_each(|variance| *variance /= count);
}

/// `grad_gamma = sum grad normalized` and `grad_beta = sum grad` over the rows, for these columns.
#[inline(always)]
fn parameter_gradients(
    grad: MatRef,
    normalized: MatRef,
    columns: Range<usize>,
    grad_gamma: &mut [f32],
    grad_beta: &mut [f32],
) {
    sum_rows(grad.rows(), grad_gamma, |i, sums| {
        let (grad, normalized) =
            (&grad.row(i)[columns.clone()], &normalized.row(i)[columns.clone()]);
        for ((sum, &d), &n) in sums.iter_mut().zip(grad).zip(normalized) {
            *sum += d * n;
        }
    });
    sum_rows(grad.rows(), grad_beta, |i, sums| {
        for (sum, &d) in sums.iter_mut().zip(&grad.row(i)[columns.clone()]) {
            *sum += d;
        }
    });
}

/// `value(j)` for the columns `j` of a panel. On the stack, so that the compiler knows that it overlaps no
/// matrix and vectorizes the loops that use it.
#[inline(always)]
fn panel_of(columns: &Range<usize>, value: impl Fn(usize) -> f32) -> [f32; PANEL] {
    let mut panel = [0.0; PANEL];
    for (at, j) in panel.iter_mut().zip(columns.clone()) {
        *at = value(j);
    }
    panel
}

impl Kernels {
    /// Normalizes every column over its rows, the samples: with the column's `mean` and biased `variance`,
    /// `normalized = (x - mean) / sqrt(variance + epsilon)` and `values = gamma normalized + beta`.
    /// `values` and `normalized` are `[samples x units]`, the other slices have a value for each unit.
    /// Everything except `gamma` and `beta` is overwritten.
    /// Reference: [`crate::reference::batch_norm_forward`].
    ///
    /// Panics where there is no row or sizes differ.
    pub fn batch_norm_forward(
        self,
        values: MatMut,
        gamma: &[f32],
        beta: &[f32],
        epsilon: f32,
        mean: &mut [f32],
        variance: &mut [f32],
        normalized: MatMut,
    ) {
        let columns = values.columns();
        assert!(values.rows() > 0, "no samples to take a mean of");
        assert!(normalized.rows() == values.rows() && normalized.columns() == columns);
        assert!(gamma.len() == columns && beta.len() == columns);
        assert!(mean.len() == columns && variance.len() == columns);
        dispatch!(
            self,
            (
                values: MatMut,
                gamma: &[f32],
                beta: &[f32],
                epsilon: f32,
                mean: &mut [f32],
                variance: &mut [f32],
                normalized: MatMut,
            ),
            |_S| {
                let (mut values, mut normalized) = (values, normalized);
                for panel in panels(values.columns()) {
                    let (mean, variance) = (&mut mean[panel.clone()], &mut variance[panel.clone()]);
                    moments(values.as_ref(), panel.clone(), mean, variance);
                    let first = panel.start;
                    let center = panel_of(&panel, |j| mean[j - first]);
                    let scale =
                        panel_of(&panel, |j| 1.0 / (variance[j - first] + epsilon).sqrt());
                    let (gamma, beta) = (panel_of(&panel, |j| gamma[j]), panel_of(&panel, |j| beta[j]));
                    for i in 0..values.rows() {
                        let x = &mut values.row_mut(i)[panel.clone()];
                        let n = &mut normalized.row_mut(i)[panel.clone()];
                        // All three limits at once: no bounds checks inside.
                        for j in 0..x.len().min(PANEL).min(n.len()) {
                            n[j] = (x[j] - center[j]) * scale[j];
                            x[j] = gamma[j] * n[j] + beta[j];
                        }
                    }
                }
            }
        );
    }

    /// The backward pass of [`Kernels::batch_norm_forward`]: `grad_gamma = sum grad normalized` and
    /// `grad_beta = sum grad` (over the `m` rows, overwritten); then `grad`, the gradient with respect to
    /// the outputs, becomes that with respect to the inputs,
    /// `gamma / sqrt(variance + epsilon) (grad - grad_beta / m - normalized grad_gamma / m)`.
    /// Reference: [`crate::reference::batch_norm_backward`].
    ///
    /// Panics where there is no row or sizes differ.
    pub fn batch_norm_backward(
        self,
        grad: MatMut,
        normalized: MatRef,
        gamma: &[f32],
        variance: &[f32],
        epsilon: f32,
        grad_gamma: &mut [f32],
        grad_beta: &mut [f32],
    ) {
        let columns = grad.columns();
        assert!(grad.rows() > 0, "no samples to take a mean of");
        assert!(normalized.rows() == grad.rows() && normalized.columns() == columns);
        assert!(gamma.len() == columns && variance.len() == columns);
        assert!(grad_gamma.len() == columns && grad_beta.len() == columns);
        dispatch!(
            self,
            (
                grad: MatMut,
                normalized: MatRef,
                gamma: &[f32],
                variance: &[f32],
                epsilon: f32,
                grad_gamma: &mut [f32],
                grad_beta: &mut [f32],
            ),
            |_S| {
                let mut grad = grad;
                let count = grad.rows() as f32;
                for panel in panels(grad.columns()) {
                    let grad_gamma = &mut grad_gamma[panel.clone()];
                    let grad_beta = &mut grad_beta[panel.clone()];
                    // Before `grad` is overwritten: both sums are over the gradient of the outputs.
                    parameter_gradients(
                        grad.as_ref(), normalized, panel.clone(), grad_gamma, grad_beta,
                    );
                    let first = panel.start;
                    let factor = panel_of(&panel, |j| gamma[j] / (variance[j] + epsilon).sqrt());
                    let mean = panel_of(&panel, |j| grad_beta[j - first] / count);
                    let slope = panel_of(&panel, |j| grad_gamma[j - first] / count);
                    for i in 0..grad.rows() {
                        let d = &mut grad.row_mut(i)[panel.clone()];
                        let n = &normalized.row(i)[panel.clone()];
                        for j in 0..d.len().min(PANEL).min(n.len()) {
                            d[j] = factor[j] * (d[j] - mean[j] - n[j] * slope[j]);
                        }
                    }
                }
            }
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    const EPSILON: f32 = 1e-5;

    fn numbers(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|i| (i as f32 * step + step).sin() * 3.0 + 0.5).collect()
    }

    /// Column `j` of a matrix whose rows lie `stride` apart.
    fn column(values: &[f32], rows: usize, stride: usize, j: usize) -> Vec<f64> {
        (0..rows).map(|i| f64::from(values[i * stride + j])).collect()
    }

    fn assert_close(found: &[f64], expected: &[f64], what: &str) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= 2e-5 * (1.0 + e.abs()), "{what}: {f} {e}");
        }
    }

    /// Rows, columns and stride.
    const SHAPES: [(usize, usize, usize); 7] = [
        (1, 1, 1),
        (1, 10, 13),
        (7, 1, 3),
        (13, 10, 10),
        (129, 64, 64),
        (200, 129, 140),
        (1000, 65, 65),
    ];

    fn check_forward(kernels: Kernels, (rows, columns, stride): (usize, usize, usize)) {
        let x = numbers(rows * stride, 0.7);
        let (gamma, beta) = (numbers(columns, 1.1), numbers(columns, 1.9));
        let (mut values, mut normalized) = (x.clone(), vec![9.0; rows * stride]);
        let (mut mean, mut variance) = (vec![9.0; columns], vec![9.0; columns]);
        kernels.batch_norm_forward(
            MatMut::with_stride(&mut values, rows, columns, stride),
            &gamma,
            &beta,
            EPSILON,
            &mut mean,
            &mut variance,
            MatMut::with_stride(&mut normalized, rows, columns, stride),
        );
        for j in 0..columns {
            let (x, epsilon) = (column(&x, rows, stride, j), EPSILON.into());
            let expected = reference::moments(&x);
            assert_close(&[mean[j].into()], &[expected.0], "mean");
            assert_close(&[variance[j].into()], &[expected.1], "variance");
            let found = column(&normalized, rows, stride, j);
            assert_close(&found, &reference::normalize(&x, epsilon), "normalized");
            let expected =
                reference::batch_norm_forward(&x, gamma[j].into(), beta[j].into(), epsilon);
            assert_close(&column(&values, rows, stride, j), &expected, "values");
        }
        for gap in (0..rows * stride).filter(|at| at % stride >= columns) {
            assert!(values[gap] == x[gap] && normalized[gap] == 9.0, "a gap was written");
        }
    }

    fn check_backward(kernels: Kernels, (rows, columns, stride): (usize, usize, usize)) {
        let (gradient, normalized) = (numbers(rows * stride, 0.3), numbers(rows * columns, 0.9));
        let gamma = numbers(columns, 1.1);
        let variance: Vec<f32> = numbers(columns, 1.7).iter().map(|x| x * x).collect();
        let mut grad = gradient.clone();
        let (mut grad_gamma, mut grad_beta) = (vec![9.0; columns], vec![9.0; columns]);
        kernels.batch_norm_backward(
            MatMut::with_stride(&mut grad, rows, columns, stride),
            MatRef::new(&normalized, rows, columns),
            &gamma,
            &variance,
            EPSILON,
            &mut grad_gamma,
            &mut grad_beta,
        );
        for j in 0..columns {
            let expected = reference::batch_norm_backward(
                &column(&gradient, rows, stride, j),
                &column(&normalized, rows, columns, j),
                gamma[j].into(),
                variance[j].into(),
                EPSILON.into(),
            );
            assert_close(&[grad_gamma[j].into()], &[expected.0], "gamma");
            assert_close(&[grad_beta[j].into()], &[expected.1], "beta");
            assert_close(&column(&grad, rows, stride, j), &expected.2, "inputs");
        }
        for gap in (0..rows * stride).filter(|at| at % stride >= columns) {
            assert_eq!(grad[gap], gradient[gap], "a gap was written");
        }
    }

    #[test]
    fn awkward_shapes_match_the_reference() {
        for kernels in Kernels::available() {
            for shape in SHAPES {
                check_forward(kernels, shape);
                check_backward(kernels, shape);
            }
        }
    }

    /// Digits that a variance from sums of squares would lose: the mean is 10,000 standard deviations away.
    #[test]
    fn a_far_mean_does_not_spoil_the_variance() {
        for kernels in Kernels::available() {
            let mut values: Vec<f32> = (0..4096).map(|i| 10_000.0 + (i % 2) as f32 * 2.0).collect();
            let (mut mean, mut variance, mut normalized) = ([0.0], [0.0], vec![0.0; 4096]);
            kernels.batch_norm_forward(
                MatMut::new(&mut values, 4096, 1),
                &[2.0],
                &[1.0],
                0.0,
                &mut mean,
                &mut variance,
                MatMut::new(&mut normalized, 4096, 1),
            );
            assert_eq!((mean, variance), ([10_001.0], [1.0]));
            assert_eq!(values[..2], [-1.0, 3.0]);
        }
    }

    /// The gradients of `sum_i weight_i y_i` against central differences of the reference.
    #[test]
    fn gradients_match_central_differences() {
        let to_f64 = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<f64>>();
        let (x, weight) = (to_f64(numbers(9, 0.7)), to_f64(numbers(9, 1.3)));
        let (gamma, beta, epsilon) = (1.7, -0.4, 1e-3);
        let loss = |x: &[f64], gamma, beta| {
            let values = reference::batch_norm_forward(x, gamma, beta, epsilon);
            values.iter().zip(&weight).map(|(y, w)| y * w).sum::<f64>()
        };
        let (normalized, variance) = (reference::normalize(&x, epsilon), reference::moments(&x).1);
        let (grad_gamma, grad_beta, grad_x) =
            reference::batch_norm_backward(&weight, &normalized, gamma, variance, epsilon);
        let h = 1e-5;
        let slope = |ahead: f64, behind: f64| (ahead - behind) / (2.0 * h);
        let by_gamma = slope(loss(&x, gamma + h, beta), loss(&x, gamma - h, beta));
        let by_beta = slope(loss(&x, gamma, beta + h), loss(&x, gamma, beta - h));
        assert!((grad_gamma - by_gamma).abs() < 1e-8, "{grad_gamma} {by_gamma}");
        assert!((grad_beta - by_beta).abs() < 1e-8, "{grad_beta} {by_beta}");
        for i in 0..x.len() {
            let at = |offset: f64| {
                let mut moved = x.clone();
                moved[i] += offset;
                loss(&moved, gamma, beta)
            };
            let expected = slope(at(h), at(-h));
            assert!((grad_x[i] - expected).abs() < 1e-8, "{} {expected}", grad_x[i]);
        }
    }
}
