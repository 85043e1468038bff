//! Samples through the network, chunk by chunk, without gradients.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::sparse::{TILE, Tile};
use gradus_kernels::threads::{ThreadGroup, Workers};

use super::Outputs;
use crate::engine::cpu::{
    self as engine, CHUNK, Density, Executor, Input, Scratch, SharedTile, SingleRow, Workspace,
    fill_tile, lock,
};
use crate::loss::{LabelTargets, Loss};
use crate::metrics::{SampleResult, most_probable, rank};
use crate::samples::{Rows, Subset};
use crate::transform::Transform;
use crate::transform::columns::Encoder;

/// Rows that are encoded at a time.
const ENCODED: usize = 16 * CHUNK;

/// Samples to predict: rows, and which of them.
#[derive(Clone, Copy)]
pub(crate) struct Samples<'a> {
    pub(crate) rows: Rows<'a>,
    /// None for all samples in their order.
    pub(crate) subset: Option<Subset<'a>>,
    /// The first of them: those before it are another rank's.
    pub(crate) first: usize,
    pub(crate) count: usize,
}

impl<'a> Samples<'a> {
    /// The samples of a subset.
    pub(crate) fn of(subset: &Subset<'a>) -> Samples<'a> {
        Samples { rows: subset.rows(), subset: Some(*subset), first: 0, count: subset.len() }
    }

    /// All of these rows.
    pub(crate) fn all(rows: Rows<'a>, count: usize) -> Samples<'a> {
        Samples { rows, subset: None, first: 0, count }
    }

    /// Those of them at these places.
    pub(crate) fn part(self, places: Range<usize>) -> Samples<'a> {
        Samples { first: self.first + places.start, count: places.len(), ..self }
    }

    /// The row of a sample.
    pub(super) fn index(&self, at: usize) -> usize {
        let at = self.first + at;
        self.subset.map_or(at, |subset| subset.index(at))
    }
}

/// A forward pass over many samples.
pub(crate) struct Forward<'a> {
    /// One for each network whose predictions are averaged; they have the same plan.
    pub(crate) executors: &'a [Executor],
    pub(crate) density: &'a Density,
    pub(crate) transform: &'a Transform,
    /// What outputs become in a prediction.
    pub(crate) outputs: &'a Outputs,
}

/// What one worker needs for a forward pass of some samples.
pub(crate) struct Pass {
    workspace: Workspace,
    scratch: Scratch,
    single: SingleRow,
    group: ThreadGroup,
    tiles: Vec<SharedTile>,
    dense: Vec<f32>,
    logits: Vec<f32>,
    /// The logits of several networks, one after the other; empty for one network.
    of_members: Vec<f32>,
    /// Scratch for their mean.
    norms: Vec<f64>,
}

impl Pass {
    /// For up to `rows` samples at a time; at least one executor is needed.
    pub(crate) fn new(executors: &[Executor], density: &Density, rows: usize) -> Pass {
        let (executor, members) = (&executors[0], executors.len());
        let layers = &executor.plan.layers;
        let (features, classes) = (executor.plan.inputs(), layers[layers.len() - 1].outputs);
        Pass {
            workspace: Workspace::new(&executor.plan, rows, false),
            scratch: Scratch::new(&executor.plan, rows),
            single: SingleRow::new(&executor.plan),
            group: ThreadGroup::new(1),
            tiles: match density {
                Density::Sparse(_) => {
                    (0..rows.div_ceil(TILE)).map(|_| Tile::default().into()).collect()
                }
                Density::Dense => Vec::new(),
            },
            dense: vec![0.0; if density.is_sparse() { 0 } else { rows * features }],
            logits: vec![0.0; rows * classes],
            of_members: vec![0.0; if members > 1 { members * rows * classes } else { 0 }],
            norms: vec![0.0; members],
        }
    }

