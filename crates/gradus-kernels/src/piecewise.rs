//! The piecewise-linear embedding of a number (docs/maths.md M28): a straight line, and over each of several bins another
//! slope besides.
//!
//! In: a number for each sample. Out: a few numbers for each, or the gradients of the embedding's parameters. A sample costs the
//! same whatever the number of bins, but for finding its bin: sums over the bins to its left are made once for all samples.

use crate::dispatch::{Kernels, dispatch};
use crate::periodic::{LANES, MOST_OUTPUTS};

/// The parameters of an embedding with `T` bins, `e_j = offset_j + slope_j x + sum_{u<t} rise_uj + f rise_tj` for an `x` in
/// bin `t` at the fraction `f` of its width. As the target of gradients, what each gradient is added to.
#[derive(Debug, Clone, Copy)]
pub struct Piecewise<T> {
    /// What the embedding grows by from the lower to the upper edge of each bin: bins x outputs.
    pub rise: T,
    /// One for each output.
    pub slope: T,
    /// One for each output.
    pub offset: T,
}

/// Where `T` bins begin and end: `T + 1` edges, in ascending order. Bins without width are not used; they stand behind all others.
/// The outer bins have no end: beyond the first and the last edge the fraction is below 0 or above 1.
#[derive(Debug, Clone, Copy)]
pub struct Edges<'a>(pub &'a [f32]);

impl<'a> Edges<'a> {
    /// Bins that are used: edges below the last one.
    #[inline(always)]
    fn used(self) -> usize {
        let last = self.0.last().copied().unwrap_or_default();
        self.0.iter().take_while(|&&edge| edge < last).count()
    }

    /// The bin of each number, and at which fraction of it the number is. There is at least one bin that is used.
    #[inline(always)]
    fn find(self, used: usize, x: &[f32; LANES]) -> ([usize; LANES], [f32; LANES]) {
        let mut found = [0u32; LANES];
        // Counting compares all lanes with one edge at a time, without a branch.
        for &edge in &self.0[1..used] {
            for (bin, &x) in found.iter_mut().zip(x) {
                *bin += u32::from(edge <= x);
            }
        }
        let (mut bins, mut fractions) = ([0; LANES], [0.0; LANES]);
        for lane in 0..LANES {
            bins[lane] = found[lane] as usize;
            let (low, high) = (self.0[bins[lane]], self.0[bins[lane] + 1]);
            fractions[lane] = (x[lane] - low) / (high - low);
        }
        (bins, fractions)
    }
}

impl Kernels {
    /// Numbers of scratch that [`Self::piecewise`] and [`Self::piecewise_backward`] need for so many bins and outputs.
    pub fn piecewise_scratch(bins: usize, outputs: usize) -> usize {
        2 * bins * outputs
    }

    /// The embedding of each of `values`: a row of `outputs` for each output, as long as `values`. Reference:
    /// [`crate::reference::piecewise`].
    ///
    /// Panics where the lengths do not fit.
    pub fn piecewise(
        self,
        values: &[f32],
        edges: Edges,
        parameters: Piecewise<&[f32]>,
        scratch: &mut [f32],
        outputs: &mut [f32],
    ) {
        check(values, edges, &parameters, (scratch.len(), outputs.len()));
        dispatch!(self, (values: &[f32], edges: Edges<'_>, parameters: Piecewise<&[f32]>, scratch: &mut [f32], outputs: &mut [f32]), |_S| {
            let Piecewise { rise, slope, offset } = parameters;
            let (count, rows, used) = (values.len(), offset.len(), edges.used());
            let before = &mut scratch[..rise.len()];
            sums_before(rise, rows, before);
            for (at, x) in values.as_chunks::<LANES>().0.iter().enumerate() {
                let mut sums = [[0.0f32; LANES]; MOST_OUTPUTS];
                for j in 0..rows {
                    for lane in 0..LANES {
                        sums[j][lane] = offset[j] + slope[j] * x[lane];
                    }
                }
                if used > 0 {
                    let (bins, fractions) = edges.find(used, x);
                    for lane in 0..LANES {
                        let first = bins[lane] * rows;
                        let (before, rise) = (&before[first..][..rows], &rise[first..][..rows]);
                        for j in 0..rows {
                            sums[j][lane] += before[j] + fractions[lane] * rise[j];
                        }
                    }
                }
                for (row, sum) in outputs.chunks_exact_mut(count).zip(&sums) {
                    row[at * LANES..][..LANES].copy_from_slice(sum);
                }
            }
        });
    }

