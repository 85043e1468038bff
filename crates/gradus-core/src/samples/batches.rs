//! Batches: the order in which samples are seen, cut into parts.

use rand::seq::SliceRandom;

use super::blocks::Blocks;
use super::source::check_count;
use crate::error::Result;
use crate::random::{Purpose, numbered_stream};

/// How the samples of an epoch are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shuffle {
    /// As they lie.
    No,
    /// Every sample by itself.
    Samples,
    /// Blocks of 8,192 samples, then the samples of some blocks among each other: the order of data that are larger than
    /// memory.
    Blocks,
}

impl Shuffle {
    /// All orders.
    pub const ALL: [Shuffle; 3] = [Shuffle::Samples, Shuffle::No, Shuffle::Blocks];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Shuffle::No => "false",
            Shuffle::Samples => "true",
            Shuffle::Blocks => "blocks",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Shuffle> {
        Shuffle::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// The samples of an epoch, batch by batch.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    order: Vec<u32>,
    batch: usize,
    /// Whether a last batch of one sample is left out.
    without_single: bool,
    /// How samples are read block by block; none to shuffle them one by one.
    blocks: Option<Blocks>,
}

impl Batches {
    /// `samples` samples in batches of `batch`; the last one holds what is left.
    ///
    /// # Errors
    /// `InvalidArgument` for more samples than 32-bit integers can number.
    pub(crate) fn new(samples: usize, batch: usize) -> Result<Batches> {
        // Before any memory is taken.
        check_count(samples)?;
        let order = (0..samples as u32).collect();
        let batch = batch.clamp(1, samples.max(1));
        Ok(Batches { order, batch, without_single: false, blocks: None })
    }

    /// From now on a last batch of one sample is left out: another sample in each epoch. For what is computed over the
    /// samples of a batch, such as their standard deviation.
    pub(crate) fn leave_out_single(&mut self) {
        self.without_single = true;
    }

    /// From now on samples of `row_bytes` bytes are shuffled block by block, as if they were read from a disk, for
    /// batches of so many micro-batches.
    pub(crate) fn shuffle_blocks(&mut self, row_bytes: usize, micro_batches: usize) {
        self.blocks = Some(Blocks::new(self.order.len(), row_bytes, micro_batches, self.batch));
    }

    /// Whether one batch holds all samples; there is nothing to shuffle then.
    pub(crate) fn is_full(&self) -> bool {
        self.batch == self.order.len()
    }

    /// The order of `epoch`: drawn from its own stream of `seed`, from the sorted order, so
    /// that it does not depend on the epochs before.
    pub(crate) fn shuffle(&mut self, seed: u64, epoch: u64) {
        if let Some(blocks) = self.blocks {
            return blocks.order(seed, epoch, &mut self.order);
        }
        for (at, index) in self.order.iter_mut().enumerate() {
            *index = at as u32;
        }
        self.order.shuffle(&mut numbered_stream(seed, Purpose::Shuffle, epoch));
    }

    /// Number of batches.
    pub(crate) fn len(&self) -> usize {
        let (whole, rest) = (self.order.len() / self.batch, self.order.len() % self.batch);
        let least = if self.without_single { 2 } else { 1 };
        whole + usize::from(rest >= least)
    }

    /// Samples in every batch but perhaps the last.
    pub(crate) fn batch_size(&self) -> usize {
        self.batch
    }

    /// The indices of the samples of batch `index`.
    pub(crate) fn batch(&self, index: usize) -> &[u32] {
        let end = ((index + 1) * self.batch).min(self.order.len());
        &self.order[index * self.batch..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_sees_every_sample_once_in_an_order_of_its_own() {
        let mut batches = Batches::new(10, 4).unwrap();
        batches.shuffle(1, 0);
        assert_eq!((batches.len(), batches.batch(2).len()), (3, 2));
        let all = |b: &Batches| (0..b.len()).flat_map(|i| b.batch(i).to_vec()).collect::<Vec<_>>();
        let first = all(&batches);
        let mut sorted = first.clone();
        sorted.sort();
        assert_eq!(sorted, (0..10).collect::<Vec<_>>());
        batches.shuffle(1, 1);
        assert_ne!(all(&batches), first);
        batches.shuffle(1, 0);
        assert_eq!(all(&batches), first);
    }

    #[test]
    fn a_last_batch_of_one_may_be_left_out() {
        for (samples, batch, expected) in [(9, 4, 2), (10, 4, 3), (8, 4, 2), (5, 5, 1)] {
            let mut batches = Batches::new(samples, batch).unwrap();
            batches.leave_out_single();
            assert_eq!(batches.len(), expected, "{samples} in batches of {batch}");
            assert!((0..batches.len()).all(|at| batches.batch(at).len() > 1));
        }
    }

    #[test]
    fn samples_that_cannot_be_numbered_are_refused() {
        let error = Batches::new(1 << 32, 128).unwrap_err().to_string();
        assert!(error.contains("4294967296 samples are more than the 4294967295"), "{error}");
    }
}
