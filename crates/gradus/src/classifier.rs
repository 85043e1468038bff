//! A classifier: network, normalisation and class names. It is what is saved, and what predicts.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::data::normalize::Normalizer;
use crate::data::{Dataset, Inputs};
use crate::error::{Error, Result};
use crate::loss;
use crate::metrics::{ConfusionMatrix, Evaluation};
use crate::network::linear::ByteValues;
use crate::network::{
    Input, Kernels, MatMut, MatRef, Network, Prepared, Scratch, SharedTile, TILE, Team, Tile,
    Workers, Workspace,
};

/// A network and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// The layers and their parameters.
    pub network: Network,
    /// From raw values to the network's inputs.
    pub normalizer: Normalizer,
    /// Shape of one sample: `[28, 28]` for an image, `[features]` for a table.
    pub sample_shape: Vec<usize>,
    /// One name for each output.
    pub class_names: Vec<String>,
    /// How it was trained: the recipe and what came of it. Null where nobody knows.
    pub training: serde_json::Value,
}

/// Probabilities of every class for each of several samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions {
    /// Number of classes.
    pub classes: usize,
    /// `samples x classes`, row-major; each row sums to 1.
    pub probabilities: Vec<f32>,
}

impl Predictions {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.probabilities.len() / self.classes
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.probabilities.is_empty()
    }

    /// The probabilities of sample `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.probabilities[index * self.classes..][..self.classes]
    }

    /// The most probable class of sample `index`; the first of equals.
    pub fn label(&self, index: usize) -> usize {
        largest(self.row(index))
    }
}

/// Index of the largest value; the first of equals.
fn largest(values: &[f32]) -> usize {
    (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best })
}

/// Samples that go through the network at a time.
pub(crate) const CHUNK: usize = 4 * TILE;

/// Share of zeros from which byte inputs are worth treating as sparse.
const SPARSE_FROM: f64 = 0.5;

/// The way that inputs take into the first layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Form {
    /// Mostly-zero bytes, normalised inside the product.
    Sparse(Box<ByteValues>),
    /// Everything else, normalised beforehand.
    Dense,
}

impl Form {
    /// The faster way for these inputs.
    pub(crate) fn choose(normalizer: &Normalizer, inputs: &Inputs) -> Form {
        match (normalizer, inputs) {
            (Normalizer::Scalar { mean, deviation }, Inputs::Bytes(values))
                if share_of_zeros(values) >= SPARSE_FROM =>
            {
                Form::Sparse(Box::new(ByteValues::new(*mean, *deviation)))
            }
            _ => Form::Dense,
        }
    }

    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self, Form::Sparse(_))
    }
}

/// Whether the first layer skips the zeros of these inputs instead of multiplying by them.
pub fn skips_zeros(normalizer: &Normalizer, inputs: &Inputs) -> bool {
    Form::choose(normalizer, inputs).is_sparse()
}

/// Share of zeros in a sample of at most some 100,000 bytes.
fn share_of_zeros(values: &[u8]) -> f64 {
    // An odd step meets every column of an image in turn.
    let step = (values.len() / 100_000).max(1) | 1;
    let (mut zeros, mut seen) = (0u64, 0u64);
    for &value in values.iter().step_by(step) {
        zeros += u64::from(value == 0);
        seen += 1;
    }
    zeros as f64 / seen.max(1) as f64
}

impl Classifier {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// `InvalidArgument` where the network's inputs are not as many as a sample has values, its
    /// outputs not as many as there are class names, or the normalisation is for other features.
    pub fn new(
        network: Network,
        normalizer: Normalizer,
        sample_shape: Vec<usize>,
        class_names: Vec<String>,
    ) -> Result<Classifier> {
        let features: usize = sample_shape.iter().product();
        if network.inputs() != features || network.outputs() != class_names.len() {
            return Err(Error::argument(format!(
                "a network of {} inputs and {} outputs does not fit samples of shape \
                 {sample_shape:?} in {} classes",
                network.inputs(),
                network.outputs(),
                class_names.len()
            )));
        }
        if let Normalizer::PerFeature { means, deviations } = &normalizer
            && (means.len() != features || deviations.len() != features)
        {
            return Err(Error::argument(format!(
                "a normalisation of {} features does not fit samples of shape {sample_shape:?}",
                means.len()
            )));
        }
        let training = serde_json::Value::Null;
        Ok(Classifier { network, normalizer, sample_shape, class_names, training })
    }

