//! The product of a sample with a matrix of 16-bit whole numbers, for single predictions (docs/maths.md M2): there each weight is
//! read once, and reading takes longer than multiplying, so that half of the bytes take half of the time.
//!
//! The weights of a column become whole numbers up to 32,767 times a scale of the column, the values of a sample whole numbers up
//! to 16,383 times a scale of the sample. Sums of four products then fit into 32 bits and are exact; sums of these are floats.
//!
//! Weights lie in the order in which they are read: blocks of 64 columns, then of 16; in a block four inner indices at a
//! time, first two for all of its columns, then the other two.

use crate::arch::Simd;
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::MatRef;

/// Columns whose weights of two inner indices fill a cache line.
const GROUP: usize = 16;

/// Groups of a wide block.
const WIDE: usize = 4;

/// Inner indices that are summed without rounding.
const STEP: usize = 4;

/// The largest whole numbers. 2 x 2 products of them are below 2^31.
const MOST_WEIGHT: f32 = 32_767.0;
const MOST_VALUE: f32 = 16_383.0;

/// Samples whose largest value is below this count as 0: dividing by it would overflow.
const LEAST: f32 = 1e-30;

/// Added to a number below 2^22, it leaves the nearest whole number in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// The weights of two inner indices for the columns of a group.
#[repr(C, align(64))]
#[derive(Clone)]
struct Line([[i16; 2]; GROUP]);

/// A matrix of 16-bit whole numbers with a scale for each column.
#[derive(Clone)]
pub struct QuantizedMatrix {
    inner: usize,
    columns: usize,
    lines: Vec<Line>,
    /// What 1 stands for, for each column.
    scales: Vec<f32>,
}

impl QuantizedMatrix {
    /// The whole numbers next to `weight`, `[inner x columns]`.
    pub fn new(weight: MatRef) -> QuantizedMatrix {
        let (inner, columns) = (weight.rows(), weight.columns());
        let largest = |j: usize| (0..inner).map(|l| weight.row(l)[j].abs()).fold(0.0, f32::max);
        let scales: Vec<f32> = (0..columns).map(|j| largest(j) / MOST_WEIGHT).collect();
        let value = |l: usize, j: usize| match l < inner && j < columns && scales[j] > 0.0 {
            true => (weight.row(l)[j] / scales[j]).round() as i16,
            false => 0,
        };
        let mut lines = Vec::new();
        for block in blocks(columns) {
            for first in (0..inner).step_by(STEP) {
                for pair in (first..first + STEP).step_by(2) {
                    lines.extend(block.clone().map(|group| {
                        let values = |j: usize| [0, 1].map(|l| value(pair + l, GROUP * group + j));
                        Line(std::array::from_fn(values))
                    }));
                }
            }
        }
        QuantizedMatrix { inner, columns, lines, scales }
    }

    /// How many whole numbers a sample of so many values becomes, zeros behind it included.
    pub fn whole_values(inner: usize) -> usize {
        inner.next_multiple_of(STEP)
    }
}

/// The groups of each block of so many columns.
fn blocks(columns: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    let groups = columns.div_ceil(GROUP);
    let wide = groups - groups % WIDE;
    let narrow = (wide..groups).map(|group| group..group + 1);
    (0..wide).step_by(WIDE).map(|group| group..group + WIDE).chain(narrow)
}

/// Writes the whole numbers that stand for a sample, and zeros behind them; returns what 1 stands for. Of a sample with a value
/// that is not finite, that is not finite either.
#[inline(always)]
fn quantize(sample: &[f32], whole: &mut [i16]) -> f32 {
    // As bits without their sign, NaN is larger than infinity, and that than all numbers.
    let bits = sample.iter().map(|value| value.to_bits() & 0x7FFF_FFFF);
    let largest = f32::from_bits(bits.fold(0, u32::max));
    let factor = match largest.is_finite() && largest >= LEAST {
        true => MOST_VALUE / largest,
        false => 0.0,
    };
    let (values, behind) = whole.split_at_mut(sample.len());
    for (whole, value) in values.iter_mut().zip(sample) {
        *whole = (value * factor + ROUND).to_bits() as i16;
    }
    behind.fill(0);
    largest / MOST_VALUE
}

