//! Products with mostly-zero byte images: the first layer's case (docs/maths.md M7).
//!
//! A [`Tile`] holds up to [`TILE`] samples as lists of (index, value) pairs of their non-zero
//! bytes, twice: sample by sample for the forward product, and feature by feature for the gradient
//! of the weights. Both products then are the same inner loop: a sum of a few rows, each
//! multiplied by a byte, kept in registers. Weights come as strips of at most [`STRIP`] columns,
//! so that a block of rows stays in the first-level cache.

use crate::arch::Simd;
use crate::dense::Update;
use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};

/// Most samples in a tile: their numbers fit in a byte.
pub const TILE: usize = 128;

/// Most columns of a strip of weights.
pub const STRIP: usize = 64;

/// Columns of a strip come in multiples of this: one AVX-512 register.
pub const STRIP_STEP: usize = 16;

/// Features in a block: 112 rows of a 64-column strip are 28 KiB, most of a first-level cache.
const BLOCK: usize = 112;

/// What a byte stands for: `table[byte]` is its scaled value; `table[0]` must be 0.
pub type ByteTable = [f32; 256];

/// One non-zero byte: its index within the block (or its sample within the tile), and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
struct Entry {
    index: u8,
    value: u8,
}

/// Up to [`TILE`] samples of bytes, as lists of their non-zero values in both orders.
#[derive(Debug, Clone, Default)]
pub struct Tile {
    samples: usize,
    features: usize,
    /// Entries of block `b` and sample `s` are `row_entries[row_starts[b * samples + s]..]`.
    row_starts: Vec<u32>,
    row_entries: Vec<Entry>,
    /// Entries of feature `p` are `column_entries[column_starts[p]..column_starts[p + 1]]`.
    column_starts: Vec<u32>,
    column_entries: Vec<Entry>,
}

impl Tile {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Number of features of each sample.
    pub fn features(&self) -> usize {
        self.features
    }

    /// Number of bytes that are not zero.
    pub fn non_zeros(&self) -> usize {
        self.row_entries.len()
    }

    /// Replaces the content by these samples; [`Self::sort_by_feature`] must follow before
    /// a gradient is asked for. Reuses the memory of earlier content.
    ///
    /// Panics where there are more than [`TILE`] samples or one has not `features` bytes.
    pub fn fill<'a>(
        &mut self,
        features: usize,
        samples: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
    ) {
        self.samples = samples.len();
        self.features = features;
        assert!(self.samples <= TILE, "a tile has at most {TILE} samples");
        self.column_starts.clear();
        self.column_entries.clear();
        self.row_starts.clear();
        self.row_starts.push(0);
        // Entries are written before it is known whether they stay, so there must be room for one
        // more than all of them.
        self.row_entries.resize(self.samples * features + 1, Entry::default());
        let mut end = 0;
        for block in 0..features.div_ceil(BLOCK) {
            let columns = block * BLOCK..((block + 1) * BLOCK).min(features);
            for sample in samples.clone() {
                assert_eq!(sample.len(), features, "every sample must have {features} bytes");
                end = push_non_zeros(&sample[columns.clone()], &mut self.row_entries, end);
                self.row_starts.push(end as u32);
            }
        }
        self.row_entries.truncate(end);
    }

    /// Makes the second order out of the first, by counting.
    pub fn sort_by_feature(&mut self) {
        let starts = &mut self.column_starts;
        starts.clear();
        starts.resize(self.features + 1, 0);
        for (block, block_starts) in self.row_starts_of_blocks().enumerate() {
            let counts = &mut self.column_starts[block * BLOCK + 1..];
            for entry in &self.row_entries[block_starts.0..block_starts.1] {
                counts[entry.index as usize] += 1;
            }
        }
        let mut end = 0;
        for start in self.column_starts.iter_mut() {
            end += *start;
            *start = end;
        }
        // starts[p] is now where feature p begins; while entries are placed it moves to where
        // p + 1 begins, so it is taken from one place further on and the first is put back.
        self.column_entries.resize(self.row_entries.len(), Entry::default());
        for block in 0..self.features.div_ceil(BLOCK) {
            let next = &mut self.column_starts[block * BLOCK..];
            for sample in 0..self.samples {
                let at = block * self.samples + sample;
                let range = self.row_starts[at] as usize..self.row_starts[at + 1] as usize;
                for entry in &self.row_entries[range] {
                    let place = &mut next[entry.index as usize];
                    self.column_entries[*place as usize] =
                        Entry { index: sample as u8, value: entry.value };
                    *place += 1;
                }
            }
        }
        self.column_starts.pop();
        self.column_starts.insert(0, 0);
    }

    /// First and last entry of each block, in the order by sample.
    fn row_starts_of_blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let ends: Vec<usize> = self
            .row_starts
            .iter()
            .step_by(self.samples.max(1))
            .map(|&start| start as usize)
            .collect();
        (1..ends.len()).map(move |block| (ends[block - 1], ends[block]))
    }

    /// Gives back memory that the content does not need: for tiles that are kept.
    pub fn shrink_to_fit(&mut self) {
        self.row_starts.shrink_to_fit();
        self.row_entries.shrink_to_fit();
        self.column_starts.shrink_to_fit();
        self.column_entries.shrink_to_fit();
    }
}

/// Appends the non-zero bytes of `bytes` at `end`; returns the new end.
#[inline(always)]
fn push_non_zeros(bytes: &[u8], entries: &mut [Entry], mut end: usize) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        if u64::from_ne_bytes(*word) == 0 {
            continue;
        }
        for (offset, &value) in word.iter().enumerate() {
            entries[end] = Entry { index: (at * 8 + offset) as u8, value };
            end += usize::from(value != 0);
        }
    }
    for (offset, &value) in rest.iter().enumerate() {
        entries[end] = Entry { index: (words.len() * 8 + offset) as u8, value };
        end += usize::from(value != 0);
    }
    end
}