    /// Probabilities for each sample: `inputs` is samples x features of raw values.
    ///
    /// # Errors
    /// `InvalidArgument` where the values do not make whole samples.
    pub fn predict(&self, inputs: &Inputs, workers: &Workers) -> Result<Predictions> {
        self.check_inputs(inputs)?;
        let kernels = kernels()?;
        let form = Form::choose(&self.normalizer, inputs);
        let prepared = Prepared::new(kernels, &self.network, form.is_sparse());
        let forward = Forward { prepared: &prepared, form: &form, normalizer: &self.normalizer };
        let parts = forward.each_chunk(workers, inputs, |_, mut logits| {
            loss::softmax(kernels, logits.reborrow());
            (0..logits.rows()).flat_map(|i| logits.row_mut(i).to_vec()).collect::<Vec<f32>>()
        });
        Ok(Predictions { classes: self.class_names.len(), probabilities: parts.concat() })
    }

    /// Loss, accuracy and confusion matrix on labelled data.
    ///
    /// # Errors
    /// `InvalidArgument` where the data are not of the model's shape and classes.
    pub fn evaluate(&self, data: &Dataset, workers: &Workers) -> Result<Evaluation> {
        self.check_inputs(&data.inputs)?;
        if data.features() != self.network.inputs()
            || data.class_names.len() > self.class_names.len()
        {
            return Err(Error::argument(format!(
                "the data have samples of shape {:?} in {} classes, but the model takes shape {:?} \
                 in {} classes: use the data set that it was trained for",
                data.sample_shape,
                data.class_names.len(),
                self.sample_shape,
                self.class_names.len()
            )));
        }
        let form = Form::choose(&self.normalizer, &data.inputs);
        let prepared = Prepared::new(kernels()?, &self.network, form.is_sparse());
        let forward = Forward { prepared: &prepared, form: &form, normalizer: &self.normalizer };
        Ok(forward.evaluate(workers, data))
    }

    fn check_inputs(&self, inputs: &Inputs) -> Result<()> {
        let (len, features) = (inputs.len(), self.network.inputs());
        if len % features != 0 {
            return Err(Error::argument(format!(
                "{len} values do not make whole samples of {features}: the model takes samples of \
                 shape {:?}",
                self.sample_shape
            )));
        }
        Ok(())
    }
}

/// The kernels for this machine, or the error of a wrong `GRADUS_ISA`.
pub(crate) fn kernels() -> Result<Kernels> {
    Kernels::detect().map_err(Error::argument)
}

/// A forward pass over many samples.
pub(crate) struct Forward<'a> {
    pub(crate) prepared: &'a Prepared,
    pub(crate) form: &'a Form,
    pub(crate) normalizer: &'a Normalizer,
}