/// The sums over all inner indices for the columns of a block of `V` registers, whose weights begin at `lines`.
///
/// # Safety
/// The machine must have `S`; at `lines` there must be `V * LANES` times as many pairs of values as `sample` has.
#[inline(always)]
unsafe fn block_sums<S: Simd, const V: usize>(
    sample: &[[[i16; 2]; 2]],
    lines: *const i16,
) -> [S::Vector; V] {
    // SAFETY: the caller's contract.
    unsafe {
        let mut sums = [S::splat(0.0); V];
        let mut from = lines;
        for &pairs in sample {
            let behind = from.add(2 * V * S::LANES);
            for v in 0..V {
                let at = 2 * v * S::LANES;
                let products = S::sums_of_four(pairs, from.add(at), behind.add(at));
                sums[v] = S::add(sums[v], products);
            }
            from = behind.add(2 * V * S::LANES);
        }
        sums
    }
}

/// `outputs[j] += unit scales[j] sums[j]` for the columns of a block.
#[inline(always)]
fn add_block<S: Simd, const V: usize>(
    sample: &[[[i16; 2]; 2]],
    lines: &[Line],
    unit: f32,
    scales: &[f32],
    outputs: &mut [f32],
) {
    let mut sums = [0.0; GROUP * WIDE];
    assert!(GROUP * lines.len() == 2 * V * S::LANES * sample.len() && V * S::LANES <= sums.len());
    // SAFETY: reached through dispatch, so the machine has S; a line has GROUP pairs, and there are as many as
    // `block_sums` needs; `sums` has room for V registers.
    unsafe {
        let vectors = block_sums::<S, V>(sample, lines.as_ptr().cast());
        for (v, &vector) in vectors.iter().enumerate() {
            S::store(sums.as_mut_ptr().add(v * S::LANES), vector);
        }
    }
    for ((output, sum), scale) in outputs.iter_mut().zip(sums).zip(scales) {
        *output += unit * scale * sum;
    }
}

/// [`Kernels::add_quantized_product`] for one instruction set.
#[inline(always)]
fn product<S: Simd>(
    sample: &[f32],
    weight: &QuantizedMatrix,
    whole: &mut [i16],
    outputs: &mut [f32],
) {
    let unit = quantize(sample, whole);
    let (pairs, _) = whole.as_chunks::<2>();
    let (sample, _) = pairs.as_chunks::<2>();
    let mut lines = &weight.lines[..];
    for block in blocks(weight.columns) {
        let columns = GROUP * block.start..(GROUP * block.end).min(weight.columns);
        let (these, others) = lines.split_at(2 * block.len() * sample.len());
        let (scales, outputs) = (&weight.scales[columns.clone()], &mut outputs[columns]);
        match (block.len() == WIDE, S::LANES == GROUP) {
            (true, true) => add_block::<S, WIDE>(sample, these, unit, scales, outputs),
            (true, false) => add_block::<S, { 2 * WIDE }>(sample, these, unit, scales, outputs),
            (false, true) => add_block::<S, 1>(sample, these, unit, scales, outputs),
            (false, false) => add_block::<S, 2>(sample, these, unit, scales, outputs),
        }
        lines = others;
    }
}

impl Kernels {
    /// `outputs[j] += sum_l sample[l] weight[l][j]`, up to the rounding of the sample to 15 bits and of the weights to 16: off by
    /// at most `sum_l |w_lj| max |x| / 32766 + sum_l |x_l| max |w_j| / 65534`. `whole` is scratch for
    /// [`QuantizedMatrix::whole_values`]. A sample with a value that is not finite makes all outputs NaN.
    /// Reference: [`crate::reference::add_quantized_product`].
    ///
    /// Panics where the sizes do not fit.
    pub fn add_quantized_product(
        self,
        sample: &[f32],
        weight: &QuantizedMatrix,
        whole: &mut [i16],
        outputs: &mut [f32],
    ) {
        assert!(sample.len() == weight.inner && outputs.len() == weight.columns);
        let whole = &mut whole[..QuantizedMatrix::whole_values(weight.inner)];
        dispatch!(
            self,
            (sample: &[f32], weight: &QuantizedMatrix, whole: &mut [i16], outputs: &mut [f32]),
            |S| product::<S>(sample, weight, whole, outputs)
        );
    }
}
