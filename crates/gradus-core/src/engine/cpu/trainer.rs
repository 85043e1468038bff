//! Epochs: all threads go through the batches together.
//!
//! In: the samples of an epoch and the learning rate of each step. Out: the figures of the epoch
//! ([`Totals`]); the parameters have changed. Every thread runs [`Trainer::work`], which makes the inputs of
//! some batches and then their steps (`step.rs`). Two ways of sharing the work are one: a batch is cut into
//! *micro-batches*, each computed by a *group* of threads, and within a group each thread owns some of the
//! units (`plan.rs`). A small batch is one micro-batch, so that the threads share the units; a large one is
//! several, so that each thread takes samples. The cuts depend on the batch and the network, never on the
//! number of threads, and sums are made in the order of the micro-batches: that is why the result does not
//! depend on the number of threads either.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gradus_kernels::sparse::TILE;
use gradus_kernels::threads::{SharedMatrix, Thread, ThreadGroup, Workers};

use crate::engine::cpu::hidden::HiddenRegularization;
use crate::engine::cpu::input::{InputBuffers, InputPipeline, Round};
use crate::engine::cpu::losses::sample_weights;
use crate::engine::cpu::partition::Partitioned;
use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::step::Step;
use crate::engine::cpu::update::{StepSize, Updater};
use crate::engine::cpu::workspace::{LOSS_ROWS, Scratch, Workspace};
use crate::engine::cpu::{CHUNK, kernels, lock};
use crate::engine::{LearningRate, Settings, Snapshot, Totals};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::samples::batches::Batches;
use crate::samples::{Subset, Targets};
use crate::transform::Transform;

/// A micro-batch is worth its own gradients from this many samples on: to sum them takes as long as some
/// hundred samples.
const MICRO_BATCH_SAMPLES: usize = 4096;

/// Most micro-batches: their gradients take memory, and as many threads can share a full batch by samples.
const MOST_MICRO_BATCHES: usize = 8;

/// What trains a network on the cores of this machine.
pub struct Trainer {
    pub(super) executor: Executor,
    pub(super) updater: Updater,
    pub(super) input: InputPipeline,
    pub(super) seed: u64,
    pub(super) smoothing: f32,
    /// Factor of each training sample's loss; none for 1.
    pub(super) weights: Option<Vec<f32>>,
    pub(super) micro_batches: Vec<MicroBatch>,
    workers: Workers,
    everyone: ThreadGroup,
    groups: Vec<ThreadGroup>,
    states: Vec<Mutex<ThreadState>>,
    batches: Batches,
    /// Samples and features of the data that it was made for.
    shape: (usize, usize),
    /// Steps made so far, those of the runs that this one continues included.
    steps: u64,
    /// Whether an epoch was run; the first one of a resumed run is not number 0.
    begun: bool,
    halt: AtomicBool,
}

/// A part of every batch, with what is computed of it.
pub(super) struct MicroBatch {
    pub(super) workspace: Workspace,
    /// Normalised samples, if inputs are dense.
    pub(super) input: Option<SharedMatrix>,
    pub(super) loss: Mutex<f64>,
    pub(super) correct: AtomicUsize,
}

/// The memory that one thread needs for itself.
pub(super) struct ThreadState {
    pub(super) scratch: Scratch,
    pub(super) buffers: InputBuffers,
    /// Target values of the samples whose losses are computed; empty in classification.
    pub(super) targets: Vec<f32>,
}

/// A thread's places: among all threads, and in the group that computes some of the micro-batches.
pub(super) struct Place<'a> {
    pub(super) all: Thread<'a>,
    pub(super) group: Thread<'a>,
    pub(super) micro_batches: Range<usize>,
}

