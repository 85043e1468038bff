//! One step of training, on one page.
//!
//! In: a batch. Out: new parameters. All threads of the run call [`Trainer::step`] at the same time; what one
//! of them writes, others may read only after a barrier. Every barrier is here, with its reason, but for
//! those of the update (`update.rs`), which only clipping by norm, max norm and Muon need.

use gradus_kernels::dense::Update;
use gradus_kernels::sparse::TILE;
use gradus_kernels::threads::Reading;

use crate::engine::Epoch;
use crate::engine::cpu::Density;
use crate::engine::cpu::hidden::RngKey;
use crate::engine::cpu::input::{Chunk, tile_rows};
use crate::engine::cpu::micro_batch::{Group, Place, ThreadState};
use crate::engine::cpu::passes::{Input, Pass, SharedTile};
use crate::engine::cpu::plan::GradientPlace;
use crate::engine::cpu::trainer::Trainer;
use crate::engine::cpu::update::StepSize;
use crate::engine::cpu::windows::Stored;
use crate::engine::cpu::workspace::Workspace;
use crate::samples::Subset;

/// A batch on its way through a step.
pub(super) struct Step<'a> {
    pub(super) size: StepSize,
    /// Numbers of training samples.
    pub(super) batch: &'a [u32],
    /// The tiles of the batch; none if inputs are dense.
    pub(super) tiles: &'a [SharedTile],
    /// Its inputs, if the samples are not in memory.
    pub(super) stored: Option<Stored<'a>>,
    /// The epoch that it is in.
    pub(super) of: &'a Epoch<'a>,
}

impl Trainer {
    /// One step, as one thread does it.
    pub(super) fn step(&self, step: &Step, data: &Subset, place: &Place, state: &mut ThreadState) {
        let ThreadState { scratch, buffers, targets } = state;
        let (plan, group) = (&self.executor.plan, &place.group);
        let Group { workspace, input, .. } = place.memory;
        for number in place.micro_batches.clone() {
            let (micro_batch, gradients) = (&self.micro_batches[number], self.sums.of(number));
            for (chunk, update) in self.chunks(step, number, place) {
                // Input. Sparse samples are in tiles already; dense rows are made here.
                if let Some(rows) = input {
                    self.input.fill_rows(data, rows, chunk, group, buffers);
                    group.barrier(); // Each thread has made some of the rows, and reads all of them.
                }
                let rows = input.as_ref().map(|rows| rows.read());
                let pass = self.pass(step, chunk, workspace, rows.as_ref());
                let pass = pass.with_gradients(gradients);
                // Forward, operation by operation.
                for (index, &operation) in plan.operations.iter().enumerate() {
                    if index > 0 {
                        group.barrier(); // It reads what all threads have made of the operation before.
                    }
                    self.executor.forward(operation, &pass, group, scratch);
                }
                // Loss. A thread takes the samples whose logits it has computed itself: no barrier before it.
                self.losses(data, (micro_batch, workspace), chunk, group, targets);
                group.barrier(); // The gradient of a unit takes the loss gradients of all samples.
                micro_batch.add_losses(&workspace.losses, chunk.count, group.index());
                // Backward, from the last layer to the first.
                for (index, layer) in plan.layers.iter().enumerate().rev() {
                    self.executor.backward(index, &pass, group, scratch, update);
                    if layer.gradient == GradientPlace::Workspace {
                        group.barrier(); // The layer below takes the gradients of all units of this one.
                    }
                }
                // What acts on the input columns. The barrier before it is that of the first layer, or of the loss.
                self.executor.backward_columns(&pass, group, scratch, update);
                drop(rows);
                if input.is_some() {
                    group.barrier(); // The next chunk's rows overwrite these.
                }
            }
            // Sum, over the micro-batches of the group: of gradients that this thread has computed itself.
            self.sums.add_after(number, &self.executor, group);
        }
        // Sum, over the groups.
        if self.sums.is_unfinished() {
            place.all.barrier(); // The sum of a partition takes the gradients of all groups.
            self.sums.finish(&self.executor, &place.all);
        }
        let gradients = self.sums.total();
        if !self.ranks.is_alone() {
            place.all.barrier(); // The exchange takes the sums of all partitions.
            if place.all.index() == 0 {
                self.ranks.sum(&self.executor, gradients, step.of.halt());
            }
            place.all.barrier(); // The update takes what the exchange has brought.
            if self.ranks.has_failed() {
                return;
            }
        }
        // Update. A thread changes its own partitions; the first barrier of the next step comes before
        // any other thread reads them.
        self.updater.finish(&self.executor, gradients, step.size, &place.all);
        if self.sums.is_unfinished() {
            place.all.barrier(); // The next step overwrites gradients that others may still be adding.
        }
    }

    /// The chunks of a micro-batch, and whether they begin its gradient or add to it.
    fn chunks<'a>(
        &'a self,
        step: &'a Step,
        micro_batch: usize,
        place: &Place,
    ) -> impl Iterator<Item = (Chunk<'a>, Update)> {
        let samples = step.batch.len();
        let tiles = self.ranks.portion().tiles_of(micro_batch, samples.div_ceil(TILE));
        if tiles.is_empty() {
            // The last batch of an epoch may be too small for all micro-batches: this one adds nothing.
            self.executor.plan.for_own_partitions(&place.group, |partition| {
                self.sums.of(micro_batch).write(partition).slice().fill(0.0);
            });
        }
        let per_chunk = place.memory.workspace.rows() / TILE;
        tiles.clone().step_by(per_chunk).map(move |start| {
            let end = (start + per_chunk).min(tiles.end);
            let first = tile_rows(start, samples).start;
            let count = tile_rows(end - 1, samples).end - first;
            let Step { batch, stored, of, size, .. } = *step;
            let chunk = Chunk { epoch: of.number, step: size.step, batch, first, count, stored };
            let update = if start == tiles.start { Update::Overwrite } else { Update::Add };
            (chunk, update)
        })
    }

    /// The pass of a chunk; `rows` are its dense inputs, if inputs are dense.
    fn pass<'a>(
        &self,
        step: &Step<'a>,
        chunk: Chunk,
        workspace: &'a Workspace,
        rows: Option<&'a Reading>,
    ) -> Pass<'a> {
        let key = RngKey { seed: self.seed, step: chunk.step, first: chunk.first };
        let input = match (&self.input.density, rows) {
            (Density::Sparse(scale), _) => {
                let tiles = chunk.first / TILE..(chunk.first + chunk.count).div_ceil(TILE);
                Input::Tiles(&step.tiles[tiles], *scale)
            }
            (Density::Dense, Some(rows)) => Input::Dense(rows.view().part_rows(0..chunk.count)),
            (Density::Dense, None) => unreachable!("dense inputs have rows"),
        };
        Pass::new(input, workspace, Some(key)).with_dropout(step.size.pace.dropout)
    }
}
