//! A model as a regressor: values and their errors.

use std::borrow::Borrow;

use gradus_kernels::threads::Workers;

use super::forward::Samples;
use super::parts::{check_finite, view};
use super::{Model, Outputs};
use crate::error::Result;
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::metrics::ValueEvaluation;
use crate::network::Network;
use crate::samples::{Rows, Subset, Targets};
use crate::transform::Transform;

/// A [`Model`], owned or borrowed, that predicts one or several values for each sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regressor<M: Borrow<Model> = Model>(M);

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

view!(Regressor, Loss::SquaredError);

impl Model {
    /// The model as a regressor.
    ///
    /// # Errors
    /// `InvalidArgument` if it is a classification model.
    pub fn regressor(&self) -> Result<Regressor<&Model>> {
        Regressor::of(self)
    }

    /// The model as a regressor that owns it.
    ///
    /// # Errors
    /// As [`Self::regressor`].
    pub fn into_regressor(self) -> Result<Regressor> {
        Regressor::of(self)
    }
}

impl<M: Borrow<Model>> Regressor<M> {
    /// One name for each output.
    pub fn output_names(&self) -> &[String] {
        self.names()
    }

    /// The values of each sample: `inputs` is samples x features of raw values.
    ///
    /// # Errors
    /// `InvalidArgument` if the values do not make whole samples.
    pub fn predict<'a>(
        &self,
        inputs: impl Into<Rows<'a>>,
        workers: &Workers,
    ) -> Result<PredictedValues> {
        let values = Model::predict(self, inputs, workers)?;
        Ok(PredictedValues { outputs: self.names().len(), values })
    }

    /// Mean squared and absolute error, R^2 and more on labelled data; each quantile is compared with its target.
    ///
    /// # Errors
    /// `InvalidArgument` if the data do not have the model's shape or as many values;
    /// `InvalidData` if a prediction is not finite.
    pub fn evaluate<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
    ) -> Result<ValueEvaluation> {
        self.evaluate_on_ranks(data, workers, &Ranks::ALONE)
    }

    /// The same by all ranks, which have the same data: each computes a part of the samples, and all get the figures of one
    /// process.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; those of the exchange.
    pub fn evaluate_on_ranks<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
        ranks: &Ranks,
    ) -> Result<ValueEvaluation> {
        let data = data.into();
        let predicted = self.unchecked_values(&data, (workers, ranks))?;
        check_finite(&predicted, self.names().len())?;
        self.errors_of(&predicted, &data)
    }

    /// As [`Self::evaluate`], also for a model whose predictions are not finite.
    pub(super) fn measure(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<ValueEvaluation> {
        self.errors_of(&self.unchecked_values(&data, by)?, &data)
    }

    fn unchecked_values(&self, data: &Subset, by: (&Workers, &Ranks)) -> Result<Vec<f32>> {
        self.check_data(data)?;
        self.loss().check_targets(&data.data().targets)?;
        self.each_sample(by, Samples::of(data), |forward, _, mut outputs| {
            forward.outputs.predictions(forward.kernels(), outputs.reborrow());
            outputs.as_ref().without_gaps().to_vec()
        })
    }

    fn errors_of(&self, predicted: &[f32], data: &Subset) -> Result<ValueEvaluation> {
        let (outputs, targets) = (self.names().len(), self.targets_of_outputs(*data)?);
        let (loss, weights) = (self.loss(), &self.outputs.weights);
        Ok(ValueEvaluation::with_loss(loss, weights, outputs, predicted, &targets))
    }

    /// What each output is compared with, row after row: the samples' targets, each of them once for each of its outputs.
    ///
    /// # Errors
    /// `InvalidArgument` if the data have no values.
    pub fn targets_of_outputs<'a>(&self, data: impl Into<Subset<'a>>) -> Result<Vec<f32>> {
        let data = data.into();
        let Targets::Values { values, .. } = &data.data().targets else {
            return Err(self.misfit(data.data()));
        };
        let per_target = self.loss().outputs_per_target();
        let count = self.names().len() / per_target;
        let of_sample = |sample: usize| {
            let targets = values[sample * count..][..count].iter();
            targets.flat_map(|&target| std::iter::repeat_n(target, per_target))
        };
        Ok(data.indices().flat_map(of_sample).collect())
    }
}
