//! Products with mostly-zero samples: the first layer's case (docs/maths.md M7).
//!
//! Both products are the same inner loop: a sum of a few rows, each multiplied by a value, kept in
//! registers. For the forward product the rows are the weights of a sample's non-zero features,
//! for the gradient the deltas of the samples in which a feature is not zero. Weights come as
//! strips of at most [`STRIP`] columns, so that a block of rows stays in the first-level cache.

use crate::arch::Simd;
use crate::dense::Update;
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};
use crate::tile::{Content, List, Orders, Value, block_size};
pub use crate::tile::{TILE, Tile};

/// Most columns of a strip of weights.
pub const STRIP: usize = 64;

/// Columns of a strip come in multiples of this: one AVX-512 register.
pub const STRIP_STEP: usize = 16;

/// `sums += sum over (index, value) of scale * value * rows[index]`, the loop in which both products
/// spend their time. What bounds it are the loads of the rows, and on cores that start as many
/// multiply-adds in a cycle the time that each takes: therefore every other row goes into a second
/// set of sums where there are registers for it, and nothing but the rows, four indices and four
/// values at a time, goes through the load unit.
///
/// # Safety
/// The machine must have `S`, and for every index `rows` must have `N * LANES` readable values
/// from `index * N * LANES` on.
#[inline(always)]
unsafe fn add_rows<S: Simd, const N: usize, V: Value>(
    sums: &mut [S::Vector; N],
    (indices, values): List<V>,
    scale: f32,
    rows: *const f32,
) {
    let two_sets = 2 * N + 4 <= S::REGISTERS;
    // SAFETY: the caller's contract.
    unsafe {
        let scale = S::splat(scale);
        let mut others = [S::splat(0.0); N];
        for (indices, values) in indices.iter().zip(values) {
            let indices = u32::from_le_bytes(*indices);
            let values = S::multiply(V::group::<S>(values), scale);
            let odd = if two_sets { &mut others } else { &mut *sums };
            let row =
                |place: u32| rows.add((indices >> (8 * place)) as u8 as usize * (N * S::LANES));
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
    for (lane, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { *sum = S::multiply_add(value, S::load(row.add(lane * S::LANES)), *sum) };
    }
}

/// # Safety
/// As [`add_rows`]: `from` and `to` must have room for `N * LANES` values.
#[inline(always)]
unsafe fn load_all<S: Simd, const N: usize>(from: *const f32) -> [S::Vector; N] {
    // SAFETY: the caller's contract.
    std::array::from_fn(|lane| unsafe { S::load(from.add(lane * S::LANES)) })
}

/// # Safety
/// As [`load_all`].
#[inline(always)]
unsafe fn store_all<S: Simd, const N: usize>(to: *mut f32, values: &[S::Vector; N]) {
    for (lane, value) in values.iter().enumerate() {
        // SAFETY: the caller's contract.
        unsafe { S::store(to.add(lane * S::LANES), *value) };
    }
}

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
    for (block, rows) in weight.chunks(block_size(tile.features()) * width).enumerate() {
        for sample in 0..tile.samples() {
            let list = orders.by_sample.list(block * tile.samples() + sample);
            let place = output.row_mut(sample).as_mut_ptr();
            // SAFETY: reached through dispatch, so the machine has S. A row of the output has
            // `width` values. An index lies within its block (see `Tile::fill` and `Tile::fill_pairs`;
            // that of a pair that fills a group up is 0), and the block's rows of the weights have
            // `width` values each.
            unsafe {
                let mut sums = load_all::<S, N>(place);
                add_rows::<S, N, V>(&mut sums, list, scale, rows.as_ptr());
                store_all::<S, N>(place, &sums);
            }
        }
    }
}

#[inline(always)]
fn gradient<S: Simd, const N: usize, V: Value>(
    (tile, orders): (&Tile, &Orders<V>),
    scale: f32,
    delta: &[f32],
    start: &[f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    let width = N * S::LANES;
    assert!(delta.len() == tile.samples() * width && start.len() == width);
    assert!(grad_weight.len() == tile.features() * width);
    assert!(tile.is_sorted(), "the tile is not sorted by feature");
    for (feature, place) in grad_weight.chunks_exact_mut(width).enumerate() {
        let list = orders.by_feature.list(feature);
        let place = place.as_mut_ptr();
        // SAFETY: reached through dispatch, so the machine has S. `start`, `place` and each row
        // of `delta` have `width` values, and an index is below `samples`.
        unsafe {
            let mut sums = load_all::<S, N>(start.as_ptr());
            if update == Update::Add {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum = S::add(*sum, S::load(place.add(lane * S::LANES)));
                }
            }
            add_rows::<S, N, V>(&mut sums, list, scale, delta.as_ptr());
            store_all::<S, N>(place, &sums);
        }
    }
}

/// Calls a kernel with the lists of the tile, for the number of registers that a strip of `width`
/// columns takes.
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

/// Calls a kernel for the number of registers that a strip of `width` columns takes.
macro_rules! by_registers {
    ($width:expr, $simd:ident, $kernel:ident($($argument:expr),*)) => {
        match $width / $simd::LANES {
            1 => $kernel::<$simd, 1, _>($($argument),*),
            2 => $kernel::<$simd, 2, _>($($argument),*),
            3 => $kernel::<$simd, 3, _>($($argument),*),
            4 => $kernel::<$simd, 4, _>($($argument),*),
            6 => $kernel::<$simd, 6, _>($($argument),*),
            8 => $kernel::<$simd, 8, _>($($argument),*),
            _ => panic!("a strip of {} columns is not one of 16, 32, 48, 64", $width),
        }
    };
}

impl Kernels {
    /// `output = bias + scale X W` for one strip: `X` is the tile (samples x features), `W` is
    /// `weight` (features x width, row-major), `width` one of 16, 32, 48, 64.
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

    /// `grad_weight (+)= start + scale X^T delta` for one strip: `delta` is samples x width
    /// without gaps, `start` (width values) is added to every row.
    /// Reference: [`crate::reference::sparse_gradient`].
    ///
    /// Panics where the sizes do not fit or the tile is not sorted by feature.
    pub fn sparse_gradient(
        self,
        tile: &Tile,
        scale: f32,
        delta: MatRef,
        start: &[f32],
        grad_weight: &mut [f32],
        update: Update,
    ) {
        assert!(delta.stride() == delta.columns() && delta.columns() == start.len());
        let delta = delta.without_gaps();
        dispatch!(
            self,
            (
                tile: &Tile,
                scale: f32,
                delta: &[f32],
                start: &[f32],
                grad_weight: &mut [f32],
                update: Update,
            ),
            |S| by_content!(
                start.len(),
                S,
                gradient(tile, scale, delta, start, grad_weight, update)
            )
        );
    }
}
