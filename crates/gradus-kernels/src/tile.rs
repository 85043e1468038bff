//! Mostly-zero bytes as lists of their non-zeros, in two orders (docs/maths.md M7).
//!
//! In come up to [`TILE`] samples of bytes. The lists by sample serve the forward product, those by
//! feature the gradient of the weights. Both are made by the same step: of a run of at most 256
//! bytes, keep the non-zero ones and where they stood.

use crate::arch::{self, SQUARE};
use crate::dispatch::{Kernels, dispatch};

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

/// Lists of (index, value) pairs, one after the other, each made up to whole groups with pairs of the
/// index 0 and the value 0, which add nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists {
    /// List `i` holds the groups `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
    indices: Vec<[u8; GROUP]>,
    values: Vec<[u8; GROUP]>,
    /// Pairs in all lists, those that add nothing not counted.
    pairs: usize,
}

impl Lists {
    /// No list, and room for `lists` of together `pairs` pairs.
    fn clear(&mut self, lists: usize, pairs: usize) {
        self.starts.clear();
        self.starts.push(0);
        self.pairs = 0;
        let groups = pairs.div_ceil(GROUP) + lists + SLACK;
        if self.indices.len() < groups {
            self.indices.resize(groups, [0; GROUP]);
            self.values.resize(groups, [0; GROUP]);
        }
    }

    /// Groups of all lists.
    fn end(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }

    /// Adds the list of the non-zeros of `bytes`, of which there are at most 256.
    #[inline(always)]
    fn push(&mut self, kernels: Kernels, bytes: &[u8]) {
        let end = self.end();
        let indices = self.indices[end..].as_flattened_mut();
        let values = self.values[end..].as_flattened_mut();
        let pairs = kernels.non_zeros(bytes, indices, values);
        for (index, value) in indices[pairs..].iter_mut().zip(&mut values[pairs..]).take(GROUP - 1)
        {
            (*index, *value) = (0, 0);
        }
        self.pairs += pairs;
        self.starts.push((end + pairs.div_ceil(GROUP)) as u32);
    }

    /// Indices and values of list `i`, equally long.
    #[inline(always)]
    pub(crate) fn list(&self, i: usize) -> (&[[u8; GROUP]], &[[u8; GROUP]]) {
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

/// Up to [`TILE`] samples of bytes, as lists of their non-zero values in both orders.
#[derive(Debug, Clone, Default)]
pub struct Tile {
    samples: usize,
    features: usize,
    /// List `b * samples + s`: block `b` of sample `s`; indices count within the block.
    pub(crate) by_sample: Lists,
    /// List `p`: feature `p`; indices are samples. Empty until asked for.
    pub(crate) by_feature: Lists,
    /// Feature after feature, [`TILE`] bytes each.
    transposed: Vec<u8>,
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
        self.by_sample.pairs
    }

    /// Whether the lists by feature are there.
    pub fn is_sorted(&self) -> bool {
        self.by_feature.starts.len() == self.features + 1
    }

    /// Replaces the content by these samples, with the lists by feature where `sorted`: a gradient
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
        let block = block_size(features);
        let lists = self.samples * features.div_ceil(block);
        self.by_sample.clear(lists, self.samples * features);
        for start in (0..features).step_by(block) {
            for sample in samples.clone() {
                self.by_sample.push(kernels, &sample[start..(start + block).min(features)]);
            }
        }
        self.by_feature.starts.clear();
        if sorted {
            self.transpose(samples);
            self.by_feature.clear(features, self.by_sample.pairs);
            for column in self.transposed.chunks_exact(TILE) {
                self.by_feature.push(kernels, &column[..self.samples]);
            }
        }
    }

    /// Writes the samples feature after feature, in squares of [`SQUARE`] samples and features.
    fn transpose<'a>(&mut self, mut samples: impl Iterator<Item = &'a [u8]>) {
        self.transposed.resize(self.features * TILE, 0);
        let empty: &[u8] = &[];
        for start in (0..self.samples).step_by(SQUARE) {
            let rows: [&[u8]; SQUARE] = std::array::from_fn(|_| samples.next().unwrap_or(empty));
            let whole = match rows[SQUARE - 1].is_empty() {
                true => 0,
                false => self.features / SQUARE * SQUARE,
            };
            for first in (0..whole).step_by(SQUARE) {
                let square = rows.map(|row| row[first..].first_chunk().unwrap_or(&[0; SQUARE]));
                let to = &mut self.transposed[first * TILE + start..];
                arch::transpose(square, to, TILE);
            }
            for feature in whole..self.features {
                for (offset, row) in rows.iter().enumerate().filter(|(_, row)| !row.is_empty()) {
                    self.transposed[feature * TILE + start + offset] = row[feature];
                }
            }
        }
    }

    /// Gives back memory that the content does not need: for tiles that are kept.
    pub fn shrink_to_fit(&mut self) {
        self.by_sample.shrink_to_fit();
        self.by_feature.shrink_to_fit();
        self.transposed = Vec::new();
    }
}

