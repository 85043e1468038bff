//! Element-wise kernels: slices go in and are replaced by activations (docs/maths.md M3), multiplied by
//! derivatives, or converted to bytes.
//!
//! These are plain loops, compiled once for each instruction set. The compiler vectorizes them because
//! none of them branches: where values differ in kind, both results are computed and one is selected. The
//! derivatives take the activation's *output* wherever that is enough, so that its input need not be
//! saved for the backward pass.

use crate::dispatch::{Kernels, dispatch};

/// `e^x` without branches, relative error below 2e-7; 0 below -87.3, constant above 88.
///
/// `e^x = 2^n e^r` with `x = n ln 2 + r` and `|r| <= ln 2 / 2`: a polynomial for `e^r`, and `n` put into
/// the exponent bits. (The standard library's `exp` is a call for each value.)
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// ln 2 in two parts: `n * LN2_HIGH` is exact, since LN2_HIGH has few bits.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Adding and subtracting 1.5 * 2^23 rounds to the nearest integer: no bits are left for a fraction.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.3, 88.0);
    let rounded = clamped * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (clamped - n * LN2_HIGH) - n * LN2_LOW;
    let mut p = 1.987_569_1e-4f32;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_6e-1;
    p = p * r + 0.5;
    // `n` is in the last bits of `rounded`, too: a conversion, which has to care about NaN, would be made value by value.
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23));
    let value = (p * r * r + r + 1.0) * power;
    if x < -87.3 { 0.0 } else { value }
}

/// `tanh x` without branches, absolute error below 2e-7 and relative error below 1e-6.
#[inline(always)]
fn tanh_of(x: f32) -> f32 {
    let square = x * x;
    // Near 0, `1 - e` below loses digits: there the Taylor polynomial is taken.
    let small = x
        * (1.0
            + square
                * (-0.333_333_33
                    + square
                        * (0.133_333_33 + square * (-0.053_968_254 + square * 0.021_869_488))));
    // Of -2 |x|, so that nothing overflows.
    let e = exp(-2.0 * x.abs());
    let large = ((1.0 - e) / (1.0 + e)).copysign(x);
    if square < 0.04 { small } else { large }
}

/// `e^x - 1` without branches, for `x` up to 0: absolute error below 2e-7 and relative error below 1e-6.
#[inline(always)]
fn exp_less_one(x: f32) -> f32 {
    // Near 0, `e - 1` below loses digits: there the Taylor polynomial is taken.
    let small = x
        * (1.0
            + x * (0.5
                + x * (0.166_666_67
                    + x * (0.041_666_668 + x * (0.008_333_334 + x * 0.001_388_888_9)))));
    let large = exp(x) - 1.0;
    if x > -0.25 { small } else { large }
}

/// The constants of SELU: with them, mean 0 and variance 1 are a fixed point (Klambauer et al. 2017).
const SELU_SCALE: f32 = 1.050_700_987_355_480_5_f64 as f32;
const SELU_SCALE_ALPHA: f32 = (1.050_700_987_355_480_5_f64 * 1.673_263_242_354_377_2) as f32;

/// `1 / (1 + e^-x)`.
#[inline(always)]
fn sigmoid_of(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The normal distribution function, `(1 + erf(x / sqrt 2)) / 2`, absolute error below 2e-7
/// (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn normal_cdf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let p = t
        * (0.254_829_6
            + t * (-0.284_496_72 + t * (1.421_413_8 + t * (-1.453_152_1 + t * 1.061_405_4))));
    let tail = 0.5 * p * exp(-z * z);
    if x < 0.0 { tail } else { 1.0 - tail }
}

/// The derivative of `x Phi(x)`.
#[inline(always)]
fn gelu_slope(x: f32) -> f32 {
    const INVERSE_SQRT_TAU: f32 = 0.398_942_3;
    normal_cdf(x) + x * INVERSE_SQRT_TAU * exp(-0.5 * x * x)
}

/// The derivative of `x / (1 + e^-x)`.
#[inline(always)]
fn silu_slope(x: f32) -> f32 {
    let sigmoid = sigmoid_of(x);
    sigmoid * (1.0 + x * (1.0 - sigmoid))
}

