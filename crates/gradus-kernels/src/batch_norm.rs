//! Batch normalisation: every column of a batch gets mean 0 and variance 1, then a scale and a shift
//! that are learnt (Ioffe and Szegedy 2015; docs/maths.md M14).
//!
//! Each strip of columns is finished before the next: of a mini-batch it stays in the nearest cache
//! from one pass over the rows to the other.

use std::ops::Range;

use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};

/// Columns that are worked on together.
const STRIP: usize = 64;

/// Rows that are summed apart before their sum is added to the others': a sum of many thousands of
/// rows then loses no more digits than one of a few hundred.
const BLOCK: usize = 64;

/// The strips of so many columns.
#[inline(always)]
fn strips(columns: usize) -> impl Iterator<Item = Range<usize>> {
    (0..columns).step_by(STRIP).map(move |start| start..columns.min(start + STRIP))
}

/// Sums over the rows, in blocks: `add` adds row `i`'s terms to a block of as many columns as `sums`.
#[inline(always)]
fn sum_rows(rows: usize, sums: &mut [f32], mut add: impl FnMut(usize, &mut [f32])) {
    sums.fill(0.0);
    for start in (0..rows).step_by(BLOCK) {
        let mut block = [0.0; STRIP];
        let block = &mut block[..sums.len()];
        for i in start..rows.min(start + BLOCK) {
            add(i, block);
        }
        for (sum, &part) in sums.iter_mut().zip(&*block) {
            *sum += part;
        }
    }
}

/// Mean and biased variance of these columns, the variance from the distances to the mean.
#[inline(always)]
fn moments(values: MatRef, columns: Range<usize>, mean: &mut [f32], variance: &mut [f32]) {
    let (rows, count) = (values.rows(), values.rows() as f32);
    sum_rows(rows, mean, |i, sums| {
        for (sum, &x) in sums.iter_mut().zip(&values.row(i)[columns.clone()]) {
            *sum += x;
        }
    });
    mean.iter_mut().for_each(|mean| *mean /= count);
    sum_rows(rows, variance, |i, sums| {
        for ((sum, &x), &mean) in sums.iter_mut().zip(&values.row(i)[columns.clone()]).zip(&*mean) {
            *sum += (x - mean) * (x - mean);
        }
    });
    variance.iter_mut().for_each(|variance| *variance /= count);
}

/// `grad_gamma = sum delta normalized` and `grad_beta = sum delta` of these columns.
#[inline(always)]
fn parameter_gradients(
    delta: MatRef,
    normalized: MatRef,
    columns: Range<usize>,
    grad_gamma: &mut [f32],
    grad_beta: &mut [f32],
) {
    sum_rows(delta.rows(), grad_gamma, |i, sums| {
        let (delta, normalized) =
            (&delta.row(i)[columns.clone()], &normalized.row(i)[columns.clone()]);
        for ((sum, &d), &n) in sums.iter_mut().zip(delta).zip(normalized) {
            *sum += d * n;
        }
    });
    sum_rows(delta.rows(), grad_beta, |i, sums| {
        for (sum, &d) in sums.iter_mut().zip(&delta.row(i)[columns.clone()]) {
            *sum += d;
        }
    });
}

/// A strip's part of a vector, or what `value` makes of its elements, on the stack: the compiler then
/// knows that it overlaps no matrix.
#[inline(always)]
fn strip_of(columns: &Range<usize>, value: impl Fn(usize) -> f32) -> [f32; STRIP] {
    let mut strip = [0.0; STRIP];
    for (at, j) in strip.iter_mut().zip(columns.clone()) {
        *at = value(j);
    }
    strip
}

