//! Mostly-zero samples as lists of their non-zeros in two orders (docs/maths.md M7).
//!
//! In go up to [`TILE`] samples, either bytes or (feature, value) pairs. Out come lists by sample for
//! the forward product and lists by feature for the gradient of the weight. Read `lists.rs` for their
//! layout and `non_zeros.rs` for the step that makes both from bytes: it keeps the non-zero ones of a
//! run of at most 256 bytes. Pairs are cut into blocks, then sorted by feature.

mod lists;
mod non_zeros;

use crate::arch::{self, SQUARE};
use crate::dispatch::Kernels;
pub(crate) use lists::{List, Lists, Value};

/// Most samples in a tile. Sample numbers fit in a byte with it, and the gradients of a tile's samples
/// for one panel (128 x 64 values, 32 KiB) stay in the nearest cache.
pub const TILE: usize = 128;

/// Most features in a block. A block's rows of a panel should stay in a near cache while all samples of
/// a tile pass by (200 rows x 64 values are 50 KiB, of which images use a part), and its features
/// must be countable in a byte. Within these limits larger is better: fewer and longer lists.
const MAX_BLOCK: usize = 200;

/// Features in each block, except that the last one may have fewer: as few blocks as possible, of
/// nearly equal size (784 features are four blocks of 196, not three of 200 and one of 184).
pub(crate) fn block_size(features: usize) -> usize {
    features.div_ceil(features.div_ceil(MAX_BLOCK).max(1)).max(1)
}

/// The non-zeros of a tile in both orders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders<V> {
    /// List `b * samples + s`: block `b` of sample `s`; indices are features within the block.
    pub(crate) by_sample: Lists<V>,
    /// List `p`: feature `p`; indices are samples. Not there unless the tile is sorted.
    pub(crate) by_feature: Lists<V>,
}

impl<V: Value> Orders<V> {
    fn forget(&mut self) {
        self.by_sample.forget();
        self.by_feature.forget();
    }

    fn shrink_to_fit(&mut self) {
        self.by_sample.shrink_to_fit();
        self.by_feature.shrink_to_fit();
    }
}

/// The lists of a tile, for the two kinds of values.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A byte for each value: a quarter of the memory that the products have to read.
    Bytes(Orders<u8>),
    Floats(Orders<f32>),
}

/// Up to [`TILE`] samples as lists of their non-zero values in both orders.
#[derive(Debug, Clone)]
pub struct Tile {
    samples: usize,
    features: usize,
    pub(crate) content: Content,
    /// Scratch: samples of bytes feature after feature, [`TILE`] bytes each.
    transposed: Vec<u8>,
}

impl Default for Tile {
    /// No samples.
    fn default() -> Tile {
        let content = Content::Bytes(Orders::default());
        Tile { samples: 0, features: 0, content, transposed: Vec::new() }
    }
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

    /// Number of values in the lists, which are all that are not zero.
    pub fn non_zeros(&self) -> usize {
        match &self.content {
            Content::Bytes(orders) => orders.by_sample.pairs(),
            Content::Floats(orders) => orders.by_sample.pairs(),
        }
    }

    /// Whether there are lists by feature.
    pub fn is_sorted(&self) -> bool {
        let lists = match &self.content {
            Content::Bytes(orders) => orders.by_feature.count(),
            Content::Floats(orders) => orders.by_feature.count(),
        };
        lists == Some(self.features)
    }

    /// Drops all lists. The first thing that filling does: if it then panics, because a sample is wrong, no
    /// list of other samples or features is left, with which a product would read outside its slices.
    fn reset(&mut self, samples: usize, features: usize) {
        assert!(samples <= TILE, "a tile has at most {TILE} samples");
        match &mut self.content {
            Content::Bytes(orders) => orders.forget(),
            Content::Floats(orders) => orders.forget(),
        }
        (self.samples, self.features) = (samples, features);
    }