/// `sums += sum over entries of table[value] * rows[index]`, the loop in which both products
/// spend their time.
///
/// # Safety
/// The machine must have `S`, and for every entry `rows` must have `N * LANES` readable values
/// from `index * N * LANES` on.
#[inline(always)]
unsafe fn add_rows<S: Simd, const N: usize>(
    sums: &mut [S::Vector; N],
    entries: &[Entry],
    table: &ByteTable,
    rows: *const f32,
) {
    for entry in entries {
        // SAFETY: the caller's contract.
        unsafe {
            let value = S::splat(table[entry.value as usize]);
            let row = rows.add(entry.index as usize * (N * S::LANES));
            for (lane, sum) in sums.iter_mut().enumerate() {
                *sum = S::multiply_add(value, S::load(row.add(lane * S::LANES)), *sum);
            }
        }
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
fn forward<S: Simd, const N: usize>(
    tile: &Tile,
    table: &ByteTable,
    weight: &[f32],
    bias: &[f32],
    mut output: MatMut,
) {
    let width = N * S::LANES;
    assert!(weight.len() == tile.features * width && bias.len() == width);
    assert!(output.rows() == tile.samples && output.columns() == width);
    for sample in 0..tile.samples {
        output.row_mut(sample).copy_from_slice(bias);
    }
    for (block, rows) in weight.chunks(BLOCK * width).enumerate() {
        for sample in 0..tile.samples {
            let at = block * tile.samples + sample;
            let range = tile.row_starts[at] as usize..tile.row_starts[at + 1] as usize;
            let place = output.row_mut(sample).as_mut_ptr();
            // SAFETY: reached through dispatch, so the machine has S. A row of the output has
            // `width` values. An entry's index lies within its block (see `fill`), and the block's
            // rows of the weights have `width` values each.
            unsafe {
                let mut sums = load_all::<S, N>(place);
                add_rows::<S, N>(&mut sums, &tile.row_entries[range], table, rows.as_ptr());
                store_all::<S, N>(place, &sums);
            }
        }
    }
}

#[inline(always)]
fn gradient<S: Simd, const N: usize>(
    tile: &Tile,
    table: &ByteTable,
    delta: &[f32],
    start: &[f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    let width = N * S::LANES;
    assert!(delta.len() == tile.samples * width && start.len() == width);
    assert!(grad_weight.len() == tile.features * width);
    assert!(tile.column_starts.len() == tile.features + 1, "the tile is not sorted by feature");
    for (feature, place) in grad_weight.chunks_exact_mut(width).enumerate() {
        let range = tile.column_starts[feature] as usize..tile.column_starts[feature + 1] as usize;
        let place = place.as_mut_ptr();
        // SAFETY: reached through dispatch, so the machine has S. `start`, `place` and each row
        // of `delta` have `width` values, and an entry's index is below `samples`.
        unsafe {
            let mut sums = load_all::<S, N>(start.as_ptr());
            if update == Update::Add {
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum = S::add(*sum, S::load(place.add(lane * S::LANES)));
                }
            }
            add_rows::<S, N>(&mut sums, &tile.column_entries[range], table, delta.as_ptr());
            store_all::<S, N>(place, &sums);
        }
    }
}

/// Calls a kernel with the number of registers that a strip of `width` columns takes.
macro_rules! by_registers {
    ($width:expr, $simd:ident, $kernel:ident($($argument:expr),*)) => {
        match $width / $simd::LANES {
            1 => $kernel::<$simd, 1>($($argument),*),
            2 => $kernel::<$simd, 2>($($argument),*),
            3 => $kernel::<$simd, 3>($($argument),*),
            4 => $kernel::<$simd, 4>($($argument),*),
            6 => $kernel::<$simd, 6>($($argument),*),
            8 => $kernel::<$simd, 8>($($argument),*),
            _ => panic!("a strip of {} columns is not one of 16, 32, 48, 64", $width),
        }
    };
}

impl Kernels {
    /// `output = bias + table[X] W` for one strip: `X` is the tile (samples x features), `W` is
    /// `weight` (features x width, row-major), `width` one of 16, 32, 48, 64.
    /// Reference: [`crate::reference::sparse_forward`].
    ///
    /// Panics where the sizes do not fit.
    pub fn sparse_forward(
        self,
        tile: &Tile,
        table: &ByteTable,
        weight: &[f32],
        bias: &[f32],
        output: MatMut,
    ) {
        dispatch!(
            self,
            (tile: &Tile, table: &ByteTable, weight: &[f32], bias: &[f32], output: MatMut),
            |S| by_registers!(bias.len(), S, forward(tile, table, weight, bias, output))
        );
    }

    /// `grad_weight (+)= start + table[X]^T delta` for one strip: `delta` is samples x width
    /// without gaps, `start` (width values) is added to every row.
    /// Reference: [`crate::reference::sparse_gradient`].
    ///
    /// Panics where the sizes do not fit or the tile is not sorted by feature.
    pub fn sparse_gradient(
        self,
        tile: &Tile,
        table: &ByteTable,
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
                table: &ByteTable,
                delta: &[f32],
                start: &[f32],
                grad_weight: &mut [f32],
                update: Update,
            ),
            |S| by_registers!(
                start.len(),
                S,
                gradient(tile, table, delta, start, grad_weight, update)
            )
        );
    }
}
