//! The steps of an epoch, run by all workers together.
//!
//! Every worker runs [`Trainer::work`]; they meet where one needs what others have made. Two ways
//! of sharing the work are one: a batch is part into *micro_batches* of samples, a micro_batch has a workspace and
//! a *group* of workers, and within a group each thread owns some of the units (see
//! `network/plan.rs`). A small batch is one micro_batch, so that the workers share the units; a large
//! one has several, so that each worker takes samples. The partition depends on the batch and the
//! network, never on the number of workers, and sums are made in the order of the micro_batches: that is
//! why the result does not depend on the number of workers either.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gradus_kernels::dense::Update;
use gradus_kernels::sparse::TILE;
use gradus_kernels::threads::{SharedMatrix, Thread, ThreadGroup, Workers};

use crate::engine::cpu::hidden::{HiddenRegularization, RngKey};
use crate::engine::cpu::input::{InputBuffers, InputPipeline, tile_rows};
use crate::engine::cpu::losses::sample_weights;
use crate::engine::cpu::passes::{Executor, Input, SharedTile};
use crate::engine::cpu::update::Stepper;
use crate::engine::cpu::workspace::{LOSS_ROWS, Scratch, Workspace};
use crate::engine::cpu::{CHUNK, Density, kernels, lock};
use crate::engine::{LearningRate, Settings, Totals};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::samples::batches::Batches;
use crate::samples::{Dataset, Targets};
use crate::transform::Transform;

/// A micro_batch is worth its own gradients from this many samples on.
const LANE_SAMPLES: usize = 4096;

/// Most micro_batches: as many workers can share a full batch by samples.
const MOST_LANES: usize = 8;

/// What a run needs at every step.
pub(crate) struct Trainer<'a> {
    pub(crate) workers: Workers,
    pub(crate) executor: Executor,
    pub(crate) stepper: Stepper,
    pub(super) data: &'a Dataset,
    pub(super) input: InputPipeline<'a>,
    batches: Batches,
    seed: u64,
    pub(super) smoothing: f32,
    /// Factor of each sample's loss; none for 1.
    pub(super) weights: Option<Vec<f32>>,
    everyone: ThreadGroup,
    groups: Vec<ThreadGroup>,
    pub(super) micro_batches: Vec<MicroBatch>,
    own: Vec<Mutex<ThreadState>>,
    /// Whether an epoch was run; a resumed run's first is not number 0.
    begun: bool,
    halt: AtomicBool,
}

/// A part of every batch, with what is computed of it.
pub(super) struct MicroBatch {
    pub(super) workspace: Workspace,
    /// Normalised samples, where they are dense.
    input: Option<SharedMatrix>,
    loss: Mutex<f64>,
    pub(super) correct: AtomicUsize,
}

/// What one worker needs for itself.
struct ThreadState {
    scratch: Scratch,
    buffers: InputBuffers,
    /// Values of the samples whose losses are computed; empty where they have classes.
    targets: Vec<f32>,
}

/// Some samples of a batch.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) epoch: usize,
    pub(super) step: u64,
    /// The whole batch.
    pub(super) batch: &'a [u32],
    /// Place of the first of these samples in the batch.
    pub(super) first: usize,
    /// How many they are.
    pub(super) count: usize,
}

