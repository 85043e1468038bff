//! A regressor: network, normalisation and the names of the values that it answers with.

use gradus_kernels::threads::Workers;

use super::{ModelRef, Predictor};
use crate::error::Result;
use crate::metrics::ValueEvaluation;
use crate::network::Network;
use crate::samples::{Answers, Dataset, Rows};
use crate::transform::normalize::Normalizer;

/// A network whose outputs are values, and what belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Regressor {
    /// The layers and their parameters.
    pub network: Network,
    /// From raw values to the network's inputs.
    pub normalizer: Normalizer,
    /// Shape of one sample: `[28, 28]` for an image, `[features]` for a table.
    pub sample_shape: Vec<usize>,
    /// One name for each output.
    pub output_names: Vec<String>,
    /// How it was trained: the recipe and what came of it. Null where nobody knows.
    pub training: serde_json::Value,
}

/// The values of each of several samples.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictedValues {
    /// Number of values of a sample.
    pub outputs: usize,
    /// `samples x outputs`, row-major.
    pub values: Vec<f32>,
}

impl PredictedValues {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.values.len() / self.outputs
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The values of sample `index`.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.outputs..][..self.outputs]
    }
}

impl Regressor {
    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// `InvalidArgument` where the network's inputs are not as many as a sample has values, its
    /// outputs not as many as there are names, or the normalisation is for other features.
    pub fn new(
        network: Network,
        normalizer: Normalizer,
        sample_shape: Vec<usize>,
        output_names: Vec<String>,
    ) -> Result<Regressor> {
        let training = serde_json::Value::Null;
        let regressor = Regressor { network, normalizer, sample_shape, output_names, training };
        ModelRef::from(&regressor).check()?;
        Ok(regressor)
    }

    /// The values of each sample: `inputs` is samples x features of raw values.
    ///
    /// # Errors
    /// `InvalidArgument` where the values do not make whole samples.
    pub fn predict<'a>(
        &self,
        inputs: impl Into<Rows<'a>>,
        workers: &Workers,
    ) -> Result<PredictedValues> {
        let (model, inputs) = (ModelRef::from(self), inputs.into());
        model.check_inputs(inputs)?;
        let parts = model.each_chunk(workers, inputs, |_, _, outputs| {
            outputs.as_ref().without_gaps().to_vec()
        })?;
        Ok(PredictedValues { outputs: self.output_names.len(), values: parts.concat() })
    }

    /// The model made ready for predicting single samples again and again, bytes or floats.
    ///
    /// # Errors
    /// `InvalidArgument` where `GRADUS_ISA` names no instruction set of this machine.
    pub fn predictor(&self, bytes: bool) -> Result<Predictor> {
        Predictor::new(self.into(), bytes)
    }

    /// Mean squared and absolute error, R^2 and more on data with their values.
    ///
    /// # Errors
    /// `InvalidArgument` where the data are not of the model's shape, or not answered with as many
    /// values.
    pub fn evaluate(&self, data: &Dataset, workers: &Workers) -> Result<ValueEvaluation> {
        let model = ModelRef::from(self);
        model.check_data(data)?;
        let Answers::Values { values, .. } = &data.answers else { return Err(model.misfit(data)) };
        let predicted = self.predict(&data.inputs, workers)?;
        Ok(ValueEvaluation::new(predicted.outputs, &predicted.values, values))
    }
}
