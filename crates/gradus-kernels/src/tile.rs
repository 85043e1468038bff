//! Mostly-zero samples as lists of their non-zeros, in two orders (docs/maths.md M7).
//!
//! In come up to [`TILE`] samples, of bytes or as pairs of a feature and a value. The lists by sample
//! serve the forward product, those by feature the gradient of the weights. Of bytes both are made by
//! the same step: of a run of at most 256 bytes, keep the non-zero ones and where they stood. Pairs
//! are cut into blocks, and then counted and dealt out by feature.

use crate::arch::{self, SQUARE, Simd};
use crate::dispatch::{Isa, Kernels};

/// Most samples in a tile: their numbers fit in a byte.
pub const TILE: usize = 128;

/// Most features in a block: rows of weights that stay in a near cache while all samples of a tile
/// pass by (200 rows of a 64-column strip are 50 KiB, of which images use a part), and few enough
/// for a byte to count. Larger blocks make fewer, longer lists.
const MOST_IN_BLOCK: usize = 200;

/// Features in each block but perhaps the last: blocks as few and as equal as can be.
pub(crate) fn block_size(features: usize) -> usize {
    features.div_ceil(features.div_ceil(MOST_IN_BLOCK).max(1)).max(1)
}

/// Groups behind the end that a vector store may touch.
const SLACK: usize = 64 / GROUP;

/// Pairs of a list are taken this many at a time.
pub(crate) const GROUP: usize = 4;

/// What the values of lists are: bytes or floats.
pub(crate) trait Value: Copy + Default {
    /// A group of them, again and again in all lanes.
    ///
    /// # Safety
    /// The machine must have `S`.
    unsafe fn group<S: Simd>(values: &[Self; GROUP]) -> S::Vector;
}

impl Value for u8 {
    #[inline(always)]
    unsafe fn group<S: Simd>(values: &[u8; GROUP]) -> S::Vector {
        // SAFETY: the caller vouches for the instruction set; these are 4 bytes.
        unsafe { S::four_bytes(values.as_ptr()) }
    }
}

impl Value for f32 {
    #[inline(always)]
    unsafe fn group<S: Simd>(values: &[f32; GROUP]) -> S::Vector {
        // SAFETY: the caller vouches for the instruction set; these are 4 values.
        unsafe { S::four_values(values.as_ptr()) }
    }
}

/// Lists of (index, value) pairs, one after the other, each made up to whole groups with pairs of the
/// index 0 and the value 0, which add nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists<V> {
    /// List `i` holds the groups `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
    indices: Vec<[u8; GROUP]>,
    values: Vec<[V; GROUP]>,
    /// Pairs in all lists, those that add nothing not counted.
    pairs: usize,
}

/// Indices and values of a list, equally long.
pub(crate) type List<'a, V> = (&'a [[u8; GROUP]], &'a [[V; GROUP]]);

impl<V: Value> Lists<V> {
    /// No list, and room for `lists` of together `pairs` pairs.
    fn clear(&mut self, lists: usize, pairs: usize) {
        self.starts.clear();
        self.starts.push(0);
        self.pairs = 0;
        let groups = pairs.div_ceil(GROUP) + lists + SLACK;
        if self.indices.len() < groups {
            self.indices.resize(groups, [0; GROUP]);
            self.values.resize(groups, [V::default(); GROUP]);
        }
    }

    /// Groups of all lists.
    fn end(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }

    /// Ends the list that begins at the last end and has so many pairs.
    #[inline(always)]
    fn finish(&mut self, pairs: usize) {
        let end = self.end();
        let indices = self.indices[end..].as_flattened_mut()[pairs..].iter_mut();
        let values = &mut self.values[end..].as_flattened_mut()[pairs..];
        for (index, value) in indices.zip(values).take(GROUP - 1) {
            (*index, *value) = (0, V::default());
        }
        self.pairs += pairs;
        self.starts.push((end + pairs.div_ceil(GROUP)) as u32);
    }

    /// List `i`.
    #[inline(always)]
    pub(crate) fn list(&self, i: usize) -> List<'_, V> {
        let range = self.starts[i] as usize..self.starts[i + 1] as usize;
        (&self.indices[range.clone()], &self.values[range])
    }

    fn shrink_to_fit(&mut self) {
        let end = self.end();
        self.indices.truncate(end);
        self.indices.shrink_to_fit();
        self.values.truncate(end);
        self.values.shrink_to_fit();
        self.starts.shrink_to_fit();
    }
}