impl<'a> Trainer<'a> {
    pub(crate) fn new(
        settings: &Settings,
        network: &Network,
        transform: Transform,
        data: &'a Dataset,
    ) -> Result<Trainer<'a>> {
        let kernels = kernels()?;
        let Settings { batch_size, regularization, seed, threads, .. } = settings;
        let (seed, threads) = (*seed, *threads);
        let batches = Batches::new(data.len(), *batch_size);
        let input = (transform, data);
        let input = InputPipeline::new(kernels, input, &batches, regularization, seed, threads)?;
        let sparse = input.density.is_sparse();
        let executor = Executor::for_training(
            kernels,
            network,
            sparse,
            HiddenRegularization::from(regularization),
        );
        let workers = Workers::new(threads).map_err(Error::argument)?;
        let plan = &executor.plan;
        // Batch normalisation needs all samples of a batch at once.
        let whole = plan.hidden.batch_norm;
        let micro_batches = match whole {
            true => 1,
            false => (batches.batch_size() / LANE_SAMPLES).clamp(1, MOST_LANES),
        };
        let groups = micro_batches.min(threads);
        let rows = batches.batch_size().div_ceil(micro_batches).next_multiple_of(TILE);
        let rows = if whole { rows } else { rows.min(CHUNK) };
        let features = data.features();
        let micro_batch = || MicroBatch {
            workspace: Workspace::new(plan, rows, true),
            input: (!sparse).then(|| {
                let parts = (0..rows).step_by(LOSS_ROWS).map(|row| row..row + LOSS_ROWS);
                SharedMatrix::by_rows(rows, features, &parts.collect::<Vec<_>>())
            }),
            loss: Mutex::new(0.0),
            correct: AtomicUsize::new(0),
        };
        let own = || {
            let (scratch, buffers) = (Scratch::new(plan, rows), input.buffers());
            let targets = match &data.targets {
                Targets::Classes { .. } => Vec::new(),
                Targets::Values { names, .. } => vec![0.0; LOSS_ROWS * names.len()],
            };
            Mutex::new(ThreadState { scratch, buffers, targets })
        };
        Ok(Trainer {
            everyone: ThreadGroup::new(threads),
            groups: (0..groups).map(|_| ThreadGroup::new(threads / groups)).collect(),
            micro_batches: (0..micro_batches).map(|_| micro_batch()).collect(),
            own: (0..threads).map(|_| own()).collect(),
            stepper: Stepper::new(settings, &executor),
            weights: sample_weights(&regularization.class_weights, data),
            smoothing: regularization.label_smoothing,
            workers,
            executor,
            data,
            input,
            batches,
            seed,
            begun: false,
            halt: AtomicBool::new(false),
        })
    }

    /// Runs one epoch; raising `stop` ends it after the step in progress.
    pub(crate) fn epoch(
        &mut self,
        epoch: usize,
        learning_rate: LearningRate,
        stop: &AtomicBool,
    ) -> Totals {
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
        self.workers.run(|index| this.work(index, epoch, learning_rate, stop, &done));
        let done = done.into_inner();
        self.begun = true;
        self.stepper.steps += done as u64;
        let batches = || (0..done).map(|batch| self.batches.batch(batch));
        let samples: usize = batches().map(<[u32]>::len).sum();
        let weight: f64 = batches().map(|batch| self.weight_of(batch)).sum();
        let mean = |sum: f64, count: f64| if count == 0.0 { 0.0 } else { sum / count };
        let correct: usize = self
            .micro_batches
            .iter()
            .map(|micro_batch| micro_batch.correct.load(Ordering::Relaxed))
            .sum();
        Totals {
            loss: mean(
                self.micro_batches.iter().map(|micro_batch| *lock(&micro_batch.loss)).sum(),
                weight,
            ),
            accuracy: match &self.data.targets {
                Targets::Classes { .. } => Some(mean(correct as f64, samples as f64)),
                Targets::Values { .. } => None,
            },
            stopped: done < self.batches.len(),
        }
    }

    /// Whether the parameters are laid out for mostly-zero bytes.
    pub(crate) fn is_sparse(&self) -> bool {
        self.input.density.is_sparse()
    }

    /// Steps of an epoch.
    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Whether all parameters are numbers.
    pub(crate) fn is_finite(&self) -> bool {
        let finite = |matrix: &SharedMatrix| matrix.read().iter().all(|value| value.is_finite());
        finite(&self.executor.parameters) && finite(&self.executor.statistics)
    }

    /// Gives the model as it is now, averaged where that is asked for, to `network`.
    pub(crate) fn store(&self, network: &mut Network) {
        match self.stepper.average() {
            Some([parameters, statistics]) => {
                self.executor.store_these(&parameters.read(), &statistics.read(), network);
            }
            None => self.executor.store(network),
        }
    }

    /// What the losses of these samples are divided by: the sum of their factors.
    pub(super) fn weight_of(&self, samples: &[u32]) -> f64 {
        match &self.weights {
            Some(weights) => samples.iter().map(|&index| f64::from(weights[index as usize])).sum(),
            None => samples.len() as f64,
        }
    }

    /// What worker `index` does in an epoch; `done` counts the batches.
    fn work(
        &self,
        index: usize,
        epoch: usize,
        learning_rate: LearningRate,
        stop: &AtomicBool,
        done: &AtomicUsize,
    ) {
        let all = self.everyone.thread(index);
        let threads = self.groups[0].threads();
        let group = index / threads;
        let place = self.groups.get(group).map(|group| group.thread(index % threads));
        let mut own = lock(&self.own[index]);
        for (round, first) in (0..self.batches.len()).step_by(self.input.round()).enumerate() {
            let batches = first..(first + self.input.round()).min(self.batches.len());
            if self.input.is_needed(!self.begun) {
                let when = (epoch, self.stepper.steps + first as u64);
                let what = (round, batches.clone());
                self.input.fill_tiles(&self.batches, what, when, &all, &mut own.buffers);
            }
            if index == 0 && stop.load(Ordering::Relaxed) {
                self.halt.store(true, Ordering::Relaxed);
            }
            all.barrier();
            if self.halt.load(Ordering::Relaxed) {
                return;
            }
            for batch in batches {
                let tiles = self.input.batch_tiles(round, batch - first);
                let step = self.stepper.steps + batch as u64;
                if let Some(thread) = &place {
                    let batch = self.batches.batch(batch);
                    let whole = Part { epoch, step, batch, first: 0, count: batch.len() };
                    for micro_batch in share(self.micro_batches.len(), group, self.groups.len()) {
                        self.micro_batch(micro_batch, whole, tiles, thread, &mut own);
                    }
                }
                let rate = learning_rate(step);
                self.stepper.step(&self.executor, &self.micro_batches, (step, rate), &all);
                if index == 0 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Forward, loss and backward of one micro_batch of a batch; its gradients are then in its workspace.
    fn micro_batch(
        &self,
        index: usize,
        whole: Part,
        tiles: &[SharedTile],
        thread: &Thread,
        own: &mut ThreadState,
    ) {
        let micro_batch = &self.micro_batches[index];
        let samples = whole.batch.len();
        let range = share(samples.div_ceil(TILE), index, self.micro_batches.len());
        let per_chunk = micro_batch.workspace.rows() / TILE;
        let mut update = Update::Overwrite;
        for start in range.clone().step_by(per_chunk) {
            let end = (start + per_chunk).min(range.end);
            let rows = tile_rows(start, samples).start..tile_rows(end - 1, samples).end;
            let part = Part { first: rows.start, count: rows.len(), ..whole };
            match (&self.input.density, &micro_batch.input) {
                (Density::Sparse(scale), _) => {
                    let input = Input::Tiles(&tiles[start..end], *scale);
                    self.pass(micro_batch, input, part, thread, own, update);
                }
                (Density::Dense, Some(matrix)) => {
                    let when = (part.epoch, part.step);
                    let buffers = &mut own.buffers;
                    self.input.fill_rows(matrix, (part.batch, rows), when, thread, buffers);
                    thread.barrier();
                    let values = matrix.read();
                    let input = Input::Dense(values.view().part_rows(0..part.count));
                    self.pass(micro_batch, input, part, thread, own, update);
                    drop(values);
                    thread.barrier();
                }
                (Density::Dense, None) => {}
            }
            update = Update::Add;
        }
        if range.is_empty() {
            // The last batch of an epoch may be too small for all micro_batches.
            self.executor.plan.for_own_partitions(thread, |partition| {
                micro_batch.workspace.gradients.write(partition).slice().fill(0.0);
            });
        }
    }

    /// Forward, loss and backward of some samples.
    fn pass(
        &self,
        micro_batch: &MicroBatch,
        input: Input,
        part: Part,
        thread: &Thread,
        own: &mut ThreadState,
        update: Update,
    ) {
        let ThreadState { scratch, targets, .. } = own;
        let workspace = &micro_batch.workspace;
        let draw = RngKey { seed: self.seed, step: part.step, first: part.first };
        self.executor.forward(input, workspace, thread, scratch, Some(draw));
        self.losses(micro_batch, part, thread, targets);
        thread.barrier();
        if thread.index() == 0 {
            let losses = workspace.losses.read();
            let rows = (0..part.count).map(|row| f64::from(losses.view().row(row)[0]));
            *lock(&micro_batch.loss) += rows.sum::<f64>();
        }
        self.executor.backward(input, workspace, thread, scratch, update);
    }
}

/// Share number `index` of `shares` of `count` things in a row.
fn share(count: usize, index: usize, shares: usize) -> Range<usize> {
    count * index / shares..count * (index + 1) / shares
}
