//! The steps of an epoch, run by all workers together.
//!
//! Every worker runs [`Trainer::work`]; they meet where one needs what others have made. Two ways
//! of sharing the work are one: a batch is cut into *lanes* of samples, a lane has a workspace and
//! a *team* of workers, and within a team each member owns some of the units (see
//! `network/layout.rs`). A small batch is one lane, so that the workers share the units; a large
//! one has several, so that each worker takes samples. The cuts depend on the batch and the
//! network, never on the number of workers, and sums are made in the order of the lanes: that is
//! why the result does not depend on the number of workers either.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::error::{Error, Result};
use crate::model::{CHUNK, Form, kernels, lock};
use crate::network::workspace::LOSS_ROWS;
use crate::network::{
    Draw, Input, Member, Network, Prepared, Scratch, SharedMatrix, SharedTile, TILE, Team, Update,
    Workers, Workspace,
};
use crate::samples::batches::Batches;
use crate::samples::{Answers, Dataset};
use crate::training::config::TrainConfig;
use crate::training::feed::{Buffers, Feed, tile_rows};
use crate::training::losses::sample_weights;
use crate::training::step::Stepper;
use crate::transform::normalize::Normalizer;

/// A lane is worth its own gradients from this many samples on.
const LANE_SAMPLES: usize = 4096;

/// Most lanes: as many workers can share a full batch by samples.
const MOST_LANES: usize = 8;

/// What a run needs at every step.
pub(super) struct Trainer<'a> {
    pub(super) workers: Workers,
    pub(super) prepared: Prepared,
    pub(super) stepper: Stepper,
    pub(super) data: &'a Dataset,
    pub(super) feed: Feed<'a>,
    batches: Batches,
    seed: u64,
    pub(super) smoothing: f32,
    /// Factor of each sample's loss; none for 1.
    pub(super) weights: Option<Vec<f32>>,
    everyone: Team,
    teams: Vec<Team>,
    pub(super) lanes: Vec<Lane>,
    own: Vec<Mutex<Own>>,
    /// Whether an epoch was run; a resumed run's first is not number 0.
    begun: bool,
    halt: AtomicBool,
}

/// A part of every batch, with what is computed of it.
pub(super) struct Lane {
    pub(super) workspace: Workspace,
    /// Normalised samples, where they are dense.
    input: Option<SharedMatrix>,
    loss: Mutex<f64>,
    pub(super) correct: AtomicUsize,
}

