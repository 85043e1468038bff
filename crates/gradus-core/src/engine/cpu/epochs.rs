//! Epochs: all threads go through the batches together.
//!
//! In: the samples of an epoch and the learning rate of each step. Out: the figures of the epoch
//! ([`Totals`]); the parameters have changed. Every thread runs [`Trainer::work`], which makes the inputs of
//! some batches and then their steps (`step.rs`).

use std::sync::atomic::Ordering;

use crate::engine::cpu::input::Round;
use crate::engine::cpu::lock;
use crate::engine::cpu::micro_batch::Place;
use crate::engine::cpu::output_terms::loss_unit;
use crate::engine::cpu::portion::share;
use crate::engine::cpu::step::Step;
use crate::engine::cpu::trainer::Trainer;
use crate::engine::cpu::update::StepSize;
use crate::engine::{Epoch, Totals};
use crate::error::{Error, Result};
use crate::samples::{Shuffle, Subset, Targets};

impl Trainer {
    /// Runs one epoch.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another number or size of samples than [`Trainer::new`] was given.
    pub(crate) fn epoch(&mut self, data: &Subset, epoch: Epoch) -> Result<Totals> {
        self.check_data(data)?;
        match self.lbfgs.take() {
            Some(state) => self.iteration(data, epoch, state),
            None => self.pass_over(data, epoch),
        }
    }

    /// Makes the steps of all batches.
    ///
    /// # Errors
    /// Those of the exchange with other ranks.
    pub(super) fn pass_over(&mut self, data: &Subset, epoch: Epoch) -> Result<Totals> {
        if self.shuffle != Shuffle::No && !self.batches.is_full() {
            self.batches.shuffle(self.seed, epoch.number as u64);
        }
        for micro_batch in &self.micro_batches {
            *lock(&micro_batch.loss) = 0.0;
            micro_batch.correct.store(0, Ordering::Relaxed);
        }
        self.halt.store(false, Ordering::Relaxed);
        self.ranks.begin();
        let (this, first) = (&*self, self.steps());
        self.workers.run(|index| this.work(index, data, epoch, first));
        self.begun = true;
        self.ranks.check()?;
        self.totals(data, (self.steps() - first) as usize)
    }

    /// The figures of the first `done` batches.
    ///
    /// # Errors
    /// Those of the exchange with other ranks.
    pub(super) fn totals(&self, data: &Subset, done: usize) -> Result<Totals> {
        let batches = || (0..done).map(|batch| self.batches.batch(batch));
        let samples: usize = batches().map(<[u32]>::len).sum();
        let weight: f64 = batches().map(|batch| self.weight_of(batch)).sum();
        let mean = |sum: f64, count: f64| if count == 0.0 { 0.0 } else { sum / count };
        let (losses, correct) = self.ranks.losses(&self.micro_batches)?;
        let loss: f64 = losses.into_iter().sum();
        let unit = loss_unit(self.terms.as_ref(), self.target_scale.as_ref());
        Ok(Totals {
            loss: unit * mean(loss, weight),
            accuracy: match &data.data().targets {
                Targets::Classes { .. } | Targets::Labels { .. } => {
                    Some(mean(correct as f64, samples as f64))
                }
                Targets::Values { .. } => None,
            },
            stopped: done < self.batches.len(),
            step_length: None,
            end: None,
        })
    }