/// `tanh(ln(1 + e^x))` with one exponential: `n / (n + 2)` with `n = e^x (e^x + 2)`. Beyond 20 it is 1 within a
/// rounding error, and `n` must not overflow.
#[inline(always)]
fn mish_gate(x: f32) -> f32 {
    let e = exp(x.min(20.0));
    let n = e * (e + 2.0);
    n / (n + 2.0)
}

/// The derivative of `x tanh(ln(1 + e^x))`: `t + x s (1 - t^2)`, where `t` is the hyperbolic tangent, `s` the sigmoid of
/// `x`, and `1 - t^2 = 4 (n + 1) / (n + 2)^2`.
#[inline(always)]
fn mish_slope(x: f32) -> f32 {
    // Beyond 20 the second part is nothing beside the first, which is 1; it must not grow with x.
    let x = x.min(20.0);
    let e = exp(x);
    let n = e * (e + 2.0);
    let rest = 1.0 / (n + 2.0);
    let slope = x * (e / (1.0 + e)) * (4.0 * (n + 1.0) * rest) * rest;
    n * rest + slope
}

macro_rules! in_place {
    ($($(#[$doc:meta])* $name:ident($x:ident) = $value:expr;)*) => {
        impl Kernels {$(
            $(#[$doc])*
            pub fn $name(self, values: &mut [f32]) {
                dispatch!(self, (values: &mut [f32]), |_S| {
                    for value in values {
                        let $x = *value;
                        *value = $value;
                    }
                });
            }
        )*}
    };
}

in_place! {
    /// `x = max(0, x)`
    relu(x) = if x > 0.0 { x } else { 0.0 };
    /// `x = tanh(x)`
    tanh(x) = tanh_of(x);
    /// `x = 1 / (1 + e^-x)`
    sigmoid(x) = sigmoid_of(x);
    /// `x = x Phi(x)` with the normal distribution function Phi: GELU
    gelu(x) = x * normal_cdf(x);
    /// `x = scale x` where it is positive, else `x = scale alpha (e^x - 1)`, with the constants of SELU
    selu(x) = if x > 0.0 { SELU_SCALE * x } else { SELU_SCALE_ALPHA * exp_less_one(x) };
    /// `x = x / (1 + e^-x)`: SiLU, also called swish
    silu(x) = x * sigmoid_of(x);
    /// `x = x tanh(ln(1 + e^x))`: Mish
    mish(x) = x * mish_gate(x);
}

macro_rules! derivative {
    ($($(#[$doc:meta])* $name:ident($y:ident) = $slope:expr;)*) => {
        impl Kernels {$(
            $(#[$doc])*
            ///
            /// Panics where the lengths differ.
            pub fn $name(self, saved: &[f32], grad: &mut [f32]) {
                assert_eq!(saved.len(), grad.len());
                dispatch!(self, (saved: &[f32], grad: &mut [f32]), |_S| {
                    for (grad, &$y) in grad.iter_mut().zip(saved) {
                        *grad *= $slope;
                    }
                });
            }
        )*}
    };
}

derivative! {
    /// `grad *= 1` where the saved output is positive, else `grad *= 0`.
    relu_backward(y) = if y > 0.0 { 1.0 } else { 0.0 };
    /// `grad *= 1 - y^2` with the saved output `y`.
    tanh_backward(y) = 1.0 - y * y;
    /// `grad *= y (1 - y)` with the saved output `y`.
    sigmoid_backward(y) = y * (1.0 - y);
    /// `grad *= Phi(x) + x phi(x)` with the saved *input* `x`: the output does not determine it.
    gelu_backward(y) = gelu_slope(y);
    /// `grad *= scale` where the saved output `y` is positive, else `grad *= y + scale alpha`: SELU.
    selu_backward(y) = if y > 0.0 { SELU_SCALE } else { y + SELU_SCALE_ALPHA };
    /// `grad *= s (1 + x (1 - s))` with `s = 1 / (1 + e^-x)` of the saved *input* `x`: the output does not determine
    /// it.
    silu_backward(y) = silu_slope(y);
    /// `grad *= t + x s (1 - t^2)` with `t = tanh(ln(1 + e^x))` and `s = 1 / (1 + e^-x)` of the saved *input* `x`: the
    /// output does not determine it.
    mish_backward(y) = mish_slope(y);
}

impl Kernels {
    /// `x = x` where it is positive, else `x = slope x`.
    pub fn leaky_relu(self, values: &mut [f32], slope: f32) {
        dispatch!(self, (values: &mut [f32], slope: f32), |_S| {
            for value in values {
                *value = if *value > 0.0 { *value } else { slope * *value };
            }
        });
    }

    /// `grad *= 1` where the saved output is positive, else `grad *= slope`. `slope` must not be negative:
    /// then the output has the sign of the input.
    ///
    /// Panics where the lengths differ.
    pub fn leaky_relu_backward(self, saved: &[f32], grad: &mut [f32], slope: f32) {
        assert_eq!(saved.len(), grad.len());
        dispatch!(self, (saved: &[f32], grad: &mut [f32], slope: f32), |_S| {
            for (grad, &y) in grad.iter_mut().zip(saved) {
                *grad *= if y > 0.0 { 1.0 } else { slope };
            }
        });
    }

    /// `x = x` where it is positive, else `x = alpha (e^x - 1)`: ELU.
    pub fn elu(self, values: &mut [f32], alpha: f32) {
        dispatch!(self, (values: &mut [f32], alpha: f32), |_S| {
            for value in values {
                let x = *value;
                *value = if x > 0.0 { x } else { alpha * exp_less_one(x) };
            }
        });
    }

    /// `grad *= 1` where the saved output `y` is positive, else `grad *= y + alpha`: ELU. `alpha` must not be
    /// negative: then the output has the sign of the input.
    ///
    /// Panics where the lengths differ.
    pub fn elu_backward(self, saved: &[f32], grad: &mut [f32], alpha: f32) {
        assert_eq!(saved.len(), grad.len());
        dispatch!(self, (saved: &[f32], grad: &mut [f32], alpha: f32), |_S| {
            for (grad, &y) in grad.iter_mut().zip(saved) {
                *grad *= if y > 0.0 { 1.0 } else { y + alpha };
            }
        });
    }

    /// `bytes = values * scale`, if all of these are whole numbers from 0 to 255 up to rounding (a relative
    /// error of 4e-7). If not, returns false, and what `bytes` holds has no meaning. For images that were
    /// bytes before someone divided them by 255. Reference: [`crate::reference::to_bytes`].
    ///
    /// Panics where the lengths differ.
    pub fn to_bytes(self, values: &[f32], scale: f32, bytes: &mut [u8]) -> bool {
        assert_eq!(values.len(), bytes.len());
        dispatch!(self, (values: &[f32], scale: f32, bytes: &mut [u8]) -> bool, |_S| {
            /// Adding 1.5 * 2^23 rounds to a whole number, whose bits are then the lowest ones.
            const ROUND: f32 = 12_582_912.0;
            // No early exit within a block, so that the compiler can vectorize it; one between blocks, so
            // that other data are found out after 1,024 values.
            values.chunks(1024).zip(bytes.chunks_mut(1024)).all(|(values, bytes)| {
                let mut sound = true;
                for (value, byte) in values.iter().zip(bytes) {
                    let scaled = value * scale;
                    let shifted = scaled + ROUND;
                    let whole = shifted - ROUND;
                    *byte = shifted.to_bits() as u8;
                    sound &= (scaled - whole).abs() <= 4e-7 * whole && whole <= 255.0;
                }
                sound
            })
        })
    }

    /// `sums += a * b`, element by element. Reference: [`crate::reference::add_products`]. Panics where the lengths
    /// differ.
    pub fn add_products(self, sums: &mut [f32], a: &[f32], b: &[f32]) {
        assert!(sums.len() == a.len() && sums.len() == b.len());
        dispatch!(self, (sums: &mut [f32], a: &[f32], b: &[f32]), |_S| {
            for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
                *sum += a * b;
            }
        });
    }

    /// `values = x + strengths (values - x)`, element by element: each unit's share of an activation, of whose inputs `x`
    /// the outputs are `values`. Reference: [`crate::reference::strengthen`].
    ///
    /// Panics where the lengths differ.
    pub fn strengthen(self, values: &mut [f32], x: &[f32], strengths: &[f32]) {
        assert!(values.len() == x.len() && values.len() == strengths.len());
        dispatch!(self, (values: &mut [f32], x: &[f32], strengths: &[f32]), |_S| {
            for ((value, &x), &strength) in values.iter_mut().zip(x).zip(strengths) {
                *value = x + strength * (*value - x);
            }
        });
    }

    /// The part of the backward pass of [`Self::strengthen`] that does not depend on the activation: `grad_strengths += grad
    /// (values - x)` for the outputs `values` of the activation itself, `through = strengths grad`, which goes on through
    /// its derivative, and `grad -= through`, which goes past it. Reference: [`crate::reference::strengthen_backward`].
    ///
    /// Panics where the lengths differ.
    pub fn strengthen_backward(
        self,
        (values, x): (&[f32], &[f32]),
        strengths: &[f32],
        grad: &mut [f32],
        through: &mut [f32],
        grad_strengths: &mut [f32],
    ) {
        let length = values.len();
        assert!(length == x.len() && length == strengths.len() && length == grad.len());
        assert!(length == through.len() && length == grad_strengths.len());
        dispatch!(
            self,
            (
                values: &[f32],
                x: &[f32],
                strengths: &[f32],
                grad: &mut [f32],
                through: &mut [f32],
                grad_strengths: &mut [f32]
            ),
            |_S| {
                let of_activation = values.iter().zip(x).zip(strengths);
                let gradients = grad.iter_mut().zip(through).zip(grad_strengths);
                for (((&value, &x), &strength), ((grad, through), sum)) in of_activation.zip(gradients) {
                    *sum += *grad * (value - x);
                    *through = strength * *grad;
                    *grad -= *through;
                }
            }
        );
    }

    /// `sums += values`. Panics where the lengths differ.
    pub fn add(self, sums: &mut [f32], values: &[f32]) {
        assert_eq!(sums.len(), values.len());
        dispatch!(self, (sums: &mut [f32], values: &[f32]), |_S| {
            for (sum, &value) in sums.iter_mut().zip(values) {
                *sum += value;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_inputs() -> impl Iterator<Item = f32> {
        (-20_000..20_000).map(|i| i as f32 * 0.005)
    }

    #[test]
    fn exp_is_exact_to_a_few_units_in_the_last_place() {
        for x in all_inputs().filter(|x| (-87.0..88.0).contains(x)) {
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2e-7, "{x}");
        }
        assert_eq!((exp(0.0), exp(-1000.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan() && exp(1000.0) > 1e38);
    }

    /// erf by its series, in double precision, for |x| below 6.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn exact_selu(x: f64) -> f64 {
        let (scale, alpha) = (1.050_700_987_355_480_5, 1.673_263_242_354_377_2);
        scale * if x > 0.0 { x } else { alpha * x.exp_m1() }
    }

    #[test]
    fn activations_match_double_precision() {
        for kernels in Kernels::available() {
            let inputs: Vec<f32> = all_inputs().collect();
            let check = |run: fn(Kernels, &mut [f32]), exact: fn(f64) -> f64, limit: f32| {
                let mut values: Vec<f32> =
                    inputs.iter().copied().filter(|x| x.abs() <= limit).collect();
                let at = values.clone();
                run(kernels, &mut values);
                for (x, y) in at.iter().zip(&values) {
                    let exact = exact(f64::from(*x));
                    let error = (f64::from(*y) - exact).abs();
                    assert!(error < 1e-6 * exact.abs().max(0.3), "{:?} {x}: {y} {exact}", kernels);
                }
            };
            check(Kernels::relu, |x| x.max(0.0), 100.0);
            check(|k, x| k.leaky_relu(x, 0.01), |x| x.max(0.01 * x), 100.0);
            check(|k, x| k.leaky_relu(x, 0.3), |x| x.max(0.3 * x), 100.0);
            check(Kernels::tanh, f64::tanh, 100.0);
            check(Kernels::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 100.0);
            check(|k, x| k.elu(x, 1.0), |x| if x > 0.0 { x } else { x.exp_m1() }, 100.0);
            check(|k, x| k.elu(x, 0.3), |x| if x > 0.0 { x } else { 0.3 * x.exp_m1() }, 100.0);
            check(Kernels::selu, exact_selu, 100.0);
            check(Kernels::silu, |x| x / (1.0 + (-x).exp()), 100.0);
            check(Kernels::mish, |x| x * x.exp().ln_1p().tanh(), 100.0);
            check(Kernels::gelu, |x| x * 0.5 * (1.0 + erf(x / 2f64.sqrt())), 5.0);
        }
    }

    /// Each derivative against a central difference of its activation, in double precision.
    #[test]
    fn derivatives_match_central_differences() {
        type Forward = fn(Kernels, &mut [f32]);
        type Backward = fn(Kernels, &[f32], &mut [f32]);
        type Exact = fn(f64) -> f64;
        let cases: [(Forward, Backward, bool, Exact); 10] = [
            (Kernels::relu, Kernels::relu_backward, false, |x| x.max(0.0)),
            (
                |k, x| k.leaky_relu(x, 0.01),
                |k, y, grad| k.leaky_relu_backward(y, grad, 0.01),
                false,
                |x| x.max(0.01 * x),
            ),
            (
                |k, x| k.leaky_relu(x, 0.3),
                |k, y, grad| k.leaky_relu_backward(y, grad, 0.3),
                false,
                |x| x.max(0.3 * x),
            ),
            (Kernels::tanh, Kernels::tanh_backward, false, f64::tanh),
            (Kernels::sigmoid, Kernels::sigmoid_backward, false, |x| 1.0 / (1.0 + (-x).exp())),
            (
                |k, x| k.elu(x, 0.3),
                |k, y, grad| k.elu_backward(y, grad, 0.3),
                false,
                |x| if x > 0.0 { x } else { 0.3 * x.exp_m1() },
            ),
            (Kernels::selu, Kernels::selu_backward, false, exact_selu),
            (Kernels::silu, Kernels::silu_backward, true, |x| x / (1.0 + (-x).exp())),
            (Kernels::mish, Kernels::mish_backward, true, |x| x * x.exp().ln_1p().tanh()),
            (Kernels::gelu, Kernels::gelu_backward, true, |x| {
                x * 0.5 * (1.0 + erf(x / 2f64.sqrt()))
            }),
        ];
        for kernels in Kernels::available() {
            for (forward, backward, from_input, exact) in cases {
                let inputs: Vec<f32> = (-80..80).map(|i| i as f32 * 0.05 + 0.011).collect();
                let mut saved = inputs.clone();
                if !from_input {
                    forward(kernels, &mut saved);
                }
                let mut grad = vec![2.0; inputs.len()];
                backward(kernels, &saved, &mut grad);
                for (x, slope) in inputs.iter().zip(&grad) {
                    let (x, h) = (f64::from(*x), 1e-5);
                    let expected = (exact(x + h) - exact(x - h)) / h;
                    assert!((f64::from(*slope) - expected).abs() < 2e-5, "{x} {slope} {expected}");
                }
            }
        }
    }

    #[test]
    fn mish_far_from_0_is_x_or_0() {
        for kernels in Kernels::available() {
            let inputs = [-1e30, -200.0, -90.0, -30.0, 19.0, 21.0, 90.0, 1e30];
            let (mut values, mut slopes) = (inputs, [1.0; 8]);
            kernels.mish(&mut values);
            kernels.mish_backward(&inputs, &mut slopes);
            for ((x, value), slope) in inputs.into_iter().zip(values).zip(slopes) {
                let limit = if x > 0.0 { (x, 1.0) } else { (0.0, 0.0) };
                let errors = ((value - limit.0).abs(), (slope - limit.1 as f32).abs());
                assert!(
                    errors.0 <= 1e-6 * limit.0.max(1e-5) && errors.1 < 1e-6,
                    "{x} {value} {slope}"
                );
            }
        }
    }
}
