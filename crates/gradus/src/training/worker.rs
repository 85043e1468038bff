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

use crate::classifier::{CHUNK, Form, fill_tile, kernels, lock, normalize_row};
use crate::data::Dataset;
use crate::data::batches::Batches;
use crate::data::normalize::Normalizer;
use crate::error::{Error, Result};
use crate::loss::{self, Targets};
use crate::network::workspace::LOSS_ROWS;
use crate::network::{
    Input, Member, Network, Prepared, Scratch, SharedMatrix, SharedTile, TILE, Team, Tile, Update,
    Workers, Workspace,
};
use crate::optimizer::Optimizer;
use crate::schedule::{Run, Schedule};

/// A lane is worth its own gradients from this many samples on.
const LANE_SAMPLES: usize = 4096;

/// Most lanes: as many workers can share a full batch by samples.
const MOST_LANES: usize = 8;

/// What a run needs at every step.
pub(super) struct Trainer<'a> {
    pub(super) workers: Workers,
    pub(super) prepared: Prepared,
    form: Form,
    normalizer: Normalizer,
    data: &'a Dataset,
    batches: Batches,
    optimizer: Optimizer,
    /// Learning rate at a step.
    rate: (f32, Schedule, Run),
    /// Updates made so far.
    steps: u64,
    everyone: Team,
    teams: Vec<Team>,
    lanes: Vec<Lane>,
    scratch: Vec<Mutex<Scratch>>,
    moments: [SharedMatrix; 2],
    tiles: Tiles,
    stop: &'a AtomicBool,
    halt: AtomicBool,
}

/// A part of every batch, with what is computed of it.
struct Lane {
    workspace: Workspace,
    /// Normalised samples, where they are dense.
    input: Option<SharedMatrix>,
    loss: Mutex<f64>,
    correct: AtomicUsize,
}

/// The samples of the coming batches as lists of non-zeros; none where inputs are dense.
struct Tiles {
    /// Tiles of a batch.
    per_batch: usize,
    /// Batches whose tiles are made between two meetings: enough to give every worker one.
    batches: usize,
    /// Two rounds: one is filled while slower workers still read the other.
    slots: Vec<SharedTile>,
    /// Whether one batch is all, and its tiles are there for good.
    kept: bool,
}

/// What an epoch brought.
pub(super) struct Totals {
    pub(super) loss: f64,
    pub(super) accuracy: f64,
    pub(super) learning_rate: f32,
    /// Whether it was stopped before its end.
    pub(super) stopped: bool,
}

impl<'a> Trainer<'a> {
    pub(super) fn new(
        network: &Network,
        (normalizer, data): (Normalizer, &'a Dataset),
        batches: Batches,
        optimizer: Optimizer,
        rate: (f32, Schedule, Run),
        threads: usize,
        stop: &'a AtomicBool,
    ) -> Result<Trainer<'a>> {
        let form = Form::for_training(&normalizer, data.inputs.rows());
        let prepared = Prepared::new(kernels()?, network, form.is_sparse());
        let workers = Workers::new(threads).map_err(Error::argument)?;
        let layout = &prepared.layout;
        let lanes = (batches.batch_size() / LANE_SAMPLES).clamp(1, MOST_LANES);
        let teams = lanes.min(threads);
        let rows = batches.batch_size().div_ceil(lanes).next_multiple_of(TILE).min(CHUNK);
        let features = data.features();
        let lane = || Lane {
            workspace: Workspace::new(layout, rows, true),
            input: (!form.is_sparse()).then(|| {
                let cuts = (0..rows).step_by(LOSS_ROWS).map(|row| row..row + LOSS_ROWS);
                SharedMatrix::by_rows(rows, features, &cuts.collect::<Vec<_>>())
            }),
            loss: Mutex::new(0.0),
            correct: AtomicUsize::new(0),
        };
        let remembered = |needed: bool| match needed {
            true => SharedMatrix::vector(layout.len(), &layout.pieces),
            false => SharedMatrix::vector(0, &vec![0..0; layout.pieces.len()]),
        };
        let per_batch = batches.batch_size().div_ceil(TILE);
        let kept = batches.is_full();
        let per_round = if kept { 1 } else { threads.div_ceil(per_batch) };
        let slots = per_batch * per_round * if kept { 1 } else { 2 };
        Ok(Trainer {
            everyone: Team::new(threads),
            teams: (0..teams).map(|_| Team::new(threads / teams)).collect(),
            lanes: (0..lanes).map(|_| lane()).collect(),
            scratch: (0..threads).map(|_| Mutex::new(Scratch::new(layout, rows))).collect(),
            moments: [remembered(optimizer.moments() > 0), remembered(optimizer.moments() > 1)],
            tiles: Tiles {
                per_batch,
                batches: per_round,
                slots: match form {
                    Form::Sparse(_) => (0..slots).map(|_| Tile::default().into()).collect(),
                    Form::Dense => Vec::new(),
                },
                kept,
            },
            workers,
            prepared,
            form,
            normalizer,
            data,
            batches,
            optimizer,
            rate,
            steps: 0,
            stop,
            halt: AtomicBool::new(false),
        })
    }

