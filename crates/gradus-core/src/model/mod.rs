//! Models: a network, its normalisation, and the names of what it answers with. They are what is
//! saved, and what predicts.
//!
//! [`Classifier`] is the whole, [`Regressor`] its like for values, [`Model`] either of them;
//! [`Predictor`] is their density for many single predictions, [`Explanation`] what one answer comes from. `forward.rs` takes samples through the
//! network, for these and for training's validation.

mod explain;
mod forward;
mod model;
mod regressor;

pub use explain::Explanation;
pub use model::{Model, ModelRef};
pub use regressor::{PredictedValues, Regressor};

use gradus_kernels::matrix::MatMut;
use gradus_kernels::threads::Workers;

use crate::engine::cpu::{Density, Executor, kernels};
use crate::error::{Error, Result};
use crate::loss;
use crate::metrics::{Evaluation, Mistake, SampleResult, most_probable, worst_mistakes};
use crate::network::Network;
use crate::samples::{Dataset, Rows, Task};
use crate::transform::normalize::Normalizer;

use forward::Forward;
use forward::Pass;

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
        most_probable(self.row(index))
    }
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
        let training = serde_json::Value::Null;
        let classifier = Classifier { network, normalizer, sample_shape, class_names, training };
        ModelRef::from(&classifier).check()?;
        Ok(classifier)
    }

    /// Probabilities for each sample: `inputs` is samples x features of raw values, an `&Inputs` or
    /// values from elsewhere.
    ///
    /// # Errors
    /// `InvalidArgument` where the values do not make whole samples.
    pub fn predict<'a>(
        &self,
        inputs: impl Into<Rows<'a>>,
        workers: &Workers,
    ) -> Result<Predictions> {
        let (model, inputs) = (ModelRef::from(self), inputs.into());
        model.check_inputs(inputs)?;
        let parts = model.each_chunk(workers, inputs, |forward, _, mut logits| {
            loss::softmax(forward.executor.kernels(), logits.reborrow());
            logits.as_ref().without_gaps().to_vec()
        })?;
        Ok(Predictions { classes: self.class_names.len(), probabilities: parts.concat() })
    }

    /// The model made ready for predicting single samples again and again, bytes or floats.
    ///
    /// # Errors
    /// `InvalidArgument` where `GRADUS_ISA` names no instruction set of this machine.
    pub fn predictor(&self, bytes: bool) -> Result<Predictor> {
        Predictor::new(self.into(), bytes)
    }

    /// Loss, accuracy, confusion matrix, calibration and more on labelled data.
    ///
    /// # Errors
    /// `InvalidArgument` where the data are not of the model's shape and classes.
    pub fn evaluate(&self, data: &Dataset, workers: &Workers) -> Result<Evaluation> {
        Ok(Evaluation::new(self.class_names.len(), &self.results(data, workers)?))
    }

    /// At most `most` samples that are taken for another class, the surest first
    /// ([`worst_mistakes`]).
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn mistakes(&self, data: &Dataset, workers: &Workers, most: usize) -> Result<Vec<Mistake>> {
        Ok(worst_mistakes(&self.results(data, workers)?, most))
    }

    /// What is predicted for each sample of labelled data, in their order: what [`Self::evaluate`]
    /// and [`Self::mistakes`] are made from, where both are wanted from one pass.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn results(&self, data: &Dataset, workers: &Workers) -> Result<Vec<SampleResult>> {
        let model = ModelRef::from(self);
        model.check_data(data)?;
        let parts = model.each_chunk(workers, data.inputs.rows(), |forward, start, logits| {
            forward.results(&data.labels()[start..start + logits.rows()], logits)
        })?;
        Ok(parts.concat())
    }
}

/// A model ready for single predictions: its parameters are laid out, its buffers there.
pub struct Predictor {
    task: Task,
    normalizer: Normalizer,
    executor: Executor,
    density: Density,
    bytes: bool,
    pass: Pass,
}

impl Predictor {
    fn new(model: ModelRef, bytes: bool) -> Result<Predictor> {
        let kind = if bytes { Rows::Bytes(&[]) } else { Rows::Floats(&[]) };
        let density = Density::of(model.normalizer(), kind);
        let executor = Executor::new(kernels()?, model.network(), density.is_sparse());
        let pass = Pass::new(&executor, &density, 1);
        let (task, normalizer) = (model.task(), model.normalizer().clone());
        Ok(Predictor { task, normalizer, executor, density, bytes, pass })
    }

    /// The probabilities of every class, or the values, for one sample of raw values; allocates
    /// nothing after the first call. They are the same bits as those of [`Classifier::predict`] and
    /// [`Regressor::predict`].
    ///
    /// # Errors
    /// `InvalidArgument` where the sample has not the model's size, or is not of the kind that this
    /// predictor was made for.
    pub fn predict(&mut self, sample: Rows) -> Result<&[f32]> {
        let features = self.executor.plan.layers[0].inputs;
        if sample.len() != features || matches!(sample, Rows::Bytes(_)) != self.bytes {
            return Err(Error::argument(format!(
                "a sample of {} {}, but this predictor takes {features} {}",
                sample.len(),
                sample.kind(),
                if self.bytes { "bytes" } else { "floats" }
            )));
        }
        let Predictor { task, normalizer, executor, density, pass, .. } = self;
        let forward = Forward { executor, density, normalizer };
        let logits = pass.logits(&forward, sample, 0..1);
        if *task == Task::Classes {
            loss::softmax(executor.kernels(), MatMut::new(logits, 1, logits.len()));
        }
        Ok(pass.output())
    }
}

/// Whether training on these inputs skips the zeros of the first layer's product instead of
/// multiplying by them: so for bytes, floats that were bytes, and sparse rows, of which at least half
/// are 0.
pub fn skips_zeros(normalizer: &Normalizer, inputs: Rows) -> bool {
    kernels()
        .is_ok_and(|kernels| Density::for_training(kernels, normalizer, inputs, 1).0.is_sparse())
}