    /// Replaces the content by these samples of `features` bytes each, reusing its memory. With `sorted`
    /// there are lists by feature, too, which a gradient needs.
    ///
    /// Panics where there are more than [`TILE`] samples or one does not have `features` bytes.
    pub fn fill<'a>(
        &mut self,
        kernels: Kernels,
        features: usize,
        samples: impl ExactSizeIterator<Item = &'a [u8]>,
        sorted: bool,
    ) {
        self.reset(samples.len(), features);
        let mut rows: [&[u8]; TILE] = [&[]; TILE];
        let rows = &mut rows[..self.samples];
        let mut given = 0;
        for (row, sample) in rows.iter_mut().zip(samples) {
            assert_eq!(sample.len(), features, "every sample must have {features} bytes");
            // Shuffled samples may lie anywhere in memory: ask for all before the first is needed.
            arch::prefetch(sample);
            *row = sample;
            given += 1;
        }
        // Lists of fewer samples are not what the products expect.
        assert_eq!(given, rows.len(), "the iterator gives fewer samples than it says");
        self.list(kernels, features, rows, sorted);
    }

    /// The lists of samples of bytes. It knows nothing of where the samples come from, so that its loops are compiled
    /// once and keep their registers.
    #[inline(never)]
    fn list(&mut self, kernels: Kernels, features: usize, samples: &[&[u8]], sorted: bool) {
        if let Content::Floats(_) = self.content {
            self.content = Content::Bytes(Orders::default());
        }
        let Content::Bytes(Orders { by_sample, by_feature }) = &mut self.content else { return };
        let block = block_size(features);
        // How many are not zero is not known yet: room for all.
        by_sample.clear(samples.len() * features.div_ceil(block), samples.len() * features);
        for start in (0..features).step_by(block) {
            for sample in samples {
                by_sample.push(kernels, &sample[start..(start + block).min(features)]);
            }
        }
        if sorted {
            // Transposing all bytes and listing the rows of that is faster than sorting the pairs: both
            // run over whole registers.
            transpose(samples, features, &mut self.transposed);
            by_feature.clear(features, by_sample.pairs());
            for column in self.transposed.chunks_exact(TILE) {
                by_feature.push(kernels, &column[..samples.len()]);
            }
        }
    }

    /// Replaces the content by these samples, each given by the features whose values may be other than
    /// zero, in rising order, and these values. Otherwise like [`Tile::fill`].
    ///
    /// Panics where there are more than [`TILE`] samples, a sample has not as many values as features, or
    /// a feature is not below `features`. Features that are not in rising order may panic, too.
    pub fn fill_pairs<'a>(
        &mut self,
        features: usize,
        samples: impl ExactSizeIterator<Item = (&'a [u32], &'a [f32])> + Clone,
        sorted: bool,
    ) {
        self.reset(samples.len(), features);
        // As in `fill`.
        let samples = samples.take(self.samples);
        if let Content::Bytes(_) = self.content {
            self.content = Content::Floats(Orders::default());
        }
        let Content::Floats(Orders { by_sample, by_feature }) = &mut self.content else { return };
        let pairs = samples.clone().map(|(which, values)| {
            assert!(which.len() == values.len(), "a sample needs a value for each feature");
            assert!(which.last().is_none_or(|&last| (last as usize) < features));
            which.len()
        });
        let pairs = pairs.sum();
        let block = block_size(features);
        by_sample.clear(samples.len() * features.div_ceil(block), pairs);
        // How many pairs of each sample are in the blocks before.
        let mut done = [0; TILE];
        for start in (0..features).step_by(block) {
            let size = block.min(features - start);
            for ((which, values), done) in samples.clone().zip(&mut done) {
                let (which, values) = (&which[*done..], &values[*done..]);
                let count = which.partition_point(|&feature| (feature as usize) < start + block);
                by_sample.push_pairs(start, size, &which[..count], &values[..count]);
                *done += count;
            }
        }
        if sorted {
            by_feature.sort_by_feature(features, pairs, samples);
        }
    }

    /// Gives back all memory that the content does not need: for tiles that are kept for many epochs.
    pub fn shrink_to_fit(&mut self) {
        match &mut self.content {
            Content::Bytes(orders) => orders.shrink_to_fit(),
            Content::Floats(orders) => orders.shrink_to_fit(),
        }
        self.transposed = Vec::new();
    }
}

