//! Everything that happens to weights and gradients besides the optimizer's step: slices of parameters,
//! gradients or averages go in and are changed in place; norms come out.
//!
//! Plain loops, compiled once for each instruction set.

use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};

/// Sums that [`Kernels::sum_of_squares`] keeps: two registers of AVX-512, four of AVX2.
const SUMS: usize = 16;

impl Kernels {
    /// `values *= factors`, element by element. Panics where the lengths differ.
    pub fn multiply(self, values: &mut [f32], factors: &[f32]) {
        assert_eq!(values.len(), factors.len());
        dispatch!(self, (values: &mut [f32], factors: &[f32]), |_S| {
            for (value, &factor) in values.iter_mut().zip(factors) {
                *value *= factor;
            }
        });
    }

    /// `values *= factor`.
    pub fn scale(self, values: &mut [f32], factor: f32) {
        dispatch!(self, (values: &mut [f32], factor: f32), |_S| {
            for value in values {
                *value *= factor;
            }
        });
    }

    /// `sum_i values[i]^2` in double precision, with the same bits on every instruction set: which value goes
    /// into which of the sums is fixed here, and no product needs rounding. Reference: [`crate::reference::sum_of_squares`].
    pub fn sum_of_squares(self, values: &[f32]) -> f64 {
        dispatch!(self, (values: &[f32]) -> f64, |_S| {
            let mut sums = [0.0f64; SUMS];
            let (groups, rest) = values.as_chunks::<SUMS>();
            for group in groups {
                for (sum, &value) in sums.iter_mut().zip(group) {
                    *sum += f64::from(value) * f64::from(value);
                }
            }
            for (sum, &value) in sums.iter_mut().zip(rest) {
                *sum += f64::from(value) * f64::from(value);
            }
            sums.iter().sum()
        })
    }

    /// Adds the gradient of the penalty `l1 sum |w| + l2 / 2 sum w^2`: `g += l1 sign(w) + l2 w`, where the
    /// sign of 0 is 0. Reference: [`crate::reference::penalize`].
    ///
    /// Panics where the lengths differ.
    pub fn penalize(self, gradients: &mut [f32], weights: &[f32], l1: f32, l2: f32) {
        assert_eq!(gradients.len(), weights.len());
        dispatch!(self, (gradients: &mut [f32], weights: &[f32], l1: f32, l2: f32), |_S| {
            for (gradient, &weight) in gradients.iter_mut().zip(weights) {
                let sign = if weight == 0.0 { 0.0 } else { 1.0f32.copysign(weight) };
                *gradient += l1 * sign + l2 * weight;
            }
        });
    }

    /// Clips every value to `-limit ..= limit`. NaN stays NaN, so that a later check finds it.
    /// Reference: [`crate::reference::clamp`].
    ///
    /// Panics where `limit` is negative or NaN.
    pub fn clamp(self, values: &mut [f32], limit: f32) {
        assert!(limit >= 0.0, "a limit of {limit} is not at least 0");
        dispatch!(self, (values: &mut [f32], limit: f32), |_S| {
            for value in values {
                let below = if *value > limit { limit } else { *value };
                *value = if below < -limit { -limit } else { below };
            }
        });
    }

    /// `average = decay average + (1 - decay) value`: a step of an exponential moving average, or mixup.
    /// Reference: [`crate::reference::blend`].
    ///
    /// Panics where the lengths differ.
    pub fn blend(self, averages: &mut [f32], values: &[f32], decay: f32) {
        assert_eq!(averages.len(), values.len());
        dispatch!(self, (averages: &mut [f32], values: &[f32], decay: f32), |_S| {
            for (average, &value) in averages.iter_mut().zip(values) {
                *average = decay * *average + (1.0 - decay) * value;
            }
        });
    }

    /// `values = factor values + other_factor other`. Reference: [`crate::reference::combine`].
    ///
    /// Panics where the lengths differ.
    pub fn combine(self, values: &mut [f32], factor: f32, other: &[f32], other_factor: f32) {
        assert_eq!(values.len(), other.len());
        dispatch!(
            self,
            (values: &mut [f32], factor: f32, other: &[f32], other_factor: f32),
            |_S| {
                for (value, &other) in values.iter_mut().zip(other) {
                    *value = factor * *value + other_factor * other;
                }
            }
        );
    }

    /// `sums[j] += sum_i m_ij^2`, one sum for each column. Reference:
    /// [`crate::reference::add_column_squares`].
    ///
    /// Panics where the number of sums is not the number of columns.
    pub fn add_column_squares(self, matrix: MatRef, sums: &mut [f32]) {
        assert_eq!(matrix.columns(), sums.len());
        dispatch!(self, (matrix: MatRef, sums: &mut [f32]), |_S| {
            for i in 0..matrix.rows() {
                for (sum, &value) in sums.iter_mut().zip(matrix.row(i)) {
                    *sum += value * value;
                }
            }
        });
    }