impl Forward<'_> {
    /// Computes the logits of all samples, [`CHUNK`] at a time, chunks side by side on the workers;
    /// `visit(first sample, logits)` turns each into a result. The results come in order.
    pub(crate) fn each_chunk<R: Send>(
        &self,
        workers: &Workers,
        inputs: &Inputs,
        visit: impl Fn(usize, MatMut) -> R + Sync,
    ) -> Vec<R> {
        let stages = &self.prepared.layout.stages;
        let (features, classes) = (stages[0].inputs, stages[stages.len() - 1].outputs);
        let samples = inputs.len() / features;
        let rows = samples.min(CHUNK);
        let kernels = self.prepared.kernels();
        let next = AtomicUsize::new(0);
        let results = Mutex::new(Vec::new());
        workers.run(|_| {
            let workspace = Workspace::new(&self.prepared.layout, rows, false);
            let mut scratch = Scratch::new(&self.prepared.layout, rows);
            let team = Team::new(1);
            let member = team.member(0);
            let tiles: Vec<SharedTile> =
                (0..rows.div_ceil(TILE)).map(|_| Tile::default().into()).collect();
            let mut dense = vec![0.0; if self.form.is_sparse() { 0 } else { rows * features }];
            let mut logits = vec![0.0; rows * classes];
            loop {
                let start = next.fetch_add(1, Ordering::Relaxed) * CHUNK;
                if start >= samples {
                    break;
                }
                let count = CHUNK.min(samples - start);
                let indices = start as u32..(start + count) as u32;
                let input = match self.form {
                    Form::Sparse(bytes) => {
                        let used = &tiles[..count.div_ceil(TILE)];
                        for (at, tile) in used.iter().enumerate() {
                            let last = (indices.start + ((at + 1) * TILE) as u32).min(indices.end);
                            let part = indices.start + (at * TILE) as u32..last;
                            fill_tile(kernels, tile, inputs, features, part, false);
                        }
                        Input::Tiles(used, bytes)
                    }
                    Form::Dense => {
                        let dense = &mut dense[..count * features];
                        for (row, index) in dense.chunks_exact_mut(features).zip(indices) {
                            normalize_row(self.normalizer, inputs, index as usize, row);
                        }
                        Input::Dense(MatRef::new(dense, count, features))
                    }
                };
                self.prepared.forward(input, &workspace, &member, &mut scratch);
                let computed = workspace.logits.read();
                let logits = &mut logits[..count * classes];
                for (i, row) in logits.chunks_exact_mut(classes).enumerate() {
                    row.copy_from_slice(computed.view().row(i));
                }
                drop(computed);
                let result = visit(start, MatMut::new(logits, count, classes));
                lock(&results).push((start, result));
            }
        });
        let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        results.sort_by_key(|(start, _)| *start);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Loss, accuracy and confusion matrix.
    pub(crate) fn evaluate(&self, workers: &Workers, data: &Dataset) -> Evaluation {
        let kernels = self.prepared.kernels();
        let parts = self.each_chunk(workers, &data.inputs, |start, mut logits| {
            let rows = logits.rows();
            let labels = &data.labels[start..start + rows];
            let predicted: Vec<u32> =
                (0..rows).map(|i| largest(logits.row_mut(i)) as u32).collect();
            let mut losses = vec![0.0; rows];
            loss::softmax_cross_entropy(kernels, logits, labels, rows, &mut losses);
            (losses.iter().map(|&loss| f64::from(loss)).sum::<f64>(), predicted)
        });
        let stages = &self.prepared.layout.stages;
        let mut confusion = ConfusionMatrix::new(stages[stages.len() - 1].outputs);
        let predictions = parts.iter().flat_map(|(_, predicted)| predicted);
        for (&label, &predicted) in data.labels.iter().zip(predictions) {
            confusion.add(label as usize, predicted as usize);
        }
        let loss = parts.iter().map(|(loss, _)| loss).sum::<f64>() / data.len().max(1) as f64;
        Evaluation { loss, accuracy: confusion.accuracy(), confusion }
    }
}

/// Fills `tile` with the samples `indices` of byte inputs, `sorted` where a gradient will follow.
pub(crate) fn fill_tile(
    kernels: Kernels,
    tile: &SharedTile,
    inputs: &Inputs,
    features: usize,
    indices: impl ExactSizeIterator<Item = u32> + Clone,
    sorted: bool,
) {
    let Inputs::Bytes(values) = inputs else { return };
    let mut tile = tile.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    let rows = indices.map(|index| &values[index as usize * features..][..features]);
    tile.fill(kernels, features, rows, sorted);
}

/// Normalises sample `index` into `row`.
pub(crate) fn normalize_row(
    normalizer: &Normalizer,
    inputs: &Inputs,
    index: usize,
    row: &mut [f32],
) {
    let range = index * row.len()..(index + 1) * row.len();
    match inputs {
        Inputs::Bytes(values) => normalizer.apply_bytes(&values[range], row),
        Inputs::Floats(values) => normalizer.apply_floats(&values[range], row),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