/// Writes the samples feature after feature, [`TILE`] bytes each, in squares of [`SQUARE`] samples and
/// features. Bytes behind the last sample have no meaning.
fn transpose(samples: &[&[u8]], features: usize, transposed: &mut Vec<u8>) {
    transposed.resize(features * TILE, 0);
    for (number, samples) in samples.chunks(SQUARE).enumerate() {
        let start = number * SQUARE;
        let rows: [&[u8]; SQUARE] =
            std::array::from_fn(|at| samples.get(at).copied().unwrap_or_default());
        // Squares as far as they are full of features, and only where there are 16 samples.
        let whole = match rows[SQUARE - 1].is_empty() {
            true => 0,
            false => features / SQUARE * SQUARE,
        };
        for first in (0..whole).step_by(SQUARE) {
            let square = rows.map(|row| row[first..].first_chunk().unwrap_or(&[0; SQUARE]));
            arch::transpose(square, &mut transposed[first * TILE + start..], TILE);
        }
        for feature in whole..features {
            for (offset, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
                transposed[feature * TILE + start + offset] = row[feature];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::lists::{GROUP, List};
    use super::*;

    /// The pairs of a list, without those that fill up its last group.
    fn pairs<V: Value + Into<f32>>(
        (indices, values): List<V>,
    ) -> impl Iterator<Item = (usize, f32)> {
        let values: Vec<f32> = values.as_flattened().iter().map(|&value| value.into()).collect();
        let indices = indices.as_flattened();
        let end = values.iter().rposition(|&value| value != 0.0).map_or(0, |last| last + 1);
        assert!(values.len() - end < GROUP, "no list is longer than it has to be");
        assert!(values[..end].iter().all(|&value| value != 0.0));
        assert!(indices[end..].iter().all(|&index| index == 0));
        indices[..end].iter().map(|&index| index.into()).zip(values).collect::<Vec<_>>().into_iter()
    }

    /// Checks that the lists hold `x`, sample after sample, and nothing else.
    fn assert_holds<V: Value + Into<f32>>(
        Orders { by_sample, by_feature }: &Orders<V>,
        (samples, features): (usize, usize),
        x: &[f32],
    ) {
        for sample in 0..samples {
            let mut row = vec![0.0; features];
            let size = block_size(features);
            for block in 0..features.div_ceil(size) {
                for (index, value) in pairs(by_sample.list(block * samples + sample)) {
                    row[block * size + index] = value;
                }
            }
            assert_eq!(row, x[sample * features..][..features]);
        }
        for feature in 0..features {
            let mut column = vec![0.0; samples];
            let pairs: Vec<_> = pairs(by_feature.list(feature)).collect();
            assert!(pairs.is_sorted_by_key(|(index, _)| *index));
            for (index, value) in pairs {
                column[index] = value;
            }
            assert!((0..samples).all(|s| column[s] == x[s * features + feature]));
        }
    }

    const SHAPES: [(usize, usize); 6] =
        [(1, 1), (8, 8), (9, 17), (128, 300), (127, 784), (3, 1000)];

    #[test]
    fn lists_hold_the_non_zeros_in_both_orders() {
        for kernels in Kernels::available() {
            for (samples, features) in SHAPES {
                let byte = |i: usize| ((i * 7919) % 251 * (i % 3)) as u8;
                let x: Vec<u8> = (0..samples * features).map(byte).collect();
                let mut tile = Tile::default();
                // Earlier content must leave no trace.
                let before = vec![7; TILE * 5];
                tile.fill(kernels, 5, before.chunks(5), true);
                tile.fill(kernels, features, x.chunks(features), true);
                assert!(tile.is_sorted());
                let Content::Bytes(orders) = &tile.content else { panic!("not bytes") };
                let values: Vec<f32> = x.iter().map(|&byte| byte.into()).collect();
                assert_holds(orders, (samples, features), &values);
                tile.fill(kernels, features, x.chunks(features), false);
                assert!(!tile.is_sorted());
            }
        }
    }

    /// A panic in the middle must not leave lists that belong to other samples.
    #[test]
    fn a_refused_sample_leaves_no_lists() {
        let kernels = Kernels::detect().unwrap();
        let mut tile = Tile::default();
        let refused: [&dyn Fn(&mut Tile); 3] = [
            &|tile| tile.fill(kernels, 5, [&[1; 4][..]].into_iter(), true),
            &|tile| tile.fill_pairs(5, [(&[1u32, 3][..], &[1.0f32; 3][..])].into_iter(), true),
            &|tile| tile.fill_pairs(5, [(&[5u32][..], &[1.0f32][..])].into_iter(), true),
        ];
        for fill in refused {
            tile.fill(kernels, 5, [7; TILE * 5].chunks(5), true);
            assert!(tile.is_sorted());
            let attempt = std::panic::AssertUnwindSafe(|| fill(&mut tile));
            assert!(std::panic::catch_unwind(attempt).is_err());
            assert!(!tile.is_sorted());
        }
    }

    #[test]
    fn lists_of_pairs_hold_them_in_both_orders() {
        let kernels = Kernels::detect().unwrap();
        for (samples, features) in SHAPES {
            let value = |i: usize| if i % 3 == 1 { (i * 7919 % 251) as f32 - 125.5 } else { 0.0 };
            let x: Vec<f32> = (0..samples * features).map(value).collect();
            let rows: Vec<(Vec<u32>, Vec<f32>)> = x
                .chunks(features)
                .map(|row| (0..).zip(row.iter().copied()).filter(|pair| pair.1 != 0.0).unzip())
                .collect();
            let rows = || rows.iter().map(|(which, values)| (&which[..], &values[..]));
            let mut tile = Tile::default();
            // Earlier content of either kind must leave no trace.
            let before = vec![7; TILE * 5];
            tile.fill(kernels, 5, before.chunks(5), true);
            tile.fill_pairs(5, vec![(&[0u32, 4][..], &[7.0f32, 7.0][..]); TILE].into_iter(), true);
            tile.fill_pairs(features, rows(), true);
            assert!(tile.is_sorted());
            assert_eq!(tile.non_zeros(), x.iter().filter(|&&value| value != 0.0).count());
            let Content::Floats(orders) = &tile.content else { panic!("not floats") };
            assert_holds(orders, (samples, features), &x);
            tile.fill_pairs(features, rows(), false);
            assert!(!tile.is_sorted());
        }
    }
}
