//! A model as a classifier: probabilities, accuracy, mistakes.

use std::borrow::Borrow;

use gradus_kernels::threads::Workers;

use super::forward::Samples;
use super::parts::{check_finite, view};
use super::{Model, Outputs};
use crate::error::Result;
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::metrics::{Evaluation, Mistake, SampleResult, most_confident_mistakes, most_probable};
use crate::network::Network;
use crate::samples::{Rows, Subset};
use crate::transform::Transform;

/// A [`Model`], owned or borrowed, that predicts one of several classes for each sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Classifier<M: Borrow<Model> = Model>(M);

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

view!(Classifier, Loss::SoftmaxCrossEntropy);

impl Model {
    /// The model as a classifier.
    ///
    /// # Errors
    /// `InvalidArgument` if it is a regression model.
    pub fn classifier(&self) -> Result<Classifier<&Model>> {
        Classifier::of(self)
    }

    /// The model as a classifier that owns it.
    ///
    /// # Errors
    /// As [`Self::classifier`].
    pub fn into_classifier(self) -> Result<Classifier> {
        Classifier::of(self)
    }
}

impl<M: Borrow<Model>> Classifier<M> {
    /// One name for each output.
    pub fn class_names(&self) -> &[String] {
        self.names()
    }

    /// Probabilities for each sample: `inputs` is samples x features of raw values, an `&Inputs` or
    /// values from elsewhere.
    ///
    /// # Errors
    /// `InvalidArgument` if the values do not make whole samples.
    pub fn predict<'a>(
        &self,
        inputs: impl Into<Rows<'a>>,
        workers: &Workers,
    ) -> Result<Predictions> {
        let probabilities = Model::predict(self, inputs, workers)?;
        Ok(Predictions { classes: self.names().len(), probabilities })
    }

    /// Loss, accuracy, confusion matrix, calibration and more on labelled data.
    ///
    /// # Errors
    /// `InvalidArgument` if the data do not have the model's shape and classes; `InvalidData` if a
    /// prediction is not finite.
    pub fn evaluate<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
    ) -> Result<Evaluation> {
        Ok(Evaluation::new(self.names().len(), &self.results(data, workers)?))
    }

    /// At most `most` samples that are predicted as another class, the most confident mistakes first
    /// ([`most_confident_mistakes`]).
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn mistakes<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
        most: usize,
    ) -> Result<Vec<Mistake>> {
        Ok(most_confident_mistakes(&self.results(data, workers)?, most))
    }

    /// What is predicted for each sample of labelled data, in their order: what [`Self::evaluate`]
    /// and [`Self::mistakes`] are made from, for callers that want both from one pass.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn results<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
    ) -> Result<Vec<SampleResult>> {
        self.results_on_ranks(data, workers, &Ranks::ALONE)
    }

    /// The same by all ranks, which have the same data: each computes a part of the samples, and all get the results of all,
    /// with the bits of one process.
    ///
    /// # Errors
    /// As [`Self::evaluate`]; those of the exchange.
    pub fn results_on_ranks<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        workers: &Workers,
        ranks: &Ranks,
    ) -> Result<Vec<SampleResult>> {
        let results = self.unchecked_results(data.into(), (workers, ranks))?;
        let confidences: Vec<f32> = results.iter().map(|result| result.confidence).collect();
        check_finite(&confidences, 1)?;
        Ok(results)
    }

    /// As [`Self::evaluate`], also for a model whose predictions are not finite.
    pub(super) fn measure(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<Evaluation> {
        let results = self.unchecked_results(data, by)?;
        Ok(Evaluation::new(self.names().len(), &results))
    }

    fn unchecked_results(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<Vec<SampleResult>> {
        self.check_data(&data)?;
        let labels = data.labels();
        self.each_sample(by, Samples::of(&data), |forward, start, logits| {
            forward.results(&labels[start..start + logits.rows()], logits)
        })
    }
}