impl Lists<u8> {
    /// Adds the list of the non-zeros of `bytes`, of which there are at most 256.
    #[inline(always)]
    fn push(&mut self, kernels: Kernels, bytes: &[u8]) {
        let end = self.end();
        let indices = self.indices[end..].as_flattened_mut();
        let values = self.values[end..].as_flattened_mut();
        let pairs = kernels.non_zeros(bytes, indices, values);
        self.finish(pairs);
    }
}

impl Lists<f32> {
    /// Replaces the content by a list for each feature: the samples that have it, and its values. Each
    /// pair goes where its feature's list has got to, in the order of the samples.
    fn deal<'a>(
        &mut self,
        features: usize,
        pairs: usize,
        samples: impl Iterator<Item = (&'a [u32], &'a [f32])> + Clone,
    ) {
        self.clear(features, pairs);
        self.starts.resize(features + 1, 0);
        for &feature in samples.clone().flat_map(|(which, _)| which) {
            self.starts[feature as usize + 1] += 1;
        }
        // From how many pairs a feature has to where the first one goes, in its entry of `starts` for
        // the end: dealing moves that to behind the last one.
        let mut groups = 0;
        for end in &mut self.starts[1..] {
            let pairs = std::mem::replace(end, (groups * GROUP) as u32);
            groups += (pairs as usize).div_ceil(GROUP);
        }
        self.indices[..groups].fill([0; GROUP]);
        self.values[..groups].fill([0.0; GROUP]);
        let (indices, values) = (self.indices.as_flattened_mut(), self.values.as_flattened_mut());
        for (sample, (which, from)) in samples.enumerate() {
            for (&feature, &value) in which.iter().zip(from) {
                let next = &mut self.starts[feature as usize + 1];
                (indices[*next as usize], values[*next as usize]) = (sample as u8, value);
                *next += 1;
            }
        }
        for end in &mut self.starts[1..] {
            *end = end.div_ceil(GROUP as u32);
        }
        self.pairs = pairs;
    }
}

/// A tile's non-zeros in both orders.
#[derive(Debug, Clone, Default)]
pub(crate) struct Orders<V> {
    /// List `b * samples + s`: block `b` of sample `s`; indices count within the block.
    pub(crate) by_sample: Lists<V>,
    /// List `p`: feature `p`; indices are samples. Empty until asked for.
    pub(crate) by_feature: Lists<V>,
}

impl<V: Value> Orders<V> {
    fn shrink_to_fit(&mut self) {
        self.by_sample.shrink_to_fit();
        self.by_feature.shrink_to_fit();
    }
}

/// The lists of a tile.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    Bytes(Orders<u8>),
    Floats(Orders<f32>),
}

/// Up to [`TILE`] samples as lists of their non-zero values in both orders.
#[derive(Debug, Clone)]
pub struct Tile {
    samples: usize,
    features: usize,
    pub(crate) content: Content,
    /// Samples of bytes feature after feature, [`TILE`] bytes each.
    transposed: Vec<u8>,
}

impl Default for Tile {
    /// No sample.
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

    /// Number of values that are not left out as zeros.
    pub fn non_zeros(&self) -> usize {
        match &self.content {
            Content::Bytes(orders) => orders.by_sample.pairs,
            Content::Floats(orders) => orders.by_sample.pairs,
        }
    }

    /// Whether the lists by feature are there.
    pub fn is_sorted(&self) -> bool {
        let lists = match &self.content {
            Content::Bytes(orders) => orders.by_feature.starts.len(),
            Content::Floats(orders) => orders.by_feature.starts.len(),
        };
        lists == self.features + 1
    }

