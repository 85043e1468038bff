//! The order of samples that are read block by block, for data that are larger than memory.
//!
//! In: the number of samples, a seed, an epoch. Out: the order of the samples, a pure function of these: it has no state,
//! so that a run can be resumed anywhere, and whoever reads only a part computes that part alone.
//!
//! Samples lie in *blocks* of 8,192 rows. An epoch draws an order of the blocks and deals them to *streams*, one for each
//! micro-batch, in turn. A stream takes its blocks in *groups* of about 64 MB and the rows of a group in an order of their
//! own. A batch takes an equal share from each stream, as long as all of them last; what is left makes the last batches.
//! Thus a micro-batch needs one group in memory, and a rank only the streams of its micro-batches.

use rand::seq::SliceRandom;

use crate::random::{Purpose, numbered_stream};

/// Rows of a block.
pub(crate) const BLOCK: usize = 8192;

/// About how many bytes a group takes.
const GROUP_BYTES: usize = 64 << 20;

/// How the samples of a data set are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Blocks {
    samples: usize,
    /// Bytes of a sample.
    row_bytes: usize,
    /// Streams of an epoch: the micro-batches of a batch.
    streams: usize,
    /// Samples of a batch.
    batch: usize,
}

impl Blocks {
    pub(crate) fn new(samples: usize, row_bytes: usize, streams: usize, batch: usize) -> Blocks {
        Blocks { samples, row_bytes, streams, batch }
    }

    /// Blocks of a group.
    fn per_group(&self) -> usize {
        (GROUP_BYTES / (BLOCK * self.row_bytes.max(1))).max(1)
    }

    /// The blocks of each stream in `epoch`, in their order.
    fn streams(&self, seed: u64, epoch: u64) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..self.samples.div_ceil(BLOCK) as u32).collect();
        order.shuffle(&mut numbered_stream(seed, Purpose::Blocks, epoch));
        let deal = |stream| order.iter().copied().skip(stream).step_by(self.streams).collect();
        (0..self.streams).map(deal).collect()
    }

    /// The rows of group `number` of a stream, whose blocks are `blocks`.
    fn group(&self, seed: u64, place: (u64, usize, usize), blocks: &[u32], rows: &mut Vec<u32>) {
        let (epoch, stream, number) = place;
        let begin = rows.len();
        for &block in blocks {
            let first = block as usize * BLOCK;
            rows.extend(first as u32..(first + BLOCK).min(self.samples) as u32);
        }
        // 24 bits for the epoch, 6 for the stream, 18 for the group: 16 TB in a stream.
        let index = (epoch & 0xff_ffff) << 24 | (stream as u64) << 18 | number as u64;
        rows[begin..].shuffle(&mut numbered_stream(seed, Purpose::BlockRows, index));
    }

    /// The order of all samples in `epoch`, batch after batch, in place of what `order` holds.
    pub(crate) fn order(&self, seed: u64, epoch: u64, order: &mut Vec<u32>) {
        let streams: Vec<Vec<u32>> = self
            .streams(seed, epoch)
            .iter()
            .enumerate()
            .map(|(stream, blocks)| {
                let mut rows = Vec::new();
                for (number, blocks) in blocks.chunks(self.per_group()).enumerate() {
                    self.group(seed, (epoch, stream, number), blocks, &mut rows);
                }
                rows
            })
            .collect();
        // Shares of a batch differ by one where it cannot be divided.
        let share = |stream| {
            let place = |stream| self.batch * stream / self.streams;
            place(stream + 1) - place(stream)
        };
        let lasts = |(stream, rows): (usize, &Vec<u32>)| rows.len() / share(stream).max(1);
        let steps = streams.iter().enumerate().map(lasts).min().unwrap_or(0);
        order.clear();
        for step in 0..steps {
            for (stream, rows) in streams.iter().enumerate() {
                let share = share(stream);
                order.extend(&rows[step * share..(step + 1) * share]);
            }
        }
        for (stream, rows) in streams.iter().enumerate() {
            order.extend(&rows[steps * share(stream)..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(blocks: Blocks, seed: u64, epoch: u64) -> Vec<u32> {
        let mut order = vec![7];
        blocks.order(seed, epoch, &mut order);
        order
    }

    #[test]
    fn an_epoch_sees_every_sample_once() {
        for (samples, streams, batch) in
            [(1, 1, 1), (8192, 1, 100), (100_000, 1, 128), (100_000, 4, 1024), (30_000, 8, 1001)]
        {
            let blocks = Blocks::new(samples, 784, streams, batch);
            let mut sorted = order(blocks, 1, 0);
            sorted.sort();
            assert!(sorted.into_iter().eq(0..samples as u32), "{samples} {streams} {batch}");
        }
    }

    #[test]
    fn it_depends_on_seed_and_epoch_alone() {
        let blocks = Blocks::new(100_000, 784, 2, 512);
        let first = order(blocks, 1, 0);
        assert_eq!(first, order(blocks, 1, 0));
        assert_ne!(first, order(blocks, 1, 1));
        assert_ne!(first, order(blocks, 2, 0));
    }

    #[test]
    fn a_stream_takes_one_group_after_the_other() {
        // Groups of one block, and of ten.
        for (row_bytes, per_group) in [(8000, 1), (800, 10)] {
            let (streams, batch) = (4, 400);
            let blocks = Blocks::new(60 * BLOCK, row_bytes, streams, batch);
            assert_eq!(blocks.per_group(), per_group);
            let order = order(blocks, 3, 5);
            for stream in 0..streams {
                let rows: Vec<u32> = order
                    .chunks(batch)
                    .take(order.len() / batch / 2)
                    .flat_map(|batch| batch[100 * stream..100 * (stream + 1)].to_vec())
                    .collect();
                for group in rows.chunks_exact(per_group * BLOCK) {
                    let mut seen: Vec<u32> = group.iter().map(|&row| row / BLOCK as u32).collect();
                    // Not block after block.
                    let changes = seen.windows(2).filter(|pair| pair[0] != pair[1]).count();
                    assert_eq!(changes > BLOCK, per_group > 1);
                    seen.sort();
                    seen.dedup();
                    assert_eq!(seen.len(), per_group);
                }
            }
        }
    }
}
