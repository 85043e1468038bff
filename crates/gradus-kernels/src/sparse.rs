//! Products of the first layer with mostly-zero samples (docs/maths.md M7): a [`Tile`] and a panel of
//! the weight go in, pre-activations or gradients of the weight come out.
//!
//! A *panel* is up to [`PANEL`] columns of the weight, stored row after row: a block of its rows stays
//! in the nearest cache. Both products are one loop, `add_rows`: a sum of rows, each times a value, kept
//! in registers. Forward, the rows are those of the weight for the non-zero features of a sample;
//! backward, they are the gradients of the samples in which a feature is not zero.

use crate::arch::Simd;
use crate::dense::Update;
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};
use crate::tile::{Content, List, Orders, Value, block_size};
pub use crate::tile::{TILE, Tile};

/// Most columns of a panel. Its sums take 4 of 32 registers of 16 values, or 8 of 16 registers of 8.
/// With 128 columns the gradients of a tile would no longer fit in the nearest cache.
pub const PANEL: usize = 64;

/// The number of columns of a panel is a multiple of this: one register of AVX-512, two of AVX2.
pub const PANEL_STEP: usize = 16;

/// `sums += sum over (index, value) of scale * value * rows[index]`, with rows of `N` registers: the loop
/// in which both products spend their time.
///
/// Its limits are the loads of the rows and, on cores that start two multiply-adds a cycle, the time
/// that a sum waits for the one before. So rows alternate between two sets of sums where there are
/// registers for both, and the only other loads are four indices and four values at a time.
///
/// # Safety
/// The machine must have `S`. For every index, `rows` must have `N * LANES` readable values from
/// `index * N * LANES` on.
#[inline(always)]
unsafe fn add_rows<S: Simd, const N: usize, V: Value>(
    sums: &mut [S::Vector; N],
    (indices, values): List<V>,
    scale: f32,
    rows: *const f32,
) {
    // Two sets, and four registers for scale, values and one value at a time.
    let two_sets = 2 * N + 4 <= S::REGISTERS;
    // SAFETY: the caller's contract.
    unsafe {
        let scale = S::splat(scale);
        let mut others = [S::splat(0.0); N];
        for (indices, values) in indices.iter().zip(values) {
            // One word, from which shifts take the indices: loads are what this loop is short of.
            let indices = u32::from_le_bytes(*indices);
            // Scaled here, four at a time, and not once at the end: the sums may already hold a bias.
            let values = S::multiply(V::group::<S>(values), scale);
            let row =
                |place: u32| rows.add((indices >> (8 * place)) as u8 as usize * (N * S::LANES));
            // The order of the pairs (1, 0, 3, 2) is part of the result: another one rounds otherwise, and
            // the same seed would no longer give the same model.
            let odd = if two_sets { &mut others } else { &mut *sums };
            add_row::<S, N>(odd, S::one_of_four::<1>(values), row(1));
            add_row::<S, N>(sums, S::one_of_four::<0>(values), row(0));
            let odd = if two_sets { &mut others } else { &mut *sums };
            add_row::<S, N>(odd, S::one_of_four::<3>(values), row(3));
            add_row::<S, N>(sums, S::one_of_four::<2>(values), row(2));
        }
        if two_sets {
            for (sum, other) in sums.iter_mut().zip(others) {
                *sum = S::add(*sum, other);
            }
        }
    }
}

/// `sums += value * row`
///
/// # Safety
/// The machine must have `S`, and `row` must have `N * LANES` readable values.
#[inline(always)]
unsafe fn add_row<S: Simd, const N: usize>(
    sums: &mut [S::Vector; N],
    value: S::Vector,
    row: *const f32,
) {
    for (i, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { *sum = S::multiply_add(value, S::load(row.add(i * S::LANES)), *sum) };
    }
}

/// # Safety
/// The machine must have `S`, and `from` must have `N * LANES` readable values.
#[inline(always)]
unsafe fn load_all<S: Simd, const N: usize>(from: *const f32) -> [S::Vector; N] {
    // SAFETY: the caller's contract.
    std::array::from_fn(|i| unsafe { S::load(from.add(i * S::LANES)) })
}

/// # Safety
/// The machine must have `S`, and `to` must have `N * LANES` writable values.
#[inline(always)]
unsafe fn store_all<S: Simd, const N: usize>(to: *mut f32, values: &[S::Vector; N]) {
    for (i, value) in values.iter().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { S::store(to.add(i * S::LANES), *value) };
    }
}

/// [`Kernels::sparse_forward`] for a panel of `N` registers.
#[inline(always)]
fn forward<S: Simd, const N: usize, V: Value>(
    (tile, orders): (&Tile, &Orders<V>),
    scale: f32,
    weight: &[f32],
    bias: &[f32],
    mut output: MatMut,
) {
    let width = N * S::LANES;
    assert!(weight.len() == tile.features() * width && bias.len() == width);
    assert!(output.rows() == tile.samples() && output.columns() == width);
    for sample in 0..tile.samples() {
        output.row_mut(sample).copy_from_slice(bias);
    }
    // Block by block, all samples for each: a block's rows of the weight are in the cache for all samples
    // but the first. The price is that a sample's sums go to memory and back for each block.
    for (block, rows) in weight.chunks(block_size(tile.features()) * width).enumerate() {
        for sample in 0..tile.samples() {
            let list = orders.by_sample.list(block * tile.samples() + sample);
            let place = output.row_mut(sample).as_mut_ptr();
            // SAFETY: reached through dispatch, so the machine has S. A row of the output has `width`
            // values. Every index is below the number of the block's features (`Tile::fill` lists the
            // bytes of a block, `Lists::push_pairs` checks, and pairs that fill up a group have index
            // 0), and each of the block's rows has `width` values.
            unsafe {
                let mut sums = load_all::<S, N>(place);
                add_rows::<S, N, V>(&mut sums, list, scale, rows.as_ptr());
                store_all::<S, N>(place, &sums);
            }
        }
    }
}