    /// Runs one epoch.
    pub(super) fn epoch(&mut self, seed: u64, epoch: usize) -> Totals {
        if !self.batches.is_full() {
            self.batches.shuffle(seed, epoch as u64);
        }
        for lane in &self.lanes {
            *lock(&lane.loss) = 0.0;
            lane.correct.store(0, Ordering::Relaxed);
        }
        self.halt.store(false, Ordering::Relaxed);
        let this = &*self;
        let done = AtomicUsize::new(0);
        self.workers.run(|index| this.work(index, epoch, &done));
        let done = done.into_inner();
        self.steps += done as u64;
        let samples: usize = (0..done).map(|batch| self.batches.batch(batch).len()).sum();
        let mean = |sum: f64| if samples == 0 { 0.0 } else { sum / samples as f64 };
        let correct: usize =
            self.lanes.iter().map(|lane| lane.correct.load(Ordering::Relaxed)).sum();
        Totals {
            loss: mean(self.lanes.iter().map(|lane| *lock(&lane.loss)).sum()),
            accuracy: mean(correct as f64),
            learning_rate: self.rate_at(self.steps.saturating_sub(1)),
            stopped: done < self.batches.len(),
        }
    }

    fn rate_at(&self, step: u64) -> f32 {
        self.rate.1.at(self.rate.0, step, &self.rate.2)
    }

