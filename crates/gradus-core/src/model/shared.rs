//! Predictions that ranks share: each computes those of its samples, and all get those of all, in their order.

use std::ops::Range;

use gradus_kernels::matrix::MatMut;
use gradus_kernels::threads::Workers;

use super::Model;
use super::forward::{Forward, Samples};
use crate::engine::cpu::CHUNK;
use crate::error::Result;
use crate::exchange::Ranks;
use crate::metrics::SampleResult;

/// What one rank tells the others of its samples.
pub(super) trait Told: Clone + Send {
    /// Adds its bytes.
    fn tell(&self, bytes: &mut Vec<u8>);

    /// Adds those that `bytes` are.
    fn hear(bytes: &[u8], told: &mut Vec<Self>);
}

impl Told for f32 {
    fn tell(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.to_le_bytes());
    }

    fn hear(bytes: &[u8], told: &mut Vec<f32>) {
        told.extend(bytes.as_chunks().0.iter().map(|&it| f32::from_le_bytes(it)));
    }
}

impl Told for SampleResult {
    fn tell(&self, bytes: &mut Vec<u8>) {
        let SampleResult { label, predicted, rank, confidence, label_probability, loss } = *self;
        for word in [label, predicted, rank] {
            bytes.extend(word.to_le_bytes());
        }
        for number in [confidence, label_probability, loss] {
            bytes.extend(number.to_le_bytes());
        }
    }

    fn hear(bytes: &[u8], told: &mut Vec<SampleResult>) {
        let (words, _) = bytes.as_chunks::<4>();
        let number = |word| f32::from_bits(u32::from_le_bytes(word));
        told.extend(words.as_chunks::<6>().0.iter().map(|words| SampleResult {
            label: u32::from_le_bytes(words[0]),
            predicted: u32::from_le_bytes(words[1]),
            rank: u32::from_le_bytes(words[2]),
            confidence: number(words[3]),
            label_probability: number(words[4]),
            loss: number(words[5]),
        }));
    }
}

impl Model {
    /// What `visit(forward, first sample, outputs)` makes of the outputs of all samples, in their order, on every rank. Ranks
    /// compute whole chunks, the same as one process would: their number changes no bit.
    pub(super) fn each_sample<T: Told>(
        &self,
        (workers, ranks): (&Workers, &Ranks),
        samples: Samples,
        visit: impl Fn(&Forward, usize, MatMut) -> Vec<T> + Sync,
    ) -> Result<Vec<T>> {
        let own = part(ranks, samples.count);
        let begin = own.start;
        let found = match own.is_empty() {
            true => Vec::new(),
            false => {
                let visit =
                    |forward: &Forward, at, outputs: MatMut| visit(forward, begin + at, outputs);
                self.each_chunk(workers, samples.part(own), visit)?.concat()
            }
        };
        if ranks.is_alone() {
            return Ok(found);
        }
        let mut bytes = Vec::new();
        found.iter().for_each(|it| it.tell(&mut bytes));
        drop(found);
        let mut all = Vec::new();
        ranks.lists(&bytes)?.iter().for_each(|list| T::hear(list, &mut all));
        Ok(all)
    }
}

/// The samples of this rank: whole chunks, except the last one of all.
fn part(ranks: &Ranks, count: usize) -> Range<usize> {
    let chunks = count.div_ceil(CHUNK);
    let first = |rank: usize| (chunks * rank / ranks.size() * CHUNK).min(count);
    first(ranks.rank())..first(ranks.rank() + 1)
}
