//! The periodic embedding of a number (docs/maths.md M28): cosines of several frequencies and phases, and a linear
//! map of them.
//!
//! In: a number for each sample. Out: a few numbers for each, or the gradients of the embedding's parameters. The
//! samples are the lanes (of a single one the frequencies): each cosine is computed for [`LANES`] of them at a time, in plain
//! loops that the compiler vectorizes.

use std::f32::consts::TAU;

use crate::dispatch::{Kernels, dispatch};

/// Samples that are computed together; the lengths of all rows of samples are multiples of it.
pub const LANES: usize = 16;

/// Most outputs of an embedding.
pub const MOST_OUTPUTS: usize = 16;

/// The parameters of an embedding: `e_j = bias_j + sum_k mix_kj cos(2 pi frequency_k x + phase_k)`. As the target of
/// gradients, what each gradient is added to.
#[derive(Debug, Clone, Copy)]
pub struct Periodic<T> {
    /// Turns for a unit of `x`.
    pub frequency: T,
    /// Radians.
    pub phase: T,
    /// Frequencies x outputs.
    pub mix: T,
    /// One for each output.
    pub bias: T,
}

/// `sin(2 pi q)` for `|q| <= 1/4`, absolute error below 4e-9 before rounding: an odd polynomial.
#[inline(always)]
fn sine_of_turns(q: f32) -> f32 {
    let square = q * q;
    let mut p = 39.536_7f32;
    p = p * square - 76.549_78;
    p = p * square + 81.601_006;
    p = p * square - 41.341_656;
    p = p * square + TAU;
    p * q
}

/// Cosine and sine of so many turns, absolute error below 3e-7. Whole turns are taken off exactly, so that the error does not
/// grow with the number of turns.
#[inline(always)]
fn cos_sin(turns: f32) -> (f32, f32) {
    let rest = turns - turns.round_ties_even();
    let size = rest.abs();
    let fold = 0.25 - (size - 0.25).abs();
    (sine_of_turns(0.25 - size), sine_of_turns(fold.copysign(rest)))
}

impl Kernels {
    /// The embedding of each of `values`: a row of `outputs` for each output, as long as `values`. Absolute error below
    /// 1e-6 times the sum of the sizes of `mix`, given the rounded turns. Reference:
    /// [`crate::reference::periodic`].
    ///
    /// Panics where the lengths do not fit.
    pub fn periodic(self, values: &[f32], parameters: Periodic<&[f32]>, outputs: &mut [f32]) {
        check(values, &parameters, outputs.len());
        dispatch!(self, (values: &[f32], parameters: Periodic<&[f32]>, outputs: &mut [f32]), |_S| {
            let Periodic { frequency, phase, mix, bias } = parameters;
            let (count, rows) = (values.len(), bias.len());
            for (at, x) in values.as_chunks::<LANES>().0.iter().enumerate() {
                let mut sums = [[0.0f32; LANES]; MOST_OUTPUTS];
                for (sum, &bias) in sums.iter_mut().zip(bias) {
                    *sum = [bias; LANES];
                }
                for k in 0..frequency.len() {
                    let (w, turn) = (frequency[k], phase[k] * (1.0 / std::f32::consts::TAU));
                    let mut cosines = [0.0f32; LANES];
                    for (cosine, &x) in cosines.iter_mut().zip(x) {
                        *cosine = cos_sin(w * x + turn).0;
                    }
                    for (sum, &v) in sums.iter_mut().zip(&mix[k * rows..][..rows]) {
                        for (sum, &cosine) in sum.iter_mut().zip(&cosines) {
                            *sum += v * cosine;
                        }
                    }
                }
                for (row, sum) in outputs.chunks_exact_mut(count).zip(&sums) {
                    row[at * LANES..][..LANES].copy_from_slice(sum);
                }
            }
        });
    }

    /// [`Self::periodic`] of a single value, with the same bits: the frequencies are the lanes.
    ///
    /// Panics where the lengths do not fit.
    pub fn periodic_single(self, value: f32, parameters: Periodic<&[f32]>, outputs: &mut [f32]) {
        let Periodic { frequency, phase, mix, bias } = parameters;
        assert!(outputs.len() == bias.len() && phase.len() == frequency.len());
        assert_eq!(mix.len(), frequency.len() * bias.len());
        dispatch!(self, (value: f32, parameters: Periodic<&[f32]>, outputs: &mut [f32]), |_S| {
            let Periodic { frequency, phase, mix, bias } = parameters;
            let (count, rows) = (frequency.len(), bias.len());
            outputs.copy_from_slice(bias);
            for first in (0..count).step_by(LANES) {
                let width = LANES.min(count - first);
                let (mut ws, mut phases) = ([0.0f32; LANES], [0.0f32; LANES]);
                ws[..width].copy_from_slice(&frequency[first..][..width]);
                phases[..width].copy_from_slice(&phase[first..][..width]);
                let mut cosines = [0.0f32; LANES];
                for lane in 0..LANES {
                    let turn = phases[lane] * (1.0 / std::f32::consts::TAU);
                    cosines[lane] = cos_sin(ws[lane] * value + turn).0;
                }
                let mix = &mix[first * rows..][..width * rows];
                for (j, output) in outputs.iter_mut().enumerate() {
                    let mix = mix[j..].iter().step_by(rows);
                    for (&v, &cosine) in mix.zip(&cosines) {
                        *output += v * cosine;
                    }
                }
            }
        });
    }

