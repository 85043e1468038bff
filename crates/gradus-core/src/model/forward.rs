//! Samples through the network, chunk by chunk, without gradients.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};

use crate::loss::{self, Targets};
use crate::metrics::{SampleResult, most_probable, rank};
use crate::network::linear::InputScale;
use crate::network::{
    Input, Kernels, MatMut, MatRef, Prepared, Scratch, SharedTile, TILE, Team, Tile, Workers,
    Workspace, in_parts,
};
use crate::samples::Rows;
use crate::transform::normalize::Normalizer;

/// Samples that go through the network at a time.
pub(crate) const CHUNK: usize = 4 * TILE;

/// Share of zeros from which it is worth skipping them in training.
const SPARSE_FROM: f64 = 0.5;

/// The way that inputs take into the first layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// Bytes and sparse rows, normalised inside the product, which skips their zeros.
    Sparse(InputScale),
    /// Everything else, normalised beforehand.
    Dense,
}

impl Form {
    /// The way for predictions. It depends on the kind of inputs alone, so that the result for a
    /// sample does not depend on those beside it.
    pub(crate) fn of(normalizer: &Normalizer, inputs: Rows) -> Form {
        match (normalizer, inputs) {
            (Normalizer::Scalar { mean, deviation }, Rows::Bytes(_) | Rows::Sparse(_)) => {
                Form::Sparse(InputScale::new(*mean, *deviation))
            }
            _ => Form::Dense,
        }
    }

    /// The faster way for training on these inputs; with bytes that are to be taken in their place
    /// where they are floats that were bytes, which up to `threads` threads find out.
    pub(crate) fn for_training(
        kernels: Kernels,
        normalizer: &Normalizer,
        inputs: Rows,
        threads: usize,
    ) -> (Form, Option<Vec<u8>>) {
        match (normalizer, inputs) {
            (_, Rows::Bytes(values)) if share_of_zeros(values) >= SPARSE_FROM => {
                (Form::of(normalizer, inputs), None)
            }
            (_, Rows::Sparse(rows)) => {
                let kept = rows.values().len() as f64 / inputs.len().max(1) as f64;
                let form = if 1.0 - kept >= SPARSE_FROM {
                    Form::of(normalizer, inputs)
                } else {
                    Form::Dense
                };
                (form, None)
            }
            (Normalizer::Scalar { mean, deviation }, Rows::Floats(values))
                if share_of_zeros(values) >= SPARSE_FROM =>
            {
                match were_bytes(kernels, values, threads) {
                    Some((bytes, steps)) => {
                        let scale = InputScale::new(mean * steps, deviation * steps);
                        (Form::Sparse(scale), Some(bytes))
                    }
                    None => (Form::Dense, None),
                }
            }
            _ => (Form::Dense, None),
        }
    }

    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self, Form::Sparse(_))
    }
}

/// The bytes that floats once were, and how many steps of a byte make 1: 1 for raw bytes, 255 for bytes
/// divided by 255. None where they were no bytes.
fn were_bytes(kernels: Kernels, values: &[f32], threads: usize) -> Option<(Vec<u8>, f32)> {
    [1.0, 255.0].into_iter().find_map(|steps| {
        let (mut bytes, sound) = (vec![0; values.len()], AtomicBool::new(true));
        in_parts(threads, values, &mut bytes, |values, bytes| {
            if !kernels.to_bytes(values, steps, bytes) {
                sound.store(false, Ordering::Relaxed);
            }
        });
        sound.into_inner().then_some((bytes, steps))
    })
}

/// Share of zeros in a sample of at most some 100,000 values.
fn share_of_zeros<T: Copy + Default + PartialEq>(values: &[T]) -> f64 {
    // An odd step meets every column of an image in turn.
    let step = (values.len() / 100_000).max(1) | 1;
    let (mut zeros, mut seen) = (0u64, 0u64);
    for &value in values.iter().step_by(step) {
        zeros += u64::from(value == T::default());
        seen += 1;
    }
    zeros as f64 / seen.max(1) as f64
}

/// A forward pass over many samples.
pub(crate) struct Forward<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) form: &'a Form,
    pub(crate) normalizer: &'a Normalizer,
}

/// What one worker needs for a forward pass of some samples.
pub(crate) struct Pass {
    workspace: Workspace,
    scratch: Scratch,
    team: Team,
    tiles: Vec<SharedTile>,
    dense: Vec<f32>,
    logits: Vec<f32>,
}

impl Pass {
    /// For up to `rows` samples at a time.
    pub(crate) fn new(prepared: &Prepared, form: &Form, rows: usize) -> Pass {
        let stages = &prepared.layout.stages;
        let (features, classes) = (stages[0].inputs, stages[stages.len() - 1].outputs);
        Pass {
            workspace: Workspace::new(&prepared.layout, rows, false),
            scratch: Scratch::new(&prepared.layout, rows),
            team: Team::new(1),
            tiles: match form {
                Form::Sparse(_) => {
                    (0..rows.div_ceil(TILE)).map(|_| Tile::default().into()).collect()
                }
                Form::Dense => Vec::new(),
            },
            dense: vec![0.0; if form.is_sparse() { 0 } else { rows * features }],
            logits: vec![0.0; rows * classes],
        }
    }