    /// Replaces the content by these samples of bytes, with the lists by feature where `sorted`: a gradient
    /// needs them. Reuses the memory of earlier content.
    ///
    /// Panics where there are more than [`TILE`] samples or one has not `features` bytes.
    pub fn fill<'a>(
        &mut self,
        kernels: Kernels,
        features: usize,
        samples: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        sorted: bool,
    ) {
        (self.samples, self.features) = (samples.len(), features);
        assert!(self.samples <= TILE, "a tile has at most {TILE} samples");
        for sample in samples.clone() {
            assert_eq!(sample.len(), features, "every sample must have {features} bytes");
            // Shuffled samples lie anywhere in memory: all are asked for before one is needed.
            arch::prefetch(sample);
        }
        if let Content::Floats(_) = self.content {
            self.content = Content::Bytes(Orders::default());
        }
        let Content::Bytes(Orders { by_sample, by_feature }) = &mut self.content else { return };
        let block = block_size(features);
        by_sample.clear(samples.len() * features.div_ceil(block), samples.len() * features);
        for start in (0..features).step_by(block) {
            for sample in samples.clone() {
                by_sample.push(kernels, &sample[start..(start + block).min(features)]);
            }
        }
        by_feature.starts.clear();
        if sorted {
            transpose(samples.clone(), features, &mut self.transposed);
            by_feature.clear(features, by_sample.pairs);
            for column in self.transposed.chunks_exact(TILE) {
                by_feature.push(kernels, &column[..samples.len()]);
            }
        }
    }

    /// Replaces the content by these samples, each of which is given as the features whose values may
    /// be other than 0, in rising order, and these values. As [`Tile::fill`] otherwise.
    ///
    /// Panics where there are more than [`TILE`] samples, or a sample has not as many values as
    /// features, a feature of `features` or more, or features in another order.
    pub fn fill_pairs<'a>(
        &mut self,
        features: usize,
        samples: impl ExactSizeIterator<Item = (&'a [u32], &'a [f32])> + Clone,
        sorted: bool,
    ) {
        (self.samples, self.features) = (samples.len(), features);
        assert!(self.samples <= TILE, "a tile has at most {TILE} samples");
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
        let mut done = [0; TILE];
        for start in (0..features).step_by(block) {
            for ((which, values), done) in samples.clone().zip(&mut done) {
                let (which, values) = (&which[*done..], &values[*done..]);
                let count = which.partition_point(|&feature| (feature as usize) < start + block);
                let end = by_sample.end();
                let indices = by_sample.indices[end..].as_flattened_mut();
                let size = block.min(features - start);
                for (index, &feature) in indices.iter_mut().zip(&which[..count]) {
                    let within = (feature as usize).wrapping_sub(start);
                    assert!(within < size, "the features of a sample must be in rising order");
                    *index = within as u8;
                }
                let to = &mut by_sample.values[end..].as_flattened_mut()[..count];
                to.copy_from_slice(&values[..count]);
                by_sample.finish(count);
                *done += count;
            }
        }
        by_feature.starts.clear();
        if sorted {
            by_feature.deal(features, pairs, samples);
        }
    }

    /// Gives back memory that the content does not need: for tiles that are kept.
    pub fn shrink_to_fit(&mut self) {
        match &mut self.content {
            Content::Bytes(orders) => orders.shrink_to_fit(),
            Content::Floats(orders) => orders.shrink_to_fit(),
        }
        self.transposed = Vec::new();
    }
}