    /// Adds the gradients of the parameters; `grad` is the gradient with respect to the outputs, a row for each. Sums over the
    /// samples of a bin go in their order. Reference: [`crate::reference::piecewise_backward`].
    ///
    /// Panics where the lengths do not fit.
    pub fn piecewise_backward(
        self,
        values: &[f32],
        edges: Edges,
        grad: &[f32],
        scratch: &mut [f32],
        gradients: Piecewise<&mut [f32]>,
    ) {
        let Piecewise { rise, slope, offset } = gradients;
        let shape = Piecewise { rise: &*rise, slope: &*slope, offset: &*offset };
        check(values, edges, &shape, (scratch.len(), grad.len()));
        dispatch!(self, (values: &[f32], edges: Edges<'_>, grad: &[f32], scratch: &mut [f32], rise: &mut [f32], slope: &mut [f32], offset: &mut [f32]), |_S| {
            let (count, rows, used) = (values.len(), offset.len(), edges.used());
            for (j, row) in grad.chunks_exact(count.max(1)).enumerate() {
                let (mut sum, mut moment) = ([0.0f32; LANES], [0.0f32; LANES]);
                for (g, x) in row.as_chunks::<LANES>().0.iter().zip(values.as_chunks::<LANES>().0) {
                    for lane in 0..LANES {
                        sum[lane] += g[lane];
                        moment[lane] += g[lane] * x[lane];
                    }
                }
                offset[j] += sum.iter().sum::<f32>();
                slope[j] += moment.iter().sum::<f32>();
            }
            if used == 0 {
                return;
            }
            let (all, partial) = scratch[..2 * rise.len()].split_at_mut(rise.len());
            all.fill(0.0);
            partial.fill(0.0);
            for (at, x) in values.as_chunks::<LANES>().0.iter().enumerate() {
                let (bins, fractions) = edges.find(used, x);
                for lane in 0..LANES {
                    let first = bins[lane] * rows;
                    let (all, partial) = (&mut all[first..][..rows], &mut partial[first..][..rows]);
                    for j in 0..rows {
                        let g = grad[j * count + at * LANES + lane];
                        all[j] += g;
                        partial[j] += fractions[lane] * g;
                    }
                }
            }
            let mut above = [0.0f32; MOST_OUTPUTS];
            for bin in (0..used).rev() {
                for (j, above) in above[..rows].iter_mut().enumerate() {
                    rise[bin * rows + j] += partial[bin * rows + j] + *above;
                    *above += all[bin * rows + j];
                }
            }
        });
    }
}

/// For each bin the sum of the rises of those before it.
#[inline(always)]
fn sums_before(rise: &[f32], rows: usize, before: &mut [f32]) {
    let mut sums = [0.0f32; MOST_OUTPUTS];
    for (before, rise) in before.chunks_exact_mut(rows.max(1)).zip(rise.chunks_exact(rows.max(1))) {
        for ((before, rise), sum) in before.iter_mut().zip(rise).zip(&mut sums) {
            *before = *sum;
            *sum += rise;
        }
    }
}

fn check(
    values: &[f32],
    edges: Edges,
    parameters: &Piecewise<&[f32]>,
    (scratch, outputs): (usize, usize),
) {
    let Piecewise { rise, slope, offset } = parameters;
    assert!(values.len().is_multiple_of(LANES) && (1..=MOST_OUTPUTS).contains(&offset.len()));
    assert_eq!(outputs, values.len() * offset.len());
    assert_eq!(slope.len(), offset.len());
    assert_eq!(rise.len() + offset.len(), edges.0.len() * offset.len());
    assert!(scratch >= 2 * rise.len());
}