    /// `m_ij *= factors[j]`. Panics where the number of factors is not the number of columns.
    pub fn scale_columns(self, matrix: MatMut, factors: &[f32]) {
        assert_eq!(matrix.columns(), factors.len());
        dispatch!(self, (matrix: MatMut, factors: &[f32]), |_S| {
            let mut matrix = matrix;
            for i in 0..matrix.rows() {
                for (value, &factor) in matrix.row_mut(i).iter_mut().zip(factors) {
                    *value *= factor;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    const LENGTHS: [usize; 6] = [0, 1, 10, 16, 129, 1000];

    fn numbers(count: usize, step: f32) -> Vec<f32> {
        (0..count).map(|i| if i % 7 == 3 { 0.0 } else { (i as f32 * step).sin() * 2.0 }).collect()
    }

    /// Runs a kernel over vectors of awkward lengths and compares each element with `element`.
    fn check(run: impl Fn(Kernels, &mut [f32], &[f32]), element: impl Fn(f64, f64) -> f64) {
        for kernels in Kernels::available() {
            for len in LENGTHS {
                let (start, other) = (numbers(len, 0.7), numbers(len, 1.3));
                let mut values = start.clone();
                run(kernels, &mut values, &other);
                for i in 0..len {
                    let expected = element(start[i].into(), other[i].into());
                    assert!(
                        (f64::from(values[i]) - expected).abs() < 1e-6,
                        "{kernels:?} {i} of {len}"
                    );
                }
            }
        }
    }

    #[test]
    fn elements_match_the_reference() {
        check(Kernels::multiply, |a, b| a * b);
        check(|kernels, a, _| kernels.scale(a, -0.37), |a, _| a * -0.37);
        check(|kernels, a, _| kernels.clamp(a, 0.5), |a, _| reference::clamp(a, 0.5));
        check(|kernels, a, b| kernels.blend(a, b, 0.9), |a, b| reference::blend(a, b, 0.9));
        check(
            |kernels, a, b| kernels.combine(a, 0.7, b, -0.2),
            |a, b| reference::combine(a, 0.7, b, -0.2),
        );
        for (l1, l2) in [(0.0, 0.0), (0.25, 0.0), (0.0, 0.01), (0.25, 0.01)] {
            check(
                |kernels, a, b| kernels.penalize(a, b, l1, l2),
                |a, b| reference::penalize(a, b, l1.into(), l2.into()),
            );
        }
    }

    #[test]
    fn zeros_of_both_signs_have_no_sign_and_nan_stays() {
        for kernels in Kernels::available() {
            let mut gradients = [1.0; 4];
            kernels.penalize(&mut gradients, &[0.0, -0.0, 2.0, -2.0], 0.5, 0.0);
            assert_eq!(gradients, [1.0, 1.0, 1.5, 0.5]);
            let mut values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.5];
            kernels.clamp(&mut values, 2.0);
            assert!(values[0].is_nan());
            assert_eq!(values[1..], [2.0, -2.0, -0.5]);
        }
    }

    #[test]
    fn sums_of_squares_are_exact_to_double_precision_and_the_same_everywhere() {
        for len in LENGTHS {
            let values = numbers(len, 0.7);
            let expected = reference::sum_of_squares(&values);
            let plain = Kernels::available()[0].sum_of_squares(&values);
            for kernels in Kernels::available() {
                let found = kernels.sum_of_squares(&values);
                assert!((found - expected).abs() <= 1e-14 * expected, "{found} {expected}");
                assert_eq!(found.to_bits(), plain.to_bits());
            }
        }
    }

    #[test]
    fn columns_match_the_reference_and_gaps_stay() {
        for kernels in Kernels::available() {
            for (rows, columns, stride) in [(1, 1, 1), (1, 10, 12), (5, 1, 4), (33, 129, 150)] {
                let start = numbers(rows * stride, 0.9);
                let mut values = start.clone();
                let (mut sums, factors) = (numbers(columns, 0.3), numbers(columns, 1.7));
                let mut expected: Vec<f64> = sums.iter().map(|&sum| sum.into()).collect();
                let mut matrix = MatMut::with_stride(&mut values, rows, columns, stride);
                kernels.add_column_squares(matrix.as_ref(), &mut sums);
                kernels.scale_columns(matrix.reborrow(), &factors);
                for row in start.chunks(stride) {
                    reference::add_column_squares(&row[..columns], &mut expected);
                }
                for j in 0..columns {
                    assert!((f64::from(sums[j]) - expected[j]).abs() < 1e-5 * (1.0 + expected[j]));
                }
                for (at, (found, start)) in values.iter().zip(&start).enumerate() {
                    let factor = factors.get(at % stride).copied().unwrap_or(1.0);
                    assert_eq!(*found, start * factor);
                }
            }
        }
    }
}
