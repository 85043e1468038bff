//! A classifier or a regressor: what training makes and a model file holds, and what the two share.

use gradus_kernels::matrix::MatMut;
use gradus_kernels::threads::Workers;

use super::Classifier;
use super::forward::Forward;
use super::regressor::Regressor;
use crate::engine::cpu::{Density, Executor, kernels};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::samples::{Answers, Dataset, Rows, Task};
use crate::transform::normalize::Normalizer;

/// A model of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// It answers with one of several classes.
    Classifier(Classifier),
    /// It answers with values.
    Regressor(Regressor),
}

/// A model of either kind, borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ModelRef<'a> {
    /// It answers with one of several classes.
    Classifier(&'a Classifier),
    /// It answers with values.
    Regressor(&'a Regressor),
}

impl From<Classifier> for Model {
    fn from(classifier: Classifier) -> Model {
        Model::Classifier(classifier)
    }
}

impl From<Regressor> for Model {
    fn from(regressor: Regressor) -> Model {
        Model::Regressor(regressor)
    }
}

impl<'a> From<&'a Classifier> for ModelRef<'a> {
    fn from(classifier: &'a Classifier) -> ModelRef<'a> {
        ModelRef::Classifier(classifier)
    }
}

impl<'a> From<&'a Regressor> for ModelRef<'a> {
    fn from(regressor: &'a Regressor) -> ModelRef<'a> {
        ModelRef::Regressor(regressor)
    }
}

impl<'a> From<&'a Model> for ModelRef<'a> {
    fn from(model: &'a Model) -> ModelRef<'a> {
        match model {
            Model::Classifier(classifier) => ModelRef::Classifier(classifier),
            Model::Regressor(regressor) => ModelRef::Regressor(regressor),
        }
    }
}

impl Model {
    /// The model that answers as the samples of a data set are answered.
    ///
    /// # Errors
    /// As [`Classifier::new`].
    pub fn new(
        network: Network,
        normalizer: Normalizer,
        sample_shape: Vec<usize>,
        answers: &Answers,
    ) -> Result<Model> {
        let names = answers.names().to_vec();
        Ok(match answers.task() {
            Task::Classes => Classifier::new(network, normalizer, sample_shape, names)?.into(),
            Task::Values => Regressor::new(network, normalizer, sample_shape, names)?.into(),
        })
    }

    /// The model, borrowed: there are its parts.
    pub fn as_ref(&self) -> ModelRef<'_> {
        self.into()
    }

    /// The layers and their parameters, writable.
    pub fn network_mut(&mut self) -> &mut Network {
        match self {
            Model::Classifier(Classifier { network, .. })
            | Model::Regressor(Regressor { network, .. }) => network,
        }
    }

    /// How it was trained, writable.
    pub fn training_mut(&mut self) -> &mut serde_json::Value {
        match self {
            Model::Classifier(Classifier { training, .. })
            | Model::Regressor(Regressor { training, .. }) => training,
        }
    }

    /// The classifier that it is.
    ///
    /// # Errors
    /// `InvalidArgument` where it answers with values.
    pub fn classifier(&self) -> Result<&Classifier> {
        match self {
            Model::Classifier(classifier) => Ok(classifier),
            Model::Regressor(_) => Err(wrong_kind(Task::Values, Task::Classes)),
        }
    }

    /// The same, taken out.
    ///
    /// # Errors
    /// As [`Self::classifier`].
    pub fn into_classifier(self) -> Result<Classifier> {
        match self {
            Model::Classifier(classifier) => Ok(classifier),
            Model::Regressor(_) => Err(wrong_kind(Task::Values, Task::Classes)),
        }
    }

    /// The regressor that it is.
    ///
    /// # Errors
    /// `InvalidArgument` where it answers with classes.
    pub fn regressor(&self) -> Result<&Regressor> {
        match self {
            Model::Regressor(regressor) => Ok(regressor),
            Model::Classifier(_) => Err(wrong_kind(Task::Classes, Task::Values)),
        }
    }

    /// The same, taken out.
    ///
    /// # Errors
    /// As [`Self::regressor`].
    pub fn into_regressor(self) -> Result<Regressor> {
        match self {
            Model::Regressor(regressor) => Ok(regressor),
            Model::Classifier(_) => Err(wrong_kind(Task::Classes, Task::Values)),
        }
    }

    /// Loss and, of a classifier, accuracy on data with their answers.
    ///
    /// # Errors
    /// `InvalidArgument` where the data are not of the model's shape and answers.
    pub fn check_on(&self, data: &Dataset, workers: &Workers) -> Result<(f64, Option<f64>)> {
        match self {
            Model::Classifier(classifier) => {
                let found = classifier.evaluate(data, workers)?;
                Ok((found.loss, Some(found.accuracy)))
            }
            Model::Regressor(regressor) => Ok((regressor.evaluate(data, workers)?.loss, None)),
        }
    }
}