/// [`Kernels::sparse_gradient`] for a panel of `N` registers.
#[inline(always)]
fn gradient<S: Simd, const N: usize, V: Value>(
    (tile, orders): (&Tile, &Orders<V>),
    scale: f32,
    grad_output: &[f32],
    offset: &[f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    let width = N * S::LANES;
    assert!(grad_output.len() == tile.samples() * width && offset.len() == width);
    assert!(grad_weight.len() == tile.features() * width);
    assert!(tile.is_sorted(), "the tile is not sorted by feature");
    // Feature by feature: each row of the gradient is loaded and stored once, however many samples there
    // are, while the rows of `grad_output` stay in the cache.
    for (feature, place) in grad_weight.chunks_exact_mut(width).enumerate() {
        let list = orders.by_feature.list(feature);
        let place = place.as_mut_ptr();
        // SAFETY: reached through dispatch, so the machine has S. `offset`, `place` and each row of
        // `grad_output` have `width` values. Every index is the number of a sample (or 0, in pairs that
        // fill up a group of a list, which is empty where there is no sample).
        unsafe {
            let mut sums = load_all::<S, N>(offset.as_ptr());
            if update == Update::Add {
                let before = load_all::<S, N>(place);
                for (sum, before) in sums.iter_mut().zip(before) {
                    *sum = S::add(*sum, before);
                }
            }
            add_rows::<S, N, V>(&mut sums, list, scale, grad_output.as_ptr());
            store_all::<S, N>(place, &sums);
        }
    }
}

/// Calls a kernel with the lists of the tile, for a panel of `width` columns.
macro_rules! by_content {
    ($width:expr, $simd:ident, $kernel:ident($tile:expr, $($argument:expr),*)) => {
        match &$tile.content {
            Content::Bytes(orders) => {
                by_registers!($width, $simd, $kernel(($tile, orders), $($argument),*))
            }
            Content::Floats(orders) => {
                by_registers!($width, $simd, $kernel(($tile, orders), $($argument),*))
            }
        }
    };
}

/// Calls a kernel for a panel of `width` columns. The number of registers for a row is a constant of
/// the kernel, since only then do its sums stay in registers. 16, 32, 48 and 64 columns are 1 to 4
/// registers of 16 values, or 2, 4, 6 and 8 of 8 values.
macro_rules! by_registers {
    ($width:expr, $simd:ident, $kernel:ident($($argument:expr),*)) => {
        match $width / $simd::LANES {
            1 => $kernel::<$simd, 1, _>($($argument),*),
            2 => $kernel::<$simd, 2, _>($($argument),*),
            3 => $kernel::<$simd, 3, _>($($argument),*),
            4 => $kernel::<$simd, 4, _>($($argument),*),
            6 => $kernel::<$simd, 6, _>($($argument),*),
            8 => $kernel::<$simd, 8, _>($($argument),*),
            _ => panic!("a panel of {} columns is not one of 16, 32, 48, 64", $width),
        }
    };
}

impl Kernels {
    /// `output = bias + scale X W` for one panel: `X` is the tile `[samples x features]`, `W` is
    /// `weight` `[features x width]`, `bias` has `width` values, `output` is `[samples x width]` and
    /// overwritten. `width` is one of 16, 32, 48, 64.
    /// Reference: [`crate::reference::sparse_forward`].
    ///
    /// Panics where the sizes do not fit.
    pub fn sparse_forward(
        self,
        tile: &Tile,
        scale: f32,
        weight: &[f32],
        bias: &[f32],
        output: MatMut,
    ) {
        dispatch!(
            self,
            (tile: &Tile, scale: f32, weight: &[f32], bias: &[f32], output: MatMut),
            |S| by_content!(bias.len(), S, forward(tile, scale, weight, bias, output))
        );
    }

    /// `grad_weight (+)= offset + scale X^T grad_output` for one panel: `X` is the tile, `grad_output` is
    /// `[samples x width]` without gaps between its rows, `grad_weight` is `[features x width]`. `offset`
    /// (`width` values) is added to every row: the part of the gradient that comes from the mean of
    /// the inputs (docs/maths.md M6). Reference: [`crate::reference::sparse_gradient`].
    ///
    /// Panics where the sizes do not fit or the tile is not sorted by feature.
    pub fn sparse_gradient(
        self,
        tile: &Tile,
        scale: f32,
        grad_output: MatRef,
        offset: &[f32],
        grad_weight: &mut [f32],
        update: Update,
    ) {
        assert!(grad_output.columns() == offset.len());
        let grad_output = grad_output.without_gaps();
        dispatch!(
            self,
            (
                tile: &Tile,
                scale: f32,
                grad_output: &[f32],
                offset: &[f32],
                grad_weight: &mut [f32],
                update: Update,
            ),
            |S| by_content!(
                offset.len(),
                S,
                gradient(tile, scale, grad_output, offset, grad_weight, update)
            )
        );
    }
}