    /// What worker `index` does in an epoch; `done` counts the batches.
    fn work(&self, index: usize, epoch: usize, done: &AtomicUsize) {
        let all = self.everyone.member(index);
        let members = self.teams[0].members();
        let team = index / members;
        let place = self.teams.get(team).map(|team| team.member(index % members));
        let mut scratch = lock(&self.scratch[index]);
        for (round, first) in (0..self.batches.len()).step_by(self.tiles.batches).enumerate() {
            let batches = first..(first + self.tiles.batches).min(self.batches.len());
            if epoch == 0 || !self.tiles.kept {
                self.fill_tiles(round, batches.clone(), &all);
            }
            if index == 0 && self.stop.load(Ordering::Relaxed) {
                self.halt.store(true, Ordering::Relaxed);
            }
            all.wait();
            if self.halt.load(Ordering::Relaxed) {
                return;
            }
            for batch in batches {
                let slots = self.slots(round, batch - first);
                if let Some(member) = &place {
                    for lane in share(self.lanes.len(), team, self.teams.len()) {
                        self.lane(lane, batch, slots.clone(), member, &mut scratch);
                    }
                }
                self.update(batch, &all);
                if index == 0 {
                    done.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Where the tiles of the `nth` batch of a round are.
    fn slots(&self, round: usize, nth: usize) -> Range<usize> {
        let half = if self.tiles.kept { 0 } else { round % 2 };
        let start = (half * self.tiles.batches + nth) * self.tiles.per_batch;
        start..start + self.tiles.per_batch
    }

    /// Makes this worker's share of the tiles of a round.
    fn fill_tiles(&self, round: usize, batches: Range<usize>, all: &Member) {
        if self.tiles.slots.is_empty() {
            return;
        }
        let per_batch = self.tiles.per_batch;
        for at in all.share(batches.len() * per_batch) {
            let slot = &self.tiles.slots[self.slots(round, at / per_batch).start + at % per_batch];
            let batch = self.batches.batch(batches.start + at / per_batch);
            let rows = tile_rows(at % per_batch, batch.len());
            let indices = batch[rows].iter().copied();
            let (kernels, data) = (self.prepared.kernels(), self.data);
            fill_tile(kernels, slot, data.inputs.rows(), data.features(), indices, true);
            if self.tiles.kept {
                slot.write().unwrap_or_else(|poisoned| poisoned.into_inner()).shrink_to_fit();
            }
        }
    }

    /// Forward, loss and backward of one lane of a batch; its gradients are then in its workspace.
    fn lane(
        &self,
        lane: usize,
        batch: usize,
        slots: Range<usize>,
        member: &Member,
        scratch: &mut Scratch,
    ) {
        let indices = self.batches.batch(batch);
        let tiles = share(indices.len().div_ceil(TILE), lane, self.lanes.len());
        let per_chunk = self.lanes[lane].workspace.rows() / TILE;
        let mut update = Update::Overwrite;
        for start in tiles.clone().step_by(per_chunk) {
            let end = (start + per_chunk).min(tiles.end);
            let rows = tile_rows(start, indices.len()).start..tile_rows(end - 1, indices.len()).end;
            let indices = &indices[rows];
            let lane = &self.lanes[lane];
            match (&self.form, &lane.input) {
                (Form::Sparse(bytes), _) => {
                    let tiles = &self.tiles.slots[slots.start + start..slots.start + end];
                    let input = Input::Tiles(tiles, bytes);
                    self.pass(lane, input, indices, batch, member, scratch, update);
                }
                (Form::Dense, Some(matrix)) => {
                    self.fill_rows(matrix, indices, member);
                    member.wait();
                    let values = matrix.read();
                    let input = Input::Dense(values.view().part_rows(0..indices.len()));
                    self.pass(lane, input, indices, batch, member, scratch, update);
                    drop(values);
                    member.wait();
                }
                (Form::Dense, None) => {}
            }
            update = Update::Add;
        }
        if tiles.is_empty() {
            // The last batch of an epoch may be too small for all lanes.
            self.prepared.layout.for_own_pieces(member, |piece| {
                self.lanes[lane].workspace.gradients.write(piece).slice().fill(0.0);
            });
        }
    }

    /// Normalises this member's share of the samples `indices`.
    fn fill_rows(&self, matrix: &SharedMatrix, indices: &[u32], member: &Member) {
        for piece in member.share(Workspace::loss_pieces(indices.len())) {
            let rows = Workspace::loss_rows(piece, indices.len());
            let mut guard = matrix.write(piece);
            let mut values = guard.view();
            for (row, &index) in indices[rows].iter().enumerate() {
                let (row, inputs) = (values.row_mut(row), self.data.inputs.rows());
                normalize_row(&self.normalizer, inputs, index as usize, row);
            }
        }
    }

    /// Forward, loss and backward of some samples.
    fn pass(
        &self,
        lane: &Lane,
        input: Input,
        indices: &[u32],
        batch: usize,
        member: &Member,
        scratch: &mut Scratch,
        update: Update,
    ) {
        let workspace = &lane.workspace;
        self.prepared.forward(input, workspace, member, scratch);
        self.losses(lane, indices, self.batches.batch(batch).len(), member);
        member.wait();
        if member.index() == 0 {
            let losses = workspace.losses.read();
            let rows = (0..indices.len()).map(|row| f64::from(losses.view().row(row)[0]));
            *lock(&lane.loss) += rows.sum::<f64>();
        }
        self.prepared.backward(input, workspace, member, scratch, update);
    }

    /// Losses of own samples; their logits become gradients.
    fn losses(&self, lane: &Lane, indices: &[u32], batch: usize, member: &Member) {
        let mut correct = 0;
        for piece in member.share(Workspace::loss_pieces(indices.len())) {
            let rows = Workspace::loss_rows(piece, indices.len());
            let mut labels = [0; LOSS_ROWS];
            for (label, &index) in labels.iter_mut().zip(&indices[rows.clone()]) {
                *label = self.data.labels[index as usize];
            }
            let mut losses = [0.0; LOSS_ROWS];
            let count = rows.len();
            let mut logits = lane.workspace.logits.write(piece);
            let mut logits = logits.view();
            correct += loss::softmax_cross_entropy(
                self.prepared.kernels(),
                logits.part_rows(0..count),
                Targets::of(&labels[..count]),
                batch,
                &mut losses[..count],
            );
            let mut kept = lane.workspace.losses.write(piece);
            let mut kept = kept.view();
            for (row, &loss) in losses[..count].iter().enumerate() {
                kept.row_mut(row)[0] = loss;
            }
        }
        lane.correct.fetch_add(correct, Ordering::Relaxed);
    }

    /// The step of the optimizer for this worker's share of the parameters. With several lanes
    /// their gradients are summed first, in order, which takes a meeting before and one after.
    fn update(&self, batch: usize, all: &Member) {
        let step = self.steps + batch as u64;
        let rate = self.rate_at(step);
        let several = self.lanes.len() > 1;
        if several {
            all.wait();
        }
        let (first_lane, others) = (&self.lanes[0], &self.lanes[1..]);
        self.prepared.layout.for_own_pieces(all, |piece| {
            let mut gradients = first_lane.workspace.gradients.write(piece);
            let gradients = gradients.slice();
            for lane in others {
                let part = lane.workspace.gradients.read_piece(piece);
                self.prepared.kernels().add(gradients, &part);
            }
            self.optimizer.step(
                self.prepared.kernels(),
                (step + 1, rate, self.prepared.layout.decays[piece]),
                self.prepared.parameters.write(piece).slice(),
                gradients,
                self.moments[0].write(piece).slice(),
                self.moments[1].write(piece).slice(),
            );
        });
        if several {
            all.wait();
        }
    }
}

/// The samples of tile `tile` of a batch of `samples`; none where the batch has fewer tiles.
fn tile_rows(tile: usize, samples: usize) -> Range<usize> {
    (tile * TILE).min(samples)..((tile + 1) * TILE).min(samples)
}

/// Share number `index` of `shares` of `count` things in a row.
fn share(count: usize, index: usize, shares: usize) -> Range<usize> {
    count * index / shares..count * (index + 1) / shares
}