    /// Refuses other data: what is kept from epoch to epoch would be wrong for them.
    fn check_data(&self, data: &Subset) -> Result<()> {
        let (found, expected) = ((data.len(), data.features()), self.shape);
        match found == expected {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "an epoch on {} samples of {} values, but the run was begun with {} of {}: give every \
                 epoch the data that the run was begun with",
                found.0, found.1, expected.0, expected.1
            ))),
        }
    }

    /// What thread `index` does in an epoch, whose first step is number `first_step`.
    fn work(&self, index: usize, data: &Subset, epoch: Epoch, first_step: u64) {
        let place = self.place(index);
        let mut state = lock(&self.states[index]);
        let per_round = self.input.round();
        for (number, first) in (0..self.batches.len()).step_by(per_round).enumerate() {
            let batches = first..(first + per_round).min(self.batches.len());
            if self.input.is_needed(!self.begun) {
                let step = first_step + first as u64;
                let round = Round { number, batches: batches.clone(), epoch: epoch.number, step };
                let of = (&self.batches, self.ranks.portion());
                self.input.fill_tiles(data, of, &round, &place.all, &mut state.buffers);
            }
            let stop = match self.ranks.is_alone() {
                true => epoch.stop.load(Ordering::Relaxed),
                false => self.ranks.is_stopped(),
            };
            if index == 0 && stop {
                self.halt.store(true, Ordering::Relaxed);
            }
            // Barrier: any thread may read any tile of the round, and all must stop at the same step.
            place.all.barrier();
            if self.halt.load(Ordering::Relaxed) {
                return;
            }
            for batch in batches {
                let step = first_step + batch as u64;
                let step = Step {
                    epoch: epoch.number,
                    size: StepSize { step, pace: (epoch.pace)(step) },
                    batch: self.batches.batch(batch),
                    tiles: self.input.batch_tiles(number, batch - first),
                    stop: epoch.stop,
                };
                self.step(&step, data, &place, &mut state);
                if self.ranks.has_failed() {
                    return;
                }
                if index == 0 {
                    self.steps.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// The places of thread `index`. Groups may differ by one thread, so that none is left out.
    fn place(&self, index: usize) -> Place<'_> {
        let (threads, groups) = (self.everyone.threads(), self.groups.len());
        let is_in = |group: &usize| share(threads, *group, groups).contains(&index);
        let group = (0..groups).find(is_in).unwrap_or(0);
        let first = share(threads, group, groups).start;
        Place {
            all: self.everyone.thread(index),
            group: self.groups[group].thread(index - first),
            micro_batches: share(self.micro_batches.len(), group, groups),
        }
    }
}

#[cfg(test)]
mod tests {
    use gradus_kernels::threads::ThreadGroup;

    use super::*;
    use crate::engine::Settings;
    use crate::engine::cpu::trainer::{MICRO_BATCH_SAMPLES, MOST_MICRO_BATCHES};
    use crate::exchange::Ranks;
    use crate::loss::Loss;
    use crate::network::{Activation, Network, Parametrization};
    use crate::optimizer::Optimizer;
    use crate::regularization::Regularization;
    use crate::samples::{Dataset, Inputs};
    use crate::transform::Transform;

    #[test]
    fn every_thread_has_work() {
        let samples = MOST_MICRO_BATCHES * MICRO_BATCH_SAMPLES;
        let inputs = Inputs::Bytes(vec![1; samples]);
        let data = Dataset::new(inputs, vec![0; samples], vec![1], vec!["a".into()]).unwrap();
        let network = Network::dense(1, &[], &[Activation::Relu], 1).unwrap();
        for (micro_batches, threads) in
            [(64, 5), (8, 12), (8, 5), (8, 3), (2, 3), (2, 5), (2, 12), (1, 5)]
        {
            let settings = Settings {
                batch_size: micro_batches * MICRO_BATCH_SAMPLES,
                shuffle: Shuffle::Samples,
                optimizer: Optimizer::SGD,
                parametrization: Parametrization::Standard,
                bias_rate: 1.0,
                scaling_rate: 1.0,
                scaling_decay: 0.0,
                category_decay: 0.0,
                regularization: Regularization::NONE,
                seed: 0,
                micro_batches: None,
                threads,
                ranks: Ranks::ALONE,
                loss: Loss::SoftmaxCrossEntropy,
                output_weights: Vec::new(),
                target_scale: None,
                scaling_layer: false,
            };
            let subset = (&data).into();
            let trainer = Trainer::new(&settings, &network, Transform::IDENTITY, &subset).unwrap();
            let mut computed = vec![0; micro_batches];
            for index in 0..threads {
                let place = trainer.place(index);
                assert!(
                    !place.micro_batches.is_empty(),
                    "{micro_batches} {threads}: {index} idles"
                );
                if place.group.index() == 0 {
                    place.micro_batches.for_each(|number| computed[number] += 1);
                }
            }
            assert_eq!(computed, vec![1; micro_batches], "{threads} threads");
            let members: usize = trainer.groups.iter().map(ThreadGroup::threads).sum();
            assert_eq!(members, threads);
        }
    }
}
