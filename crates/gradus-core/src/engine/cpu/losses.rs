//! From the outputs of own samples and their answers to losses and gradients: the one place in which
//! learning classes and learning values differ.

use std::ops::Range;
use std::sync::atomic::Ordering;

use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::Thread;

use crate::engine::cpu::input::Mix;
use crate::engine::cpu::trainer::{MicroBatch, Part, Trainer};
use crate::engine::cpu::workspace::{LOSS_ROWS, Workspace};
use crate::loss::{self, LabelTargets};
use crate::regularization::ClassWeights;
use crate::samples::{Dataset, Targets};

impl Trainer<'_> {
    /// Losses of own samples; their logits become gradients.
    pub(super) fn losses(
        &self,
        micro_batch: &MicroBatch,
        part: Part,
        thread: &Thread,
        targets: &mut [f32],
    ) {
        let mut correct = 0;
        let mix = self.input.mix(part.step, part.batch.len());
        let total = self.weight_of(part.batch);
        let total = if total > 0.0 { total } else { 1.0 };
        for partition in thread.share(Workspace::loss_partitions(part.count)) {
            let rows = Workspace::loss_rows(partition, part.count);
            let count = rows.len();
            let samples = Samples { part, rows, mix };
            let (mut losses, mut weights) = ([0.0; LOSS_ROWS], [1.0; LOSS_ROWS]);
            if let Some(given) = &self.weights {
                samples.gather(given, &mut weights);
            }
            let weights = self.weights.as_ref().map(|_| &weights[..count]);
            let mut logits = micro_batch.workspace.logits.write(partition);
            let mut logits = logits.view();
            let (logits, losses) = (logits.part_rows(0..count), &mut losses[..count]);
            match &self.data.targets {
                Targets::Classes { labels, .. } => {
                    correct +=
                        self.cross_entropies(&samples, labels, weights, total, logits, losses);
                }
                Targets::Values { values, .. } => {
                    self.squared_errors(&samples, values, weights, total, logits, targets, losses);
                }
            }
            let mut kept = micro_batch.workspace.losses.write(partition);
            let mut kept = kept.view();
            for (row, &loss) in losses.iter().enumerate() {
                kept.row_mut(row)[0] = loss;
            }
        }
        micro_batch.correct.fetch_add(correct, Ordering::Relaxed);
    }

    /// Cross-entropies with the samples' labels; returns how many logits are largest there.
    fn cross_entropies(
        &self,
        samples: &Samples,
        all_labels: &[u32],
        weights: Option<&[f32]>,
        total: f64,
        logits: MatMut,
        losses: &mut [f32],
    ) -> usize {
        let count = losses.len();
        let (mut labels, mut others) = ([0; LOSS_ROWS], [0; LOSS_ROWS]);
        let mut shares = [1.0; LOSS_ROWS];
        samples.gather(all_labels, &mut labels);
        if let Some(mix) = samples.mix {
            samples.partners(mix).zip(&mut others).for_each(|(at, other)| *other = all_labels[at]);
            shares[..count].fill(mix.share);
        }
        let targets = LabelTargets {
            labels: &labels[..count],
            mixed: samples.mix.map(|_| (&others[..count], &shares[..count])),
            weights,
            smoothing: self.smoothing,
        };
        let kernels = self.executor.kernels();
        loss::softmax_cross_entropy(kernels, logits, targets, total, losses)
    }

    /// Squared errors against the samples' values, which go through `targets`.
    fn squared_errors(
        &self,
        samples: &Samples,
        values: &[f32],
        weights: Option<&[f32]>,
        total: f64,
        outputs: MatMut,
        targets: &mut [f32],
        losses: &mut [f32],
    ) {
        let (kernels, width) = (self.executor.kernels(), outputs.columns());
        let of = |sample: usize| &values[sample * width..][..width];
        let targets = &mut targets[..losses.len() * width];
        for (target, sample) in targets.chunks_exact_mut(width).zip(samples.indices()) {
            target.copy_from_slice(of(sample));
        }
        if let Some(mix) = samples.mix {
            for (target, partner) in targets.chunks_exact_mut(width).zip(samples.partners(mix)) {
                kernels.blend(target, of(partner), mix.share);
            }
        }
        let targets = MatRef::new(targets, losses.len(), width);
        loss::squared_error(kernels, outputs, targets, weights, total, losses);
    }
}

/// Some samples of a part of a batch, and how they are mixed.
struct Samples<'a> {
    part: Part<'a>,
    rows: Range<usize>,
    mix: Option<Mix>,
}

impl Samples<'_> {
    /// Their indices in the data.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let Part { batch, first, .. } = self.part;
        self.rows.clone().map(move |row| batch[first + row] as usize)
    }

    /// The indices of the samples that are mixed into them.
    fn partners(&self, mix: Mix) -> impl Iterator<Item = usize> {
        let Part { batch, first, .. } = self.part;
        let partner = move |row| mix.partner(first + row, batch.len());
        self.rows.clone().map(move |row| batch[partner(row)] as usize)
    }

    /// What `of_all` has for them.
    fn gather<T: Copy>(&self, of_all: &[T], own: &mut [T]) {
        self.indices().zip(own).for_each(|(index, own)| *own = of_all[index]);
    }
}

/// The factor of each sample's loss: its own times its class's, where it has one. None where all are 1.
pub(super) fn sample_weights(class_weights: &ClassWeights, data: &Dataset) -> Option<Vec<f32>> {
    let Targets::Classes { labels, names } = &data.targets else {
        return data.sample_weights.clone();
    };
    let factors = match class_weights {
        ClassWeights::Equal => vec![1.0; names.len()],
        ClassWeights::Each(factors) => factors.clone(),
        ClassWeights::Balanced => {
            let mut counts = vec![0usize; names.len()];
            labels.iter().for_each(|&label| counts[label as usize] += 1);
            let present = counts.iter().filter(|&&count| count > 0).count();
            let factor = |&count: &usize| data.len() as f32 / (present * count.max(1)) as f32;
            counts.iter().map(factor).collect()
        }
    };
    if *class_weights == ClassWeights::Equal && data.sample_weights.is_none() {
        return None;
    }
    let own = |index: usize| data.sample_weights.as_ref().map_or(1.0, |weights| weights[index]);
    let factor = |(index, &label): (usize, &u32)| factors[label as usize] * own(index);
    Some(labels.iter().enumerate().map(factor).collect())
}
