//! Losses that are sums over the outputs of a sample (docs/maths.md M21 and M24): outputs and targets go in, losses and
//! the gradients of the outputs come out.

use crate::dispatch::{Kernels, dispatch};
use crate::elementwise::exp;
use crate::matrix::{MatMut, MatRef};

/// The loss `l(y, t)` of one output `y` with target `t`, with a constant `p` of the output for some. `e = y - t`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLoss {
    /// `e^2 / 2`.
    Squared,
    /// Half the Poisson deviance of the prediction `e^y`: `t (r' - 1 - r)` with `r = y - ln t` and `r' = e^r` for a target
    /// above 0, `e^y` for a target of 0. Its derivative is `e^y - t`.
    Poisson,
    /// `e^2 / 2` up to `|e| = p`, `p (|e| - p / 2)` beyond (Huber 1964).
    Huber,
    /// `|e|`; its derivative at 0 is 0.
    Absolute,
    /// The pinball loss of quantile `p`: `-p e` for an output below its target, `(1 - p) e` above (Koenker and Bassett
    /// 1978); its derivative at 0 is 0.
    Quantile,
    /// Binary cross-entropy of the probability `1 / (1 + e^-y)`: `max(y, 0) - y t + ln(1 + e^-|y|)`.
    BinaryCrossEntropy,
}

/// What the outputs of some rows are compared with, and how the losses of a row are summed.
#[derive(Clone, Copy)]
pub struct OutputTargets<'a> {
    /// A target for each output.
    pub targets: MatRef<'a>,
    /// A factor for each row; all are 1 without them.
    pub weights: Option<&'a [f32]>,
    /// The constant `p` of each output's loss; not looked at by losses without one.
    pub constants: &'a [f32],
    /// A factor for each output in the loss.
    pub loss_factors: &'a [f32],
    /// A factor for each output in the gradient: another one where losses are reported in other units.
    pub grad_factors: &'a [f32],
}

impl OutputLoss {
    /// Loss and derivative.
    #[inline(always)]
    fn of(self, output: f32, target: f32, constant: f32) -> (f32, f32) {
        let error = output - target;
        match self {
            OutputLoss::Squared => (0.5 * error * error, error),
            OutputLoss::Poisson => {
                let mean = exp(output);
                (poisson_deviance(output, target), mean - target)
            }
            OutputLoss::Huber => {
                let size = error.abs();
                let loss = match size <= constant {
                    true => 0.5 * error * error,
                    false => constant * (size - 0.5 * constant),
                };
                (loss, error.clamp(-constant, constant))
            }
            OutputLoss::Absolute => (error.abs(), sign(error)),
            OutputLoss::Quantile => {
                let slope = if error > 0.0 { 1.0 - constant } else { -constant };
                (slope * error, if error == 0.0 { 0.0 } else { slope })
            }
            OutputLoss::BinaryCrossEntropy => {
                // Of -|y|, so that nothing overflows and no digit of a small probability is lost.
                let small = exp(-output.abs());
                let loss = output.max(0.0) - output * target + small.ln_1p();
                let part = 1.0 / (1.0 + small);
                let probability = if output >= 0.0 { part } else { small * part };
                (loss, probability - target)
            }
        }
    }
}

/// -1, 0 or 1. NaN stays NaN, so that a run that diverges is noticed.
#[inline(always)]
fn sign(error: f32) -> f32 {
    if error == 0.0 { 0.0 } else { error.signum() }
}

/// `t (e^r - 1 - r)`, in double precision: near the target, the difference of its terms is small. The output is limited
/// as [`exp`] limits it.
#[inline(always)]
fn poisson_deviance(output: f32, target: f32) -> f32 {
    let (output, target) = (f64::from(output.clamp(-87.3, 88.0)), f64::from(target));
    if target > 0.0 {
        let r = output - target.ln();
        (target * (r.exp_m1() - r)) as f32
    } else {
        output.exp() as f32
    }
}