impl Trainer {
    /// `data` are the samples that every epoch will be given.
    ///
    /// # Errors
    /// `InvalidArgument` for too many samples, for distortions of samples that are not images, and if the
    /// operating system refuses the threads.
    pub(crate) fn new(
        settings: &Settings,
        network: &Network,
        transform: Transform,
        data: &Subset,
    ) -> Result<Trainer> {
        let Settings { batch_size, regularization, seed, threads, .. } = settings;
        let kernels = kernels()?;
        let batches = Batches::new(data.len(), *batch_size)?;
        let input = InputPipeline::new(
            kernels,
            transform,
            data,
            &batches,
            regularization,
            *seed,
            *threads,
        )?;
        let (sparse, hidden) =
            (input.density.is_sparse(), HiddenRegularization::from(regularization));
        let executor = Executor::for_training(kernels, network, sparse, hidden);
        // Batch normalisation needs all samples of a batch at once.
        let whole = executor.plan.hidden.batch_norm;
        let count = match whole {
            true => 1,
            false => (batches.batch_size() / MICRO_BATCH_SAMPLES).clamp(1, MOST_MICRO_BATCHES),
        };
        let rows = batches.batch_size().div_ceil(count).next_multiple_of(TILE);
        let rows = if whole { rows } else { rows.min(CHUNK) };
        let features = (!sparse).then_some(data.features());
        let groups = count.min(*threads);
        Ok(Trainer {
            updater: Updater::new(settings, &executor),
            seed: *seed,
            smoothing: regularization.label_smoothing,
            weights: sample_weights(&regularization.class_weights, data),
            micro_batches: (0..count).map(|_| MicroBatch::new(&executor, rows, features)).collect(),
            workers: Workers::new(*threads).map_err(Error::argument)?,
            everyone: ThreadGroup::new(*threads),
            groups: (0..groups)
                .map(|group| ThreadGroup::new(share(*threads, group, groups).len()))
                .collect(),
            states: (0..*threads)
                .map(|_| Mutex::new(ThreadState::new(&executor, rows, input.buffers(), data)))
                .collect(),
            shape: (data.len(), data.features()),
            batches,
            steps: 0,
            begun: false,
            halt: AtomicBool::new(false),
            executor,
            input,
        })
    }

    /// Runs one epoch; raising `stop` ends it after the step in progress.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another number or size of samples than [`Trainer::new`] was given.
    pub(crate) fn epoch(
        &mut self,
        data: &Subset,
        epoch: usize,
        learning_rate: LearningRate,
        stop: &AtomicBool,
    ) -> Result<Totals> {
        self.check_data(data)?;
        if !self.batches.is_full() {
            self.batches.shuffle(self.seed, epoch as u64);
        }
        for micro_batch in &self.micro_batches {
            *lock(&micro_batch.loss) = 0.0;
            micro_batch.correct.store(0, Ordering::Relaxed);
        }
        self.halt.store(false, Ordering::Relaxed);
        let this = &*self;
        let done = AtomicUsize::new(0);
        self.workers.run(|index| this.work(index, data, epoch, learning_rate, stop, &done));
        let done = done.into_inner();
        self.begun = true;
        self.steps += done as u64;
        Ok(self.totals(data, done))
    }

    /// The figures of the first `done` batches.
    fn totals(&self, data: &Subset, done: usize) -> Totals {
        let batches = || (0..done).map(|batch| self.batches.batch(batch));
        let samples: usize = batches().map(<[u32]>::len).sum();
        let weight: f64 = batches().map(|batch| self.weight_of(batch)).sum();
        let mean = |sum: f64, count: f64| if count == 0.0 { 0.0 } else { sum / count };
        let correct: usize =
            self.micro_batches.iter().map(|it| it.correct.load(Ordering::Relaxed)).sum();
        Totals {
            loss: mean(self.micro_batches.iter().map(|it| *lock(&it.loss)).sum(), weight),
            accuracy: match &data.data().targets {
                Targets::Classes { .. } => Some(mean(correct as f64, samples as f64)),
                Targets::Values { .. } => None,
            },
            stopped: done < self.batches.len(),
        }
    }

    /// What is kept from epoch to epoch was made from other data, and would be wrong for these.
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

    /// What the losses of these samples are divided by: the sum of their factors.
    pub(super) fn weight_of(&self, samples: &[u32]) -> f64 {
        match &self.weights {
            Some(weights) => {
                samples.iter().map(|&sample| f64::from(weights[sample as usize])).sum()
            }
            None => samples.len() as f64,
        }
    }

