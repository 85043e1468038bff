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
use crate::engine::cpu::windows::{Plan, Windows, no_reader, reader};
use crate::engine::{Epoch, Halt, PartialEpoch, Totals};
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

    /// Makes the steps of all batches, or those that are left of them.
    ///
    /// # Errors
    /// `InvalidArgument` if the steps that were made are those of another run; those of reading samples that are not in
    /// memory, and of the exchange with other ranks.
    pub(super) fn pass_over(&mut self, data: &Subset, epoch: Epoch) -> Result<Totals> {
        if self.shuffle != Shuffle::No && !self.batches.is_full() {
            self.batches.shuffle(self.seed, epoch.number as u64);
        }
        let done = self.take_up(epoch.done)?;
        *lock(&self.halt) = None;
        self.ranks.begin();
        let (this, steps) = (&*self, self.steps());
        let first = steps.wrapping_sub(done as u64);
        match data.streamed() {
            None => this.workers.run(|index| this.work(index, data, (epoch, first), None)),
            Some(_) => this.pass_over_streamed(data, epoch, first)?,
        }
        let made = (self.steps() - steps) as usize;
        self.begun |= made > 0;
        self.ranks.check()?;
        let halt = *lock(&self.halt);
        self.totals(data, (done + made, halt))
    }

    /// Makes the steps of batches whose inputs are read meanwhile.
    fn pass_over_streamed(&self, data: &Subset, epoch: Epoch, first: u64) -> Result<()> {
        let done = (self.steps() - first) as usize;
        let plan = Plan {
            data: *data,
            order: &self.batches,
            batches: done..self.batches.len(),
            round: self.input.round(),
            needed: &|samples| self.input.needed(self.ranks.portion(), samples),
            threads: self.workers.count(),
        };
        let windows = Windows::default();
        std::thread::scope(|scope| {
            let _closing = windows.closing();
            reader().spawn_scoped(scope, || windows.read(&plan)).map_err(no_reader)?;
            self.workers.run(|index| self.work(index, data, (epoch, first), Some(&windows)));
            windows.check()
        })
    }

    /// Sets the sums of an epoch to what they were after the steps that were made of it, whose number is returned.
    fn take_up(&self, done: Option<&PartialEpoch>) -> Result<usize> {
        let portion = self.ranks.portion();
        if let Some(done) = done
            && (done.losses.len() != portion.all() || done.steps >= self.batches.len())
        {
            return Err(Error::argument(format!(
                "an epoch of {} steps in {} micro-batches cannot go on after {} steps in {}: the checkpoint is that of \
                 other settings, or damaged",
                self.batches.len(),
                portion.all(),
                done.steps,
                done.losses.len()
            )));
        }
        for (number, micro_batch) in portion.numbers().zip(&self.micro_batches) {
            *lock(&micro_batch.loss) = done.map_or(0.0, |done| done.losses[number]);
            // Only their sum over all ranks counts.
            let correct = done.filter(|_| number == 0).map_or(0, |done| done.correct);
            micro_batch.correct.store(correct, Ordering::Relaxed);
        }
        Ok(done.map_or(0, |done| done.steps))
    }

    /// The figures of the first `done` batches, and why the epoch was left after them.
    ///
    /// # Errors
    /// Those of the exchange with other ranks.
    pub(super) fn totals(
        &self,
        data: &Subset,
        (done, halt): (usize, Option<Halt>),
    ) -> Result<Totals> {
        let batches = || (0..done).map(|batch| self.batches.batch(batch));
        let samples: usize = batches().map(<[u32]>::len).sum();
        let weight: f64 = batches().map(|batch| self.weight_of(batch)).sum();
        let mean = |sum: f64, count: f64| if count == 0.0 { 0.0 } else { sum / count };
        let (losses, correct) = self.ranks.losses(&self.micro_batches)?;
        let loss: f64 = losses.iter().sum();
        let unit = loss_unit(self.terms.as_ref(), self.target_scale.as_ref());
        let made = || PartialEpoch { steps: done, losses, correct, seconds: 0.0 };
        Ok(Totals {
            loss: unit * mean(loss, weight),
            accuracy: match &data.data().targets {
                Targets::Classes { .. } | Targets::Labels { .. } => {
                    Some(mean(correct as f64, samples as f64))
                }
                Targets::Values { .. } => None,
            },
            left: (done < self.batches.len()).then(|| (halt.unwrap_or(Halt::Stop), made())),
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

    /// What thread `index` does in an epoch, whose first step is number `first_step`, from the batch on that comes next;
    /// `windows` have the inputs of samples that are not in memory.
    fn work(
        &self,
        index: usize,
        data: &Subset,
        (epoch, first_step): (Epoch, u64),
        windows: Option<&Windows>,
    ) {
        let place = self.place(index);
        let mut state = lock(&self.states[index]);
        let per_round = self.input.round();
        let begin = (self.steps().wrapping_sub(first_step)) as usize;
        for (number, first) in (begin..self.batches.len()).step_by(per_round).enumerate() {
            let batches = first..(first + per_round).min(self.batches.len());
            let window = match windows.map(|windows| windows.with(first)) {
                // It cannot be read; all threads are told the same.
                Some(None) => return,
                Some(window) => window,
                None => None,
            };
            if self.input.is_needed(!self.begun) {
                let step = first_step + first as u64;
                let round = Round { number, batches: batches.clone(), epoch: epoch.number, step };
                let (of, round) =
                    ((&self.batches, self.ranks.portion()), (&round, window.as_deref()));
                self.input.fill_tiles(data, of, round, &place.all, &mut state.buffers);
            }
            if index == 0 {
                *lock(&self.halt) = match self.ranks.is_alone() {
                    // A step is made between two pauses, however short the time between them is.
                    true => epoch.halt().filter(|halt| *halt == Halt::Stop || first > begin),
                    false => self.ranks.halt(),
                };
            }
            // Barrier: any thread may read any tile of the round, and all must stop at the same step.
            place.all.barrier();
            if lock(&self.halt).is_some() {
                return;
            }
            for batch in batches {
                let step = first_step + batch as u64;
                let step = Step {
                    of: &epoch,
                    size: StepSize { step, pace: (epoch.pace)(step) },
                    batch: self.batches.batch(batch),
                    tiles: self.input.batch_tiles(number, batch - first),
                    stored: window.as_ref().map(|window| window.batch(batch, &self.batches)),
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
        let memory = &self.groups[group];
        Place {
            all: self.everyone.thread(index),
            group: memory.threads.thread(index - first),
            memory,
            micro_batches: share(self.micro_batches.len(), group, groups),
        }
    }
}

#[cfg(test)]
mod tests {
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
            let members: usize = trainer.groups.iter().map(|it| it.threads.threads()).sum();
            assert_eq!(members, threads);
        }
    }
}