/// Writes the samples feature after feature, [`TILE`] bytes each, in squares of [`SQUARE`] samples and
/// features.
fn transpose<'a>(
    mut samples: impl ExactSizeIterator<Item = &'a [u8]>,
    features: usize,
    transposed: &mut Vec<u8>,
) {
    transposed.resize(features * TILE, 0);
    let empty: &[u8] = &[];
    for start in (0..samples.len()).step_by(SQUARE) {
        let rows: [&[u8]; SQUARE] = std::array::from_fn(|_| samples.next().unwrap_or(empty));
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

impl Kernels {
    /// Writes the non-zero ones among at most 256 `bytes` to `values` and their places to `indices`,
    /// in rising order; returns how many there are. Reference: [`crate::reference::non_zeros`].
    ///
    /// `indices` and `values` need room for the pairs and 63 bytes more: a vector store may write that
    /// far. What lies behind the pairs is overwritten with anything.
    #[inline(always)]
    fn non_zeros(self, bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
        debug_assert!(bytes.len() <= 256, "a place must fit in a byte");
        match self.isa() {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a Kernels value with this Isa exists only where the machine has its features.
            Isa::Avx512Vbmi2 => unsafe { arch::avx512vbmi2::non_zeros(bytes, indices, values) },
            _ => non_zeros(bytes, indices, values),
        }
    }
}

/// [`Kernels::non_zeros`] in plain Rust: skips eight zeros at a time. In a word with a non-zero byte,
/// each byte is written, and stays if the end moves past it: no branch that depends on the data.
fn non_zeros(bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
    let mut end = 0;
    let mut put = |at: usize, value: u8| {
        indices[end] = at as u8;
        values[end] = value;
        end += usize::from(value != 0);
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for (word, at) in words.iter().zip((0..).step_by(8)) {
        if *word != [0; 8] {
            word.iter().enumerate().for_each(|(offset, &value)| put(at + offset, value));
        }
    }
    rest.iter().enumerate().for_each(|(offset, &value)| put(words.len() * 8 + offset, value));
    end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference;

    /// The pairs of a list but those that make it up to whole groups.
    fn pairs<V: Value + Into<f32>>(
        (indices, values): List<V>,
    ) -> impl Iterator<Item = (usize, f32)> {
        let values: Vec<f32> = values.as_flattened().iter().map(|&value| value.into()).collect();
        let indices = indices.as_flattened();
        let end = values.iter().rposition(|&value| value != 0.0).map_or(0, |last| last + 1);
        assert!(values.len() - end < GROUP, "no list is longer than it need be");
        assert!(values[..end].iter().all(|&value| value != 0.0));
        assert!(indices[end..].iter().all(|&index| index == 0));
        indices[..end].iter().map(|&index| index.into()).zip(values).collect::<Vec<_>>().into_iter()
    }

    /// Whether the lists hold `x`, samples after samples, and nothing else.
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
    fn non_zeros_of_any_number_of_bytes() {
        for share in [0, 1, 3, 6, 7] {
            let byte = |i: usize| if i * 31 % 7 < share { (i * 5 % 255 + 1) as u8 } else { 0 };
            let bytes: Vec<u8> = (0..256).map(byte).collect();
            for kernels in Kernels::available() {
                for len in 0..=bytes.len() {
                    let (mut indices, mut values) = ([9; 320], [9; 320]);
                    let found = kernels.non_zeros(&bytes[..len], &mut indices, &mut values);
                    let expected = reference::non_zeros(&bytes[..len]);
                    let pairs = indices.into_iter().zip(values).take(found);
                    assert_eq!(pairs.collect::<Vec<_>>(), expected, "{kernels:?}: {len} bytes");
                }
            }
        }
    }

    #[test]
    fn lists_hold_the_non_zeros_in_both_orders() {
        for kernels in Kernels::available() {
            for (samples, features) in SHAPES {
                let byte = |i: usize| ((i * 7919) % 251 * (i % 3)) as u8;
                let x: Vec<u8> = (0..samples * features).map(byte).collect();
                let mut tile = Tile::default();
                // Nothing of earlier content may remain.
                let before = vec![7; TILE * 5];
                tile.fill(kernels, 5, before.chunks(5), true);
                tile.fill(kernels, features, x.chunks(features), true);
                assert!(tile.is_sorted());
                let Content::Bytes(orders) = &tile.content else { panic!("no bytes") };
                let values: Vec<f32> = x.iter().map(|&byte| byte.into()).collect();
                assert_holds(orders, (samples, features), &values);
                tile.fill(kernels, features, x.chunks(features), false);
                assert!(!tile.is_sorted());
            }
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
            // Nothing of earlier content may remain, of either kind.
            let before = vec![7; TILE * 5];
            tile.fill(kernels, 5, before.chunks(5), true);
            tile.fill_pairs(5, vec![(&[0u32, 4][..], &[7.0f32, 7.0][..]); TILE].into_iter(), true);
            tile.fill_pairs(features, rows(), true);
            assert!(tile.is_sorted());
            assert_eq!(tile.non_zeros(), x.iter().filter(|&&value| value != 0.0).count());
            let Content::Floats(orders) = &tile.content else { panic!("no floats") };
            assert_holds(orders, (samples, features), &x);
            tile.fill_pairs(features, rows(), false);
            assert!(!tile.is_sorted());
        }
    }
}