impl Kernels {
    /// The losses of each row `i`, summed over its outputs: `losses[i] = w_i sum_j f_j l(y_ij, t_ij)`, with the
    /// `loss_factors` `f`. Replaces `outputs`, `[samples x m]`, by their gradient, `grad_scale w_i g_j l'(y_ij, t_ij)`,
    /// with the `grad_factors` `g`; `grad_scale` is 1 over the number of samples in the mean. Reference:
    /// [`crate::reference::output_losses`].
    ///
    /// Panics where the sizes differ.
    pub fn output_losses(
        self,
        loss: OutputLoss,
        outputs: MatMut,
        against: OutputTargets,
        grad_scale: f32,
        losses: &mut [f32],
    ) {
        let (rows, columns) = (outputs.rows(), outputs.columns());
        let OutputTargets { targets, weights, constants, loss_factors, grad_factors } = against;
        assert!(targets.rows() == rows && losses.len() == rows && targets.columns() == columns);
        assert!(weights.is_none_or(|weights| weights.len() == rows));
        let by_output = [constants, loss_factors, grad_factors];
        assert!(by_output.iter().all(|values| values.len() == columns));
        dispatch!(
            self,
            (loss: OutputLoss, outputs: MatMut, against: OutputTargets, grad_scale: f32, losses: &mut [f32]),
            |_S| {
                let mut outputs = outputs;
                let OutputTargets { targets, weights, constants, loss_factors, grad_factors } = against;
                for (i, total) in losses.iter_mut().enumerate() {
                    let weight = weights.map_or(1.0, |weights| weights[i]);
                    let scale = weight * grad_scale;
                    let mut sum = 0.0;
                    for (j, (value, &target)) in
                        outputs.row_mut(i).iter_mut().zip(targets.row(i)).enumerate()
                    {
                        let (found, slope) = loss.of(*value, target, constants[j]);
                        sum += loss_factors[j] * found;
                        *value = slope * (grad_factors[j] * scale);
                    }
                    *total = weight * sum;
                }
            }
        );
    }

    /// Replaces values by `e^x`, limited below the largest number of single precision. Reference: the exponential
    /// function.
    pub fn exponential(self, values: &mut [f32]) {
        dispatch!(self, (values: &mut [f32]), |_S| {
            for value in values.iter_mut() {
                *value = exp(*value);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OutputLoss; 6] = [
        OutputLoss::Squared,
        OutputLoss::Poisson,
        OutputLoss::Huber,
        OutputLoss::Absolute,
        OutputLoss::Quantile,
        OutputLoss::BinaryCrossEntropy,
    ];

    /// Central differences of the loss.
    #[test]
    fn derivatives_are_slopes() {
        for loss in ALL {
            for output in [-3.0f32, -0.7, 0.2, 1.5, 4.0] {
                for target in [0.0, 0.4, 1.0] {
                    let step = 1e-2;
                    let at = |output: f32| f64::from(loss.of(output, target, 0.3).0);
                    let slope = (at(output + step) - at(output - step)) / (2.0 * f64::from(step));
                    let found = f64::from(loss.of(output, target, 0.3).1);
                    let error = (found - slope).abs() / (1.0 + slope.abs());
                    assert!(error < 2e-3, "{loss:?} {output} {target}: {found} {slope}");
                }
            }
        }
    }

    #[test]
    fn the_ends_of_the_numbers_are_finite() {
        for loss in ALL {
            for (output, target) in [(1e30f32, 0.0), (-1e30, 1.0), (0.0, 0.0), (88.0, 3e8)] {
                let (found, slope) = loss.of(output, target, 0.3);
                let squares = loss == OutputLoss::Squared;
                assert!((found.is_finite() || squares) && slope.is_finite(), "{loss:?} {output}");
            }
            let (found, slope) = loss.of(f32::NAN, 1.0, 0.3);
            assert!(found.is_nan() || slope.is_nan(), "{loss:?} hides NaN");
        }
        // Right at the target, the deviance is exactly 0.
        assert_eq!(OutputLoss::Poisson.of(0.0, 1.0, 0.0).0, 0.0);
    }
}
