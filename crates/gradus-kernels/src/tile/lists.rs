//! Lists of (index, value) pairs, as the sparse products read them: non-zero bytes or sorted pairs go
//! in, groups of four pairs come out.

use crate::arch::Simd;
use crate::dispatch::Kernels;

/// Pairs in a group: the products take four indices as one 32-bit word and four values as one
/// register, from which a shuffle spreads each value. Whole groups also leave no rest to loop over.
pub(crate) const GROUP: usize = 4;

/// Groups behind the last list that a vector store of 64 bytes may touch ([`Kernels::non_zeros`]).
const SLACK: usize = 64 / GROUP;

/// What the values of lists are: bytes or floats.
pub(crate) trait Value: Copy + Default {
    /// A group of them as `f32`, repeated to fill the register.
    ///
    /// # Safety
    /// The machine must have `S`.
    unsafe fn group<S: Simd>(values: &[Self; GROUP]) -> S::Vector;
}

impl Value for u8 {
    #[inline(always)]
    unsafe fn group<S: Simd>(values: &[u8; GROUP]) -> S::Vector {
        // SAFETY: the caller guarantees the instruction set; these are 4 bytes.
        unsafe { S::four_bytes(values.as_ptr()) }
    }
}

impl Value for f32 {
    #[inline(always)]
    unsafe fn group<S: Simd>(values: &[f32; GROUP]) -> S::Vector {
        // SAFETY: the caller guarantees the instruction set; these are 4 values.
        unsafe { S::four_values(values.as_ptr()) }
    }
}

/// Lists of (index, value) pairs, one after the other. Each is filled up to whole groups with pairs of
/// index 0 and value 0, which add nothing to a product.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lists<V> {
    /// List `i` holds the groups `starts[i]..starts[i + 1]`.
    starts: Vec<u32>,
    // Indices and values lie apart, so that a group of each is one load.
    indices: Vec<[u8; GROUP]>,
    values: Vec<[V; GROUP]>,
    /// Pairs in all lists, without those that fill up a group.
    pairs: usize,
}

/// Indices and values of a list, equally long.
pub(crate) type List<'a, V> = (&'a [[u8; GROUP]], &'a [[V; GROUP]]);

impl<V: Value> Lists<V> {
    /// Drops all lists and makes room for `lists` with `pairs` pairs in total. The memory only grows:
    /// once it has the size that the data need, no further call allocates.
    pub(super) fn clear(&mut self, lists: usize, pairs: usize) {
        self.starts.clear();
        self.starts.push(0);
        self.pairs = 0;
        // Each list may end with a group that is not full.
        let groups = pairs.div_ceil(GROUP) + lists + SLACK;
        assert!(u32::try_from(groups).is_ok(), "a tile cannot hold {pairs} values");
        if self.indices.len() < groups {
            self.indices.resize(groups, [0; GROUP]);
            self.values.resize(groups, [V::default(); GROUP]);
        }
    }

    /// Drops all lists, and that there ever were any: [`Lists::count`] is none.
    pub(super) fn forget(&mut self) {
        self.starts.clear();
    }

    /// How many lists there are; none after [`Lists::forget`].
    pub(super) fn count(&self) -> Option<usize> {
        self.starts.len().checked_sub(1)
    }

    /// Pairs in all lists.
    pub(super) fn pairs(&self) -> usize {
        self.pairs
    }

    /// Groups in all lists.
    fn end(&self) -> usize {
        self.starts.last().map_or(0, |&end| end as usize)
    }

    /// Adds a list: `write` puts its pairs at the start of the room for indices and values, and returns
    /// how many there are.
    #[inline(always)]
    fn add(&mut self, write: impl FnOnce(&mut [u8], &mut [V]) -> usize) {
        let end = self.end();
        let indices = self.indices[end..].as_flattened_mut();
        let values = self.values[end..].as_flattened_mut();
        let pairs = write(indices, values);
        // Fills up the last group, or overwrites up to three pairs that the next list overwrites again:
        // always three, so that their number is no branch.
        let rest = indices[pairs..].iter_mut().zip(&mut values[pairs..]);
        for (index, value) in rest.take(GROUP - 1) {
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

    /// Gives back the memory behind the last list.
    pub(super) fn shrink_to_fit(&mut self) {
        let end = self.end();
        self.indices.truncate(end);
        self.indices.shrink_to_fit();
        self.values.truncate(end);
        self.values.shrink_to_fit();
        self.starts.shrink_to_fit();
    }
}

impl Lists<u8> {
    /// Adds the list of the non-zero ones among `bytes`, of which there are at most 256.
    #[inline(always)]
    pub(super) fn push(&mut self, kernels: Kernels, bytes: &[u8]) {
        self.add(|indices, values| kernels.non_zeros(bytes, indices, values));
    }
}

impl Lists<f32> {
    /// Adds the list of these features and their values; indices count from feature `start` on.
    ///
    /// Panics where a feature is not one of the `size` from `start` on.
    pub(super) fn push_pairs(&mut self, start: usize, size: usize, which: &[u32], from: &[f32]) {
        self.add(|indices, values| {
            for (index, &feature) in indices.iter_mut().zip(which) {
                let within = (feature as usize).wrapping_sub(start);
                assert!(within < size, "the features of a sample must be in rising order");
                *index = within as u8;
            }
            values[..from.len()].copy_from_slice(from);
            from.len()
        });
    }

    /// Replaces the content by one list for each feature: the samples that have it, with its values. A
    /// counting sort, so that each list has its samples in rising order and no memory is needed
    /// besides the lists.
    pub(super) fn sort_by_feature<'a>(
        &mut self,
        features: usize,
        pairs: usize,
        samples: impl Iterator<Item = (&'a [u32], &'a [f32])> + Clone,
    ) {
        self.clear(features, pairs);
        self.starts.resize(features + 1, 0);
        // `starts[feature + 1]` is the end of a feature's list at last; on the way there it counts the
        // feature's pairs, ...
        for &feature in samples.clone().flat_map(|(which, _)| which) {
            self.starts[feature as usize + 1] += 1;
        }
        // ... is the place of its first pair, ...
        let mut groups = 0;
        for end in &mut self.starts[1..] {
            let pairs = std::mem::replace(end, (groups * GROUP) as u32);
            groups += (pairs as usize).div_ceil(GROUP);
        }
        assert!(u32::try_from(groups * GROUP).is_ok(), "a tile cannot hold {pairs} values");
        self.indices[..groups].fill([0; GROUP]);
        self.values[..groups].fill([0.0; GROUP]);
        let (indices, values) = (self.indices.as_flattened_mut(), self.values.as_flattened_mut());
        // ... and moves on with each pair that is put there, until it is the place behind the last.
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