    /// The logits of the samples `range` of `inputs`, row after row.
    pub(crate) fn logits(
        &mut self,
        forward: &Forward,
        inputs: Rows,
        range: Range<usize>,
    ) -> &mut [f32] {
        let prepared = forward.prepared;
        let stages = &prepared.layout.stages;
        let (features, classes) = (stages[0].inputs, stages[stages.len() - 1].outputs);
        let count = range.len();
        let input = match forward.form {
            Form::Sparse(scale) => {
                let used = &self.tiles[..count.div_ceil(TILE)];
                for (tile, start) in used.iter().zip(range.clone().step_by(TILE)) {
                    let part = start as u32..(start + TILE).min(range.end) as u32;
                    fill_tile(prepared.kernels(), tile, inputs, features, part, false);
                }
                Input::Tiles(used, *scale)
            }
            Form::Dense => {
                let dense = &mut self.dense[..count * features];
                for (row, index) in dense.chunks_exact_mut(features).zip(range) {
                    normalize_row(forward.normalizer, inputs, index, row);
                }
                Input::Dense(MatRef::new(dense, count, features))
            }
        };
        prepared.forward(input, &self.workspace, &self.team.member(0), &mut self.scratch, None);
        let computed = self.workspace.logits.read();
        let logits = &mut self.logits[..count * classes];
        for (i, row) in logits.chunks_exact_mut(classes).enumerate() {
            row.copy_from_slice(computed.view().row(i));
        }
        logits
    }

    /// What the caller of [`Self::logits`] has made of them.
    pub(crate) fn output(&self) -> &[f32] {
        &self.logits
    }
}

impl Forward<'_> {
    /// Computes the logits of all samples, [`CHUNK`] at a time, chunks side by side on the workers;
    /// `visit(first sample, logits)` turns each into a result. The results come in order.
    pub(crate) fn each_chunk<R: Send>(
        &self,
        workers: &Workers,
        inputs: Rows,
        visit: impl Fn(usize, MatMut) -> R + Sync,
    ) -> Vec<R> {
        let stages = &self.prepared.layout.stages;
        let samples = inputs.len() / stages[0].inputs;
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        workers.run(|_| {
            let mut pass = Pass::new(self.prepared, self.form, samples.min(CHUNK));
            loop {
                let start = next.fetch_add(1, Ordering::Relaxed) * CHUNK;
                if start >= samples {
                    break;
                }
                let range = start..(start + CHUNK).min(samples);
                let logits = pass.logits(self, inputs, range.clone());
                let classes = logits.len() / range.len();
                let result = visit(start, MatMut::new(logits, range.len(), classes));
                lock(&results).push((start, result));
            }
        });
        let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        results.sort_by_key(|(start, _)| *start);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// What is predicted for each of some samples, in their order, beside its label. Classes are
    /// ranked by their logits: probabilities have the same order, but the smallest are all 0.
    pub(crate) fn results(&self, labels: &[u32], mut logits: MatMut) -> Vec<SampleResult> {
        let kernels = self.prepared.kernels();
        let (rows, classes) = (logits.rows(), logits.columns());
        let mut probabilities = logits.as_ref().without_gaps().to_vec();
        loss::softmax(kernels, MatMut::new(&mut probabilities, rows, classes));
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
        let (targets, total) = (Targets::of(labels), rows as f64);
        loss::softmax_cross_entropy(kernels, logits, targets, total, &mut losses);
        results.iter_mut().zip(losses).for_each(|(result, loss)| result.loss = loss);
        results
    }
}

/// Fills `tile` with the samples `indices` of bytes or sparse rows, `sorted` where a gradient will
/// follow.
pub(crate) fn fill_tile(
    kernels: Kernels,
    tile: &SharedTile,
    inputs: Rows,
    features: usize,
    indices: impl ExactSizeIterator<Item = u32> + Clone,
    sorted: bool,
) {
    let mut tile = tile.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    match inputs {
        Rows::Bytes(values) => {
            let row = |index: u32| &values[index as usize * features..][..features];
            tile.fill(kernels, features, indices.map(row), sorted);
        }
        Rows::Sparse(rows) => {
            tile.fill_pairs(features, indices.map(|index| rows.row(index as usize)), sorted);
        }
        // These are dense always.
        Rows::Floats(_) => {}
    }
}

/// Normalises sample `index` into `row`.
pub(crate) fn normalize_row(normalizer: &Normalizer, inputs: Rows, index: usize, row: &mut [f32]) {
    let range = index * row.len()..(index + 1) * row.len();
    match inputs {
        Rows::Bytes(values) => normalizer.apply_bytes(&values[range], row),
        Rows::Floats(values) => normalizer.apply_floats(&values[range], row),
        Rows::Sparse(rows) => normalizer.apply_sparse(rows.row(index), row),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