    /// What thread `index` does in an epoch; `done` counts the batches.
    fn work(
        &self,
        index: usize,
        data: &Subset,
        epoch: usize,
        learning_rate: LearningRate,
        stop: &AtomicBool,
        done: &AtomicUsize,
    ) {
        let place = self.place(index);
        let mut state = lock(&self.states[index]);
        let per_round = self.input.round();
        for (number, first) in (0..self.batches.len()).step_by(per_round).enumerate() {
            let batches = first..(first + per_round).min(self.batches.len());
            if self.input.is_needed(!self.begun) {
                let step = self.steps + first as u64;
                let round = Round { number, batches: batches.clone(), epoch, step };
                self.input.fill_tiles(data, &self.batches, &round, &place.all, &mut state.buffers);
            }
            if index == 0 && stop.load(Ordering::Relaxed) {
                self.halt.store(true, Ordering::Relaxed);
            }
            // Barrier: any thread may read any tile of the round, and all must stop at the same step.
            place.all.barrier();
            if self.halt.load(Ordering::Relaxed) {
                return;
            }
            for batch in batches {
                let number_of_step = self.steps + batch as u64;
                let step = Step {
                    epoch,
                    size: StepSize { step: number_of_step, rate: learning_rate(number_of_step) },
                    batch: self.batches.batch(batch),
                    tiles: self.input.batch_tiles(number, batch - first),
                };
                self.step(&step, data, &place, &mut state);
                if index == 0 {
                    done.fetch_add(1, Ordering::Relaxed);
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

    /// Steps of an epoch.
    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Steps made so far, those of the runs that this one continues included.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// The threads, for other work between two epochs.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Whether all parameters are finite numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let finite = |matrix: &SharedMatrix| matrix.read().iter().all(|value| value.is_finite());
        finite(&self.executor.parameters) && finite(&self.executor.statistics)
    }

    /// Gives the model as it is now to `network`; the average if there is one.
    pub(crate) fn store(&self, network: &mut Network) {
        match &self.updater.ema {
            Some(ema) => self.executor.store_these(&ema.parameters, &ema.statistics, network),
            None => self.executor.store(network),
        }
    }

    /// All that later steps depend on.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let vectors = self
            .vectors()
            .into_iter()
            .map(|(name, order, memory)| (name.to_owned(), order.from_memory(&memory.read())));
        Snapshot { steps: self.steps, vectors: vectors.collect() }
    }

    /// Takes up where a snapshot was made.
    ///
    /// # Errors
    /// `InvalidArgument` if a vector is missing or has another length.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        for (name, order, memory) in self.vectors() {
            order.write(snapshot.vector(name, order.values())?, memory);
        }
        self.steps = snapshot.steps;
        Ok(())
    }

    /// The vectors that training changes, by name.
    fn vectors(&self) -> Vec<(&'static str, &Partitioned, &SharedMatrix)> {
        let Trainer { executor, updater, .. } = self;
        let (parameters, statistics) = (&executor.plan.parameters, &executor.plan.statistics);
        let [first, second] = &updater.moments;
        let mut vectors = vec![
            ("parameters", parameters, &executor.parameters),
            ("statistics", statistics, &executor.statistics),
            ("first_moment", parameters, first),
            ("second_moment", parameters, second),
        ];
        if let Some(ema) = &updater.ema {
            vectors.push(("ema", parameters, &ema.parameters));
            vectors.push(("ema_statistics", statistics, &ema.statistics));
        }
        vectors.retain(|(.., memory)| !memory.read().is_empty());
        vectors
    }
}

impl ThreadState {
    /// For up to `rows` samples at a time.
    fn new(executor: &Executor, rows: usize, buffers: InputBuffers, data: &Subset) -> ThreadState {
        let targets = match &data.data().targets {
            Targets::Classes { .. } => 0,
            Targets::Values { names, .. } => LOSS_ROWS * names.len(),
        };
        let scratch = Scratch::new(&executor.plan, rows);
        ThreadState { scratch, buffers, targets: vec![0.0; targets] }
    }
}

impl MicroBatch {
    /// For up to `rows` samples at a time; `features` are those of dense inputs.
    fn new(executor: &Executor, rows: usize, features: Option<usize>) -> MicroBatch {
        let input = features.map(|features| {
            let tiles: Vec<_> = (0..Workspace::loss_tiles(rows))
                .map(|tile| Workspace::loss_rows(tile, rows))
                .collect();
            SharedMatrix::by_rows(rows, features, &tiles)
        });
        MicroBatch {
            workspace: Workspace::new(&executor.plan, rows, true),
            input,
            loss: Mutex::new(0.0),
            correct: AtomicUsize::new(0),
        }
    }
}

/// Share number `index` of `shares` of `count` things in a row.
pub(super) fn share(count: usize, index: usize, shares: usize) -> Range<usize> {
    count * index / shares..count * (index + 1) / shares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Activation;
    use crate::optimizer::Optimizer;
    use crate::regularization::Regularization;
    use crate::samples::{Dataset, Inputs};

    #[test]
    fn every_thread_has_work() {
        let samples = MOST_MICRO_BATCHES * MICRO_BATCH_SAMPLES;
        let inputs = Inputs::Bytes(vec![1; samples]);
        let data = Dataset::new(inputs, vec![0; samples], vec![1], vec!["a".into()]).unwrap();
        let network = Network::dense(1, &[], &[Activation::Relu], 1).unwrap();
        for (micro_batches, threads) in [(8, 12), (8, 5), (8, 3), (2, 3), (2, 5), (2, 12), (1, 5)] {
            let settings = Settings {
                batch_size: micro_batches * MICRO_BATCH_SAMPLES,
                optimizer: Optimizer::SGD,
                regularization: Regularization::NONE,
                seed: 0,
                threads,
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