impl Kernels {
    /// Normalises every column over the rows (the samples): with `mean` and biased `variance` of the
    /// column, `normalized = (x - mean) / sqrt(variance + epsilon)` and
    /// `values = gamma normalized + beta`. Everything but `gamma` and `beta` is overwritten.
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
        assert!(values.rows() > 0, "no sample to take a mean of");
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
                for strip in strips(values.columns()) {
                    let (mean, variance) = (&mut mean[strip.clone()], &mut variance[strip.clone()]);
                    moments(values.as_ref(), strip.clone(), mean, variance);
                    let first = strip.start;
                    let center = strip_of(&strip, |j| mean[j - first]);
                    let scale =
                        strip_of(&strip, |j| 1.0 / (variance[j - first] + epsilon).sqrt());
                    let (gamma, beta) = (strip_of(&strip, |j| gamma[j]), strip_of(&strip, |j| beta[j]));
                    for i in 0..values.rows() {
                        let x = &mut values.row_mut(i)[strip.clone()];
                        let n = &mut normalized.row_mut(i)[strip.clone()];
                        for j in 0..x.len().min(STRIP).min(n.len()) {
                            n[j] = (x[j] - center[j]) * scale[j];
                            x[j] = gamma[j] * n[j] + beta[j];
                        }
                    }
                }
            }
        );
    }

    /// The way back through [`Kernels::batch_norm_forward`]: `grad_gamma = sum delta normalized`,
    /// `grad_beta = sum delta` (sums over the rows, overwritten), and the gradient of the outputs
    /// becomes that of the inputs,
    /// `delta = gamma / sqrt(variance + epsilon) (delta - grad_beta / m - normalized grad_gamma / m)`
    /// for `m` rows. Reference: [`crate::reference::batch_norm_backward`].
    ///
    /// Panics where there is no row or sizes differ.
    pub fn batch_norm_backward(
        self,
        delta: MatMut,
        normalized: MatRef,
        gamma: &[f32],
        variance: &[f32],
        epsilon: f32,
        grad_gamma: &mut [f32],
        grad_beta: &mut [f32],
    ) {
        let columns = delta.columns();
        assert!(delta.rows() > 0, "no sample to take a mean of");
        assert!(normalized.rows() == delta.rows() && normalized.columns() == columns);
        assert!(gamma.len() == columns && variance.len() == columns);
        assert!(grad_gamma.len() == columns && grad_beta.len() == columns);
        dispatch!(
            self,
            (
                delta: MatMut,
                normalized: MatRef,
                gamma: &[f32],
                variance: &[f32],
                epsilon: f32,
                grad_gamma: &mut [f32],
                grad_beta: &mut [f32],
            ),
            |_S| {
                let mut delta = delta;
                let count = delta.rows() as f32;
                for strip in strips(delta.columns()) {
                    let grad_gamma = &mut grad_gamma[strip.clone()];
                    let grad_beta = &mut grad_beta[strip.clone()];
                    parameter_gradients(
                        delta.as_ref(), normalized, strip.clone(), grad_gamma, grad_beta,
                    );
                    let first = strip.start;
                    let factor = strip_of(&strip, |j| gamma[j] / (variance[j] + epsilon).sqrt());
                    let mean = strip_of(&strip, |j| grad_beta[j - first] / count);
                    let slope = strip_of(&strip, |j| grad_gamma[j - first] / count);
                    for i in 0..delta.rows() {
                        let d = &mut delta.row_mut(i)[strip.clone()];
                        let n = &normalized.row(i)[strip.clone()];
                        for j in 0..d.len().min(STRIP).min(n.len()) {
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
            let (scale, shift) = (gamma[j].into(), beta[j].into());
            let expected = reference::batch_norm_forward(
                &column(&x, rows, stride, j),
                scale,
                shift,
                EPSILON.into(),
            );
            assert_close(&[mean[j].into()], &[expected.mean], "mean");
            assert_close(&[variance[j].into()], &[expected.variance], "variance");
            let found = column(&normalized, rows, stride, j);
            assert_close(&found, &expected.normalized, "normalized");
            assert_close(&column(&values, rows, stride, j), &expected.values, "values");
        }
        for gap in (0..rows * stride).filter(|at| at % stride >= columns) {
            assert!(values[gap] == x[gap] && normalized[gap] == 9.0, "a gap was written");
        }
    }

    fn check_backward(kernels: Kernels, (rows, columns, stride): (usize, usize, usize)) {
        let (gradient, normalized) = (numbers(rows * stride, 0.3), numbers(rows * columns, 0.9));
        let gamma = numbers(columns, 1.1);
        let variance: Vec<f32> = numbers(columns, 1.7).iter().map(|x| x * x).collect();
        let mut delta = gradient.clone();
        let (mut grad_gamma, mut grad_beta) = (vec![9.0; columns], vec![9.0; columns]);
        kernels.batch_norm_backward(
            MatMut::with_stride(&mut delta, rows, columns, stride),
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
            assert_close(&[grad_gamma[j].into()], &[expected.gamma], "gamma");
            assert_close(&[grad_beta[j].into()], &[expected.beta], "beta");
            assert_close(&column(&delta, rows, stride, j), &expected.inputs, "inputs");
        }
        for gap in (0..rows * stride).filter(|at| at % stride >= columns) {
            assert_eq!(delta[gap], gradient[gap], "a gap was written");
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

    /// Digits that a variance from sums of squares would lose: the mean is 10,000 deviations away.
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
            let values = reference::batch_norm_forward(x, gamma, beta, epsilon).values;
            values.iter().zip(&weight).map(|(y, w)| y * w).sum::<f64>()
        };
        let kept = reference::batch_norm_forward(&x, gamma, beta, epsilon);
        let found = reference::batch_norm_backward(
            &weight,
            &kept.normalized,
            gamma,
            kept.variance,
            epsilon,
        );
        let h = 1e-5;
        let slope = |ahead: f64, behind: f64| (ahead - behind) / (2.0 * h);
        let by_gamma = slope(loss(&x, gamma + h, beta), loss(&x, gamma - h, beta));
        let by_beta = slope(loss(&x, gamma, beta + h), loss(&x, gamma, beta - h));
        assert!((found.gamma - by_gamma).abs() < 1e-8, "{} {by_gamma}", found.gamma);
        assert!((found.beta - by_beta).abs() < 1e-8, "{} {by_beta}", found.beta);
        for i in 0..x.len() {
            let at = |offset: f64| {
                let mut moved = x.clone();
                moved[i] += offset;
                loss(&moved, gamma, beta)
            };
            let expected = slope(at(h), at(-h));
            assert!((found.inputs[i] - expected).abs() < 1e-8, "{} {expected}", found.inputs[i]);
        }
    }
}