/// What one worker needs for itself.
struct Own {
    scratch: Scratch,
    buffers: Buffers,
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

/// What an epoch brought.
pub(super) struct Totals {
    pub(super) loss: f64,
    /// None where samples are answered with values.
    pub(super) accuracy: Option<f64>,
    pub(super) learning_rate: f32,
    /// Whether it was stopped before its end.
    pub(super) stopped: bool,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        config: &TrainConfig,
        network: &Network,
        normalizer: Normalizer,
        data: &'a Dataset,
        threads: usize,
    ) -> Result<Trainer<'a>> {
        let kernels = kernels()?;
        let regularization = &config.regularization;
        let batches = Batches::new(data.len(), config.samples_in_batch(data.len()));
        let input = (normalizer, data);
        let feed = Feed::new(kernels, input, &batches, regularization, config.seed, threads)?;
        let sparse = feed.form.is_sparse();
        let prepared = Prepared::for_training(kernels, network, sparse, regularization.hidden());
        let workers = Workers::new(threads).map_err(Error::argument)?;
        let layout = &prepared.layout;
        // Batch normalisation needs all samples of a batch at once.
        let whole = layout.hidden.batch_norm;
        let lanes = match whole {
            true => 1,
            false => (batches.batch_size() / LANE_SAMPLES).clamp(1, MOST_LANES),
        };
        let teams = lanes.min(threads);
        let rows = batches.batch_size().div_ceil(lanes).next_multiple_of(TILE);
        let rows = if whole { rows } else { rows.min(CHUNK) };
        let features = data.features();
        let lane = || Lane {
            workspace: Workspace::new(layout, rows, true),
            input: (!sparse).then(|| {
                let cuts = (0..rows).step_by(LOSS_ROWS).map(|row| row..row + LOSS_ROWS);
                SharedMatrix::by_rows(rows, features, &cuts.collect::<Vec<_>>())
            }),
            loss: Mutex::new(0.0),
            correct: AtomicUsize::new(0),
        };
        let own = || {
            let (scratch, buffers) = (Scratch::new(layout, rows), feed.buffers());
            let targets = match &data.answers {
                Answers::Classes { .. } => Vec::new(),
                Answers::Values { names, .. } => vec![0.0; LOSS_ROWS * names.len()],
            };
            Mutex::new(Own { scratch, buffers, targets })
        };
        Ok(Trainer {
            everyone: Team::new(threads),
            teams: (0..teams).map(|_| Team::new(threads / teams)).collect(),
            lanes: (0..lanes).map(|_| lane()).collect(),
            own: (0..threads).map(|_| own()).collect(),
            stepper: Stepper::new(config, &prepared, config.run(batches.len() as u64), threads),
            weights: sample_weights(&regularization.class_weights, data),
            smoothing: regularization.label_smoothing,
            workers,
            prepared,
            data,
            feed,
            batches,
            seed: config.seed,
            begun: false,
            halt: AtomicBool::new(false),
        })
    }

    /// Runs one epoch; raising `stop` ends it after the step in progress.
    pub(super) fn epoch(&mut self, epoch: usize, stop: &AtomicBool) -> Totals {
        if !self.batches.is_full() {
            self.batches.shuffle(self.seed, epoch as u64);
        }
        for lane in &self.lanes {
            *lock(&lane.loss) = 0.0;
            lane.correct.store(0, Ordering::Relaxed);
        }
        self.halt.store(false, Ordering::Relaxed);
        let this = &*self;
        let done = AtomicUsize::new(0);
        self.workers.run(|index| this.work(index, epoch, stop, &done));
        let done = done.into_inner();
        self.begun = true;
        self.stepper.steps += done as u64;
        let batches = || (0..done).map(|batch| self.batches.batch(batch));
        let samples: usize = batches().map(<[u32]>::len).sum();
        let weight: f64 = batches().map(|batch| self.weight_of(batch)).sum();
        let mean = |sum: f64, count: f64| if count == 0.0 { 0.0 } else { sum / count };
        let correct: usize =
            self.lanes.iter().map(|lane| lane.correct.load(Ordering::Relaxed)).sum();
        Totals {
            loss: mean(self.lanes.iter().map(|lane| *lock(&lane.loss)).sum(), weight),
            accuracy: match &self.data.answers {
                Answers::Classes { .. } => Some(mean(correct as f64, samples as f64)),
                Answers::Values { .. } => None,
            },
            learning_rate: self.stepper.last_rate(),
            stopped: done < self.batches.len(),
        }
    }

    /// Whether the parameters are laid out for mostly-zero bytes.
    pub(super) fn is_sparse(&self) -> bool {
        self.feed.form.is_sparse()
    }

    /// Steps of an epoch.
    pub(super) fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Whether all parameters are numbers.
    pub(super) fn is_finite(&self) -> bool {
        let finite = |matrix: &SharedMatrix| matrix.read().iter().all(|value| value.is_finite());
        finite(&self.prepared.parameters) && finite(&self.prepared.statistics)
    }

    /// Gives the model as it is now, averaged where that is asked for, to `network`.
    pub(super) fn store(&self, network: &mut Network) {
        match self.stepper.average() {
            Some([parameters, statistics]) => {
                self.prepared.store_these(&parameters.read(), &statistics.read(), network);
            }
            None => self.prepared.store(network),
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
    fn work(&self, index: usize, epoch: usize, stop: &AtomicBool, done: &AtomicUsize) {
        let all = self.everyone.member(index);
        let members = self.teams[0].members();
        let team = index / members;
        let place = self.teams.get(team).map(|team| team.member(index % members));
        let mut own = lock(&self.own[index]);
        for (round, first) in (0..self.batches.len()).step_by(self.feed.round()).enumerate() {
            let batches = first..(first + self.feed.round()).min(self.batches.len());
            if self.feed.is_needed(!self.begun) {
                let when = (epoch, self.stepper.steps + first as u64);
                let what = (round, batches.clone());
                self.feed.fill_tiles(&self.batches, what, when, &all, &mut own.buffers);
            }
            if index == 0 && stop.load(Ordering::Relaxed) {
                self.halt.store(true, Ordering::Relaxed);
            }
            all.wait();
            if self.halt.load(Ordering::Relaxed) {
                return;
            }
            for batch in batches {
                let tiles = self.feed.batch_tiles(round, batch - first);
                let step = self.stepper.steps + batch as u64;
                if let Some(member) = &place {
                    let batch = self.batches.batch(batch);
                    let whole = Part { epoch, step, batch, first: 0, count: batch.len() };
                    for lane in share(self.lanes.len(), team, self.teams.len()) {
                        self.lane(lane, whole, tiles, member, &mut own);
                    }
                }
                self.stepper.step(&self.prepared, &self.lanes, step, &all);
                if index == 0 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Forward, loss and backward of one lane of a batch; its gradients are then in its workspace.
    fn lane(
        &self,
        index: usize,
        whole: Part,
        tiles: &[SharedTile],
        member: &Member,
        own: &mut Own,
    ) {
        let lane = &self.lanes[index];
        let samples = whole.batch.len();
        let range = share(samples.div_ceil(TILE), index, self.lanes.len());
        let per_chunk = lane.workspace.rows() / TILE;
        let mut update = Update::Overwrite;
        for start in range.clone().step_by(per_chunk) {
            let end = (start + per_chunk).min(range.end);
            let rows = tile_rows(start, samples).start..tile_rows(end - 1, samples).end;
            let part = Part { first: rows.start, count: rows.len(), ..whole };
            match (&self.feed.form, &lane.input) {
                (Form::Sparse(scale), _) => {
                    let input = Input::Tiles(&tiles[start..end], *scale);
                    self.pass(lane, input, part, member, own, update);
                }
                (Form::Dense, Some(matrix)) => {
                    let when = (part.epoch, part.step);
                    let buffers = &mut own.buffers;
                    self.feed.fill_rows(matrix, (part.batch, rows), when, member, buffers);
                    member.wait();
                    let values = matrix.read();
                    let input = Input::Dense(values.view().part_rows(0..part.count));
                    self.pass(lane, input, part, member, own, update);
                    drop(values);
                    member.wait();
                }
                (Form::Dense, None) => {}
            }
            update = Update::Add;
        }
        if range.is_empty() {
            // The last batch of an epoch may be too small for all lanes.
            self.prepared.layout.for_own_pieces(member, |piece| {
                lane.workspace.gradients.write(piece).slice().fill(0.0);
            });
        }
    }

    /// Forward, loss and backward of some samples.
    fn pass(
        &self,
        lane: &Lane,
        input: Input,
        part: Part,
        member: &Member,
        own: &mut Own,
        update: Update,
    ) {
        let Own { scratch, targets, .. } = own;
        let workspace = &lane.workspace;
        let draw = Draw { seed: self.seed, step: part.step, first: part.first };
        self.prepared.forward(input, workspace, member, scratch, Some(draw));
        self.losses(lane, part, member, targets);
        member.wait();
        if member.index() == 0 {
            let losses = workspace.losses.read();
            let rows = (0..part.count).map(|row| f64::from(losses.view().row(row)[0]));
            *lock(&lane.loss) += rows.sum::<f64>();
        }
        self.prepared.backward(input, workspace, member, scratch, update);
    }
}

/// Share number `index` of `shares` of `count` things in a row.
fn share(count: usize, index: usize, shares: usize) -> Range<usize> {
    count * index / shares..count * (index + 1) / shares
}
