//! Losses: from the outputs for a thread's samples and their targets to losses and to the gradient with
//! respect to the outputs. This is the one place in which training for classification and for regression
//! differs.

use std::ops::Range;
use std::sync::atomic::Ordering;

use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::Thread;

use crate::engine::cpu::input::{Chunk, Mix};
use crate::engine::cpu::micro_batch::MicroBatch;
use crate::engine::cpu::trainer::Trainer;
use crate::engine::cpu::workspace::{LOSS_ROWS, Workspace};
use crate::loss::{LabelTargets, Loss};
use crate::samples::{Subset, Targets};

impl Trainer {
    /// Losses of this thread's samples; in `logits` the gradient takes the place of the logits.
    pub(super) fn losses(
        &self,
        data: &Subset,
        (micro_batch, workspace): (&MicroBatch, &Workspace),
        chunk: Chunk,
        thread: &Thread,
        targets: &mut [f32],
    ) {
        let mut correct = 0;
        let mix = self.input.mix(chunk.step, chunk.batch.len());
        let total = self.weight_of(chunk.batch);
        let total = if total > 0.0 { total } else { 1.0 };
        for tile in thread.share(Workspace::loss_tiles(chunk.count)) {
            let rows = Workspace::loss_rows(tile, chunk.count);
            let count = rows.len();
            let samples = Samples { data: *data, chunk, rows, mix };
            let (mut losses, mut weights) = ([0.0; LOSS_ROWS], [1.0; LOSS_ROWS]);
            if let Some(given) = &self.weights {
                samples.gather_own(given, &mut weights);
            }
            let weights = self.weights.as_ref().map(|_| &weights[..count]);
            let mut logits = workspace.logits.write(tile);
            let mut logits = logits.view();
            let (logits, losses) = (logits.part_rows(0..count), &mut losses[..count]);
            match &data.data().targets {
                Targets::Classes { labels, .. } => {
                    correct +=
                        self.cross_entropies(&samples, labels, weights, total, logits, losses);
                }
                Targets::Labels { values, .. } => {
                    correct += self
                        .label_losses(&samples, values, weights, total, logits, targets, losses);
                }
                Targets::Values { values, .. } => {
                    self.value_losses(&samples, values, weights, total, logits, targets, losses);
                }
            }
            let mut stored = workspace.losses.write(tile);
            let mut stored = stored.view();
            for (row, &loss) in losses.iter().enumerate() {
                stored.row_mut(row)[0] = loss;
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
        Loss::softmax_cross_entropy(kernels, logits, targets, total, losses)
    }

    /// Binary cross-entropies with the samples' labels, which go through `targets` as numbers; returns for how many samples
    /// all labels are predicted correctly.
    fn label_losses(
        &self,
        samples: &Samples,
        labels: &[u8],
        weights: Option<&[f32]>,
        total: f64,
        logits: MatMut,
        targets: &mut [f32],
        losses: &mut [f32],
    ) -> usize {
        let (rows, width) = (losses.len(), logits.columns());
        let of = |sample: usize| &labels[sample * width..][..width];
        let targets = &mut targets[..rows * width];
        let mut correct = 0;
        for (row, (target, sample)) in
            targets.chunks_exact_mut(width).zip(samples.indices()).enumerate()
        {
            let pairs = || logits.as_ref().row(row).iter().zip(of(sample));
            correct += usize::from(pairs().all(|(logit, label)| (*logit > 0.0) == (*label == 1)));
            target.iter_mut().zip(of(sample)).for_each(|(to, &label)| *to = label.into());
        }
        if let Some(mix) = samples.mix {
            for (target, partner) in targets.chunks_exact_mut(width).zip(samples.partners(mix)) {
                for (to, &label) in target.iter_mut().zip(of(partner)) {
                    *to = mix.share * *to + (1.0 - mix.share) * f32::from(label);
                }
            }
        }
        if let Some(terms) = &self.terms {
            let targets = MatRef::new(targets, rows, width);
            terms.losses(self.executor.kernels(), logits, targets, weights, total, losses);
        }
        correct
    }

    /// Losses against the samples' values, which go through `targets`; the gradient is that of standardized
    /// targets if there is a scale for them, the losses are always those in own units.
    fn value_losses(
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
        let rows = losses.len();
        self.gather_values(samples, values, width, &mut targets[..rows * width]);
        let targets = &mut targets[..rows * width];
        if let Some(terms) = &self.terms {
            if let Some(scale) = &self.target_scale {
                scale.standardize(targets);
            }
            let targets = MatRef::new(targets, rows, width);
            return terms.losses(kernels, outputs, targets, weights, total, losses);
        }
        let Some(scale) = &self.target_scale else {
            let targets = MatRef::new(targets, rows, width);
            return Loss::squared_error(kernels, outputs, targets, weights, total, losses);
        };
        scale.standardize(targets);
        // The kernel's losses are of standardized outputs, which have other shares in the loss in own units.
        let mut own = [0.0; LOSS_ROWS];
        for (row, own) in own.iter_mut().take(losses.len()).enumerate() {
            let weight = weights.map_or(1.0, |weights| weights[row]);
            *own = scale.loss(outputs.as_ref().row(row), &targets[row * width..][..width], weight);
        }
        let targets = MatRef::new(targets, rows, width);
        Loss::squared_error(kernels, outputs, targets, weights, total, losses);
        losses.copy_from_slice(&own[..losses.len()]);
    }

    /// The samples' values, mixed if they are, as the target of each of `width` outputs: outputs of one target follow
    /// each other.
    fn gather_values(&self, samples: &Samples, values: &[f32], width: usize, targets: &mut [f32]) {
        let count = width / self.per_target;
        let of = |sample: usize| &values[sample * count..][..count];
        for (row, sample) in targets.chunks_exact_mut(width).zip(samples.indices()) {
            row[..count].copy_from_slice(of(sample));
        }
        if let Some(mix) = samples.mix {
            for (row, partner) in targets.chunks_exact_mut(width).zip(samples.partners(mix)) {
                self.executor.kernels().blend(&mut row[..count], of(partner), mix.share);
            }
        }
        if self.per_target > 1 {
            for row in targets.chunks_exact_mut(width) {
                // From the end, so that nothing is overwritten before it is copied.
                (0..width).rev().for_each(|at| row[at] = row[at / self.per_target]);
            }
        }
    }
}

/// Some samples of a chunk, and how they are mixed.
struct Samples<'a> {
    data: Subset<'a>,
    chunk: Chunk<'a>,
    rows: Range<usize>,
    mix: Option<Mix>,
}

impl Samples<'_> {
    /// Their numbers among the training samples.
    fn own(&self) -> impl Iterator<Item = usize> {
        let Chunk { batch, first, .. } = self.chunk;
        self.rows.clone().map(move |row| batch[first + row] as usize)
    }

    /// Their numbers in the data set.
    fn indices(&self) -> impl Iterator<Item = usize> {
        self.own().map(|sample| self.data.index(sample))
    }

    /// The numbers, in the data set, of the samples that are mixed into them.
    fn partners(&self, mix: Mix) -> impl Iterator<Item = usize> {
        let Chunk { batch, first, .. } = self.chunk;
        let partner = move |row| mix.partner(first + row, batch.len());
        self.rows.clone().map(move |row| self.data.index(batch[partner(row)] as usize))
    }

    /// What `of_all` has for them, a value for each sample of the data set.
    fn gather<T: Copy>(&self, of_all: &[T], own: &mut [T]) {
        self.indices().zip(own).for_each(|(index, own)| *own = of_all[index]);
    }

    /// What `of_all` has for them, a value for each training sample.
    fn gather_own<T: Copy>(&self, of_all: &[T], own: &mut [T]) {
        self.own().zip(own).for_each(|(sample, own)| *own = of_all[sample]);
    }
}