fn wrong_kind(found: Task, wanted: Task) -> Error {
    Error::argument(format!(
        "the model answers with {}; expected one that answers with {}",
        found.name(),
        wanted.name()
    ))
}

impl<'a> ModelRef<'a> {
    /// The layers and their parameters.
    pub fn network(self) -> &'a Network {
        match self {
            ModelRef::Classifier(Classifier { network, .. })
            | ModelRef::Regressor(Regressor { network, .. }) => network,
        }
    }

    /// From raw values to the network's inputs.
    pub fn normalizer(self) -> &'a Normalizer {
        match self {
            ModelRef::Classifier(Classifier { normalizer, .. })
            | ModelRef::Regressor(Regressor { normalizer, .. }) => normalizer,
        }
    }

    /// Shape of one sample.
    pub fn sample_shape(self) -> &'a [usize] {
        match self {
            ModelRef::Classifier(Classifier { sample_shape, .. })
            | ModelRef::Regressor(Regressor { sample_shape, .. }) => sample_shape,
        }
    }

    /// The names of the classes, or of the values.
    pub fn names(self) -> &'a [String] {
        match self {
            ModelRef::Classifier(classifier) => &classifier.class_names,
            ModelRef::Regressor(regressor) => &regressor.output_names,
        }
    }

    /// How it was trained; null where nobody knows.
    pub fn training(self) -> &'a serde_json::Value {
        match self {
            ModelRef::Classifier(Classifier { training, .. })
            | ModelRef::Regressor(Regressor { training, .. }) => training,
        }
    }

    /// What it answers with.
    pub fn task(self) -> Task {
        match self {
            ModelRef::Classifier(_) => Task::Classes,
            ModelRef::Regressor(_) => Task::Values,
        }
    }

    /// Checks that the parts fit together.
    pub(super) fn check(self) -> Result<()> {
        let (network, sample_shape) = (self.network(), self.sample_shape());
        let features: usize = sample_shape.iter().product();
        let names = self.names().len();
        if network.inputs() != features || network.outputs() != names {
            return Err(Error::argument(format!(
                "a network of {} inputs and {} outputs does not fit samples of shape \
                 {sample_shape:?} {}",
                network.inputs(),
                network.outputs(),
                self.task().with(names)
            )));
        }
        if let Normalizer::PerFeature { means, deviations } = self.normalizer()
            && (means.len() != features || deviations.len() != features)
        {
            return Err(Error::argument(format!(
                "a normalisation of {} features does not fit samples of shape {sample_shape:?}",
                means.len()
            )));
        }
        Ok(())
    }

    /// Checks that the values make whole samples.
    pub(super) fn check_inputs(self, inputs: Rows) -> Result<()> {
        let (len, features) = (inputs.len(), self.network().inputs());
        if len % features != 0 {
            return Err(Error::argument(format!(
                "{len} values do not make whole samples of {features}: the model takes samples of \
                 shape {:?}",
                self.sample_shape()
            )));
        }
        Ok(())
    }

    /// Checks that samples and their answers are of the model's kind.
    pub(super) fn check_data(self, data: &Dataset) -> Result<()> {
        self.check_inputs(data.inputs.rows())?;
        let (task, outputs) = (self.task(), self.names().len());
        match data.features() == self.network().inputs() && data.answers.fit(task, outputs) {
            true => Ok(()),
            false => Err(self.misfit(data)),
        }
    }

    /// The error for data that are not of the model's kind.
    pub(super) fn misfit(self, data: &Dataset) -> Error {
        Error::argument(format!(
            "the data have samples of shape {:?} {}, but the model takes shape {:?} {}: use the data \
             set that it was trained for",
            data.sample_shape,
            data.answers.task().with(data.answers.outputs()),
            self.sample_shape(),
            self.task().with(self.names().len())
        ))
    }

    /// Computes the outputs of all samples chunk by chunk on the workers; `visit(forward, first
    /// sample, outputs)` turns each into a result. The results come in order.
    pub(super) fn each_chunk<R: Send>(
        self,
        workers: &Workers,
        inputs: Rows,
        visit: impl Fn(&Forward, usize, MatMut) -> R + Sync,
    ) -> Result<Vec<R>> {
        let normalizer = self.normalizer();
        let density = Density::of(normalizer, inputs);
        let executor = Executor::new(kernels()?, self.network(), density.is_sparse());
        let forward = Forward { executor: &executor, density: &density, normalizer };
        Ok(forward.each_chunk(workers, inputs, |start, outputs| visit(&forward, start, outputs)))
    }
}