    /// The logits of the samples `range` of `samples`, row after row: of several networks those of their mean prediction.
    pub(crate) fn logits(
        &mut self,
        forward: &Forward,
        samples: Samples,
        range: Range<usize>,
    ) -> &mut [f32] {
        let executor = &forward.executors[0];
        let layers = &executor.plan.layers;
        let (features, classes) = (executor.plan.inputs(), layers[layers.len() - 1].outputs);
        let count = range.len();
        let input = match forward.density {
            Density::Sparse(scale) => {
                let used = &self.tiles[..count.div_ceil(TILE)];
                for (tile, start) in used.iter().zip(range.clone().step_by(TILE)) {
                    let part = start..(start + TILE).min(range.end);
                    let part = part.map(|at| (samples.rows, samples.index(at)));
                    fill_tile(executor.kernels(), tile, features, part, false);
                }
                Input::Tiles(used, *scale)
            }
            Density::Dense => {
                let dense = &mut self.dense[..count * features];
                for (row, index) in dense.chunks_exact_mut(features).zip(range) {
                    forward.transform.apply(samples.rows, samples.index(index), row);
                }
                Input::Dense(MatRef::new(dense, count, features))
            }
        };
        let (pass, alone) = (engine::Pass::new(input, &self.workspace, None), self.group.thread(0));
        let logits = &mut self.logits[..count * classes];
        for (at, executor) in forward.executors.iter().enumerate() {
            let into = match forward.executors.len() {
                1 => &mut *logits,
                _ => &mut self.of_members[at * count * classes..][..count * classes],
            };
            if let (1, Input::Dense(_)) = (count, input) {
                let logits = executor.forward_single(&pass, &mut self.scratch, &mut self.single);
                into.copy_from_slice(logits);
                continue;
            }
            for &operation in &executor.plan.operations {
                // No barrier: one thread computes all of it.
                executor.forward(operation, &pass, &alone, &mut self.scratch);
            }
            let computed = self.workspace.logits.read();
            for (i, row) in into.chunks_exact_mut(classes).enumerate() {
                row.copy_from_slice(computed.view().row(i));
            }
            if forward.executors.len() > 1 {
                forward.outputs.clip_outputs(into);
            }
        }
        if forward.executors.len() > 1 {
            let members = &self.of_members[..forward.executors.len() * count * classes];
            let mean = MatMut::new(logits, count, classes);
            forward.outputs.loss.mean_outputs(members, mean, &mut self.norms);
        }
        logits
    }

    /// What the caller of [`Self::logits`] has made of them.
    pub(crate) fn output(&self) -> &[f32] {
        &self.logits
    }
}

impl Forward<'_> {
    /// What computes.
    pub(crate) fn kernels(&self) -> Kernels {
        self.executors[0].kernels()
    }

    /// Computes the logits of all samples, [`CHUNK`] at a time, chunks side by side on the workers;
    /// `visit(first sample, logits)` turns each into a result. The results come in order.
    pub(crate) fn each_chunk<R: Send>(
        &self,
        workers: &Workers,
        samples: Samples,
        visit: impl Fn(usize, MatMut) -> R + Sync,
    ) -> Vec<R> {
        let count = samples.count;
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        workers.run(|_| {
            let mut pass = Pass::new(self.executors, self.density, count.min(CHUNK));
            loop {
                let start = next.fetch_add(1, Ordering::Relaxed) * CHUNK;
                if start >= count {
                    break;
                }
                let range = start..(start + CHUNK).min(count);
                let logits = pass.logits(self, samples, range.clone());
                let classes = logits.len() / range.len();
                let result = visit(start, MatMut::new(logits, range.len(), classes));
                lock(&results).push((start, result));
            }
        });
        let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        results.sort_by_key(|(start, _)| *start);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// As [`Self::each_chunk`], of raw columns that are encoded in pieces: a whole table of flags may not fit into memory.
    pub(crate) fn each_encoded_chunk<R: Send>(
        &self,
        workers: &Workers,
        samples: Samples,
        encoder: &Encoder,
        visit: impl Fn(usize, MatMut) -> R + Sync,
    ) -> Vec<R> {
        let mut results = Vec::new();
        for start in (0..samples.count).step_by(ENCODED) {
            let range = start..(start + ENCODED).min(samples.count);
            let encoded = encoder.encode(range.clone().map(|at| samples.index(at)));
            let piece = Samples::all(Rows::Floats(&encoded), range.len());
            results
                .extend(self.each_chunk(workers, piece, |at, outputs| visit(start + at, outputs)));
        }
        results
    }

    /// The prediction for each sample, in order, with its label. Classes are
    /// ranked by their logits: probabilities have the same order, but the smallest are all 0.
    pub(crate) fn results(&self, labels: &[u32], mut logits: MatMut) -> Vec<SampleResult> {
        let kernels = self.kernels();
        let (rows, classes) = (logits.rows(), logits.columns());
        let mut probabilities = logits.as_ref().without_gaps().to_vec();
        Loss::SoftmaxCrossEntropy
            .predictions(kernels, MatMut::new(&mut probabilities, rows, classes));
        let result = |(i, &label): (usize, &u32)| {
            let (logits, probabilities) = (logits.row_mut(i), &probabilities[i * classes..]);
            let predicted = most_probable(logits);
            SampleResult {
                label,
                predicted: predicted as u32,
                rank: rank(logits, label as usize) as u32,
                confidence: probabilities[predicted],
                label_probability: probabilities[label as usize],
                loss: 0.0,
            }
        };
        let mut results: Vec<_> = labels.iter().enumerate().map(result).collect();
        let mut losses = vec![0.0; rows];
        let (targets, total) = (LabelTargets::of(labels), rows as f64);
        Loss::softmax_cross_entropy(kernels, logits, targets, total, &mut losses);
        results.iter_mut().zip(losses).for_each(|(result, loss)| result.loss = loss);
        results
    }
}