    /// Adds the gradients of the parameters; `grad` is the gradient with respect to the outputs, a row for each. Sums
    /// go over the samples lane by lane, then over the lanes. Reference: [`crate::reference::periodic_backward`].
    ///
    /// Panics where the lengths do not fit.
    pub fn periodic_backward(
        self,
        values: &[f32],
        parameters: Periodic<&[f32]>,
        grad: &[f32],
        gradients: Periodic<&mut [f32]>,
    ) {
        check(values, &parameters, grad.len());
        dispatch!(self, (values: &[f32], parameters: Periodic<&[f32]>, grad: &[f32], gradients: Periodic<&mut [f32]>), |_S| {
            let Periodic { frequency, phase, mix, bias } = parameters;
            let (count, rows) = (values.len(), bias.len());
            let grad_row = |j: usize| grad[j * count..][..count].as_chunks::<LANES>().0;
            for (j, total) in gradients.bias.iter_mut().enumerate() {
                let mut sum = [0.0f32; LANES];
                for g in grad_row(j) {
                    add(&mut sum, g);
                }
                *total += sum.iter().sum::<f32>();
            }
            for k in 0..frequency.len() {
                let (w, turn) = (frequency[k], phase[k] * (1.0 / std::f32::consts::TAU));
                let v = &mix[k * rows..][..rows];
                let mut mixes = [[0.0f32; LANES]; MOST_OUTPUTS];
                let (mut slopes, mut moments) = ([0.0f32; LANES], [0.0f32; LANES]);
                for (at, x) in values.as_chunks::<LANES>().0.iter().enumerate() {
                    let (mut cosines, mut sines) = ([0.0f32; LANES], [0.0f32; LANES]);
                    for lane in 0..LANES {
                        (cosines[lane], sines[lane]) = cos_sin(w * x[lane] + turn);
                    }
                    let mut down = [0.0f32; LANES];
                    for j in 0..rows {
                        let g = &grad_row(j)[at];
                        for lane in 0..LANES {
                            down[lane] += v[j] * g[lane];
                            mixes[j][lane] += cosines[lane] * g[lane];
                        }
                    }
                    for lane in 0..LANES {
                        let slope = -sines[lane] * down[lane];
                        slopes[lane] += slope;
                        moments[lane] += slope * x[lane];
                    }
                }
                gradients.phase[k] += slopes.iter().sum::<f32>();
                gradients.frequency[k] += std::f32::consts::TAU * moments.iter().sum::<f32>();
                for (total, sum) in gradients.mix[k * rows..][..rows].iter_mut().zip(&mixes) {
                    *total += sum.iter().sum::<f32>();
                }
            }
        });
    }
}

#[inline(always)]
fn add(sums: &mut [f32; LANES], values: &[f32; LANES]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

fn check(values: &[f32], parameters: &Periodic<&[f32]>, outputs: usize) {
    let Periodic { frequency, phase, mix, bias } = parameters;
    assert!(values.len().is_multiple_of(LANES) && bias.len() <= MOST_OUTPUTS);
    assert_eq!(outputs, values.len() * bias.len());
    assert!(phase.len() == frequency.len() && mix.len() == frequency.len() * bias.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_and_sine_are_within_their_bounds() {
        for i in -400_000..400_000 {
            let turns = i as f32 * 1e-4;
            let (cosine, sine) = cos_sin(turns);
            let angle = std::f64::consts::TAU * f64::from(turns);
            assert!((f64::from(cosine) - angle.cos()).abs() < 3e-7, "{turns}");
            assert!((f64::from(sine) - angle.sin()).abs() < 3e-7, "{turns}");
        }
        // So large that there is no fraction left.
        for turns in [0.0f32, 1e9, -1e30, f32::MAX] {
            assert!((cos_sin(turns).0 - 1.0).abs() < 3e-7 && cos_sin(turns).1.abs() < 3e-7);
        }
    }
}