impl Kernels {
    /// Writes `values` as bytes where each is one of 0 to 255 times `1 / steps`, up to rounding (4e-7 of
    /// it); else returns false, and `bytes` holds anything. Reference:
    /// [`crate::reference::to_bytes`].
    ///
    /// Panics where the lengths differ.
    pub fn to_bytes(self, values: &[f32], steps: f32, bytes: &mut [u8]) -> bool {
        assert_eq!(values.len(), bytes.len());
        dispatch!(self, (values: &[f32], steps: f32, bytes: &mut [u8]) -> bool, |_S| {
            /// Adding it rounds to a whole number, which then stands in the lowest bits.
            const ROUND: f32 = 12_582_912.0;
            // No way out within a block, so that the compiler can take many values at a time.
            values.chunks(1024).zip(bytes.chunks_mut(1024)).all(|(values, bytes)| {
                let mut sound = true;
                for (value, byte) in values.iter().zip(bytes) {
                    let scaled = value * steps;
                    let shifted = scaled + ROUND;
                    let whole = shifted - ROUND;
                    *byte = shifted.to_bits() as u8;
                    sound &= (scaled - whole).abs() <= 4e-7 * whole && whole <= 255.0;
                }
                sound
            })
        })
    }

    /// Writes the non-zeros among at most 256 `bytes` and where they stood; returns how many.
    #[inline(always)]
    fn non_zeros(self, bytes: &[u8], indices: &mut [u8], values: &mut [u8]) -> usize {
        debug_assert!(bytes.len() <= 256);
        #[cfg(target_arch = "x86_64")]
        if self.isa() == crate::Isa::Avx512 && is_x86_feature_detected!("avx512vbmi2") {
            // SAFETY: this machine has AVX-512 F and BW (a Kernels value with this Isa exists) and
            // VBMI2.
            return unsafe { crate::arch::x86::non_zeros(bytes, indices, values) };
        }
        non_zeros(bytes, indices, values)
    }
}

/// The portable way: eight zeros at a time are skipped; of other words every byte is written, and
/// stays if the end moves past it.
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

    /// The pairs of a list but those that make it up to whole groups.
    fn pairs(indices: &[[u8; GROUP]], values: &[[u8; GROUP]]) -> impl Iterator<Item = (usize, u8)> {
        let (indices, values) = (indices.as_flattened(), values.as_flattened());
        let end = values.iter().rposition(|&value| value != 0).map_or(0, |last| last + 1);
        assert!(values.len() - end < GROUP, "no list is longer than it need be");
        assert!(values[..end].iter().all(|&value| value != 0));
        assert!(indices[end..].iter().all(|&index| index == 0));
        indices[..end].iter().map(|&index| index.into()).zip(values[..end].iter().copied())
    }

    #[test]
    fn lists_hold_the_non_zeros_in_both_orders() {
        for kernels in Kernels::available() {
            for (samples, features) in [(1, 1), (8, 8), (9, 17), (128, 300), (127, 784), (3, 1000)]
            {
                let byte = |i: usize| ((i * 7919) % 251 * (i % 3)) as u8;
                let x: Vec<u8> = (0..samples * features).map(byte).collect();
                let mut tile = Tile::default();
                // Nothing of earlier content may remain.
                let before = vec![7; TILE * 5];
                tile.fill(kernels, 5, before.chunks(5), true);
                tile.fill(kernels, features, x.chunks(features), true);
                assert!(tile.is_sorted());
                for sample in 0..samples {
                    let mut row = vec![0; features];
                    let size = block_size(features);
                    for block in 0..features.div_ceil(size) {
                        let (indices, values) = tile.by_sample.list(block * samples + sample);
                        for (index, value) in pairs(indices, values) {
                            row[block * size + index] = value;
                        }
                    }
                    assert_eq!(row, x[sample * features..][..features]);
                }
                for feature in 0..features {
                    let mut column = vec![0; samples];
                    let (indices, values) = tile.by_feature.list(feature);
                    let pairs: Vec<_> = pairs(indices, values).collect();
                    assert!(pairs.is_sorted());
                    for (index, value) in pairs {
                        column[index] = value;
                    }
                    assert!((0..samples).all(|s| column[s] == x[s * features + feature]));
                }
                tile.fill(kernels, features, x.chunks(features), false);
                assert!(!tile.is_sorted());
            }
        }
    }
}
