//! A model: what training makes, a model file holds, and everything predicts with.

use gradus_kernels::matrix::MatMut;
use gradus_kernels::threads::Workers;

use super::forward::{Forward, Samples};
use super::{InputKind, Intervals, Outputs, Provenance, ValueRange};
use crate::engine::cpu::{CHUNK, Density, Executor, kernels};
use crate::error::{Error, ErrorKind, Result};
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::network::Network;
use crate::samples::{
    Columns, Dataset, RawValue, Rows, Streamed, Subset, Table, Task, image_shape,
};
use crate::transform::Transform;
use crate::transform::columns::{Encoder, Schema, SchemaColumn};

/// Samples that are read at a time where they are not in memory: a multiple of those that workers take at a time.
const PIECE: usize = 32 * CHUNK;

/// A network and everything that its predictions depend on. [`Classifier`](super::Classifier) and
/// [`Regressor`](super::Regressor) are views of it with what only one of the two can do.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// The layers and their parameters; of a bag those of its first member.
    pub network: Network,
    /// The networks of the other members of a bag, with the same layers: what the model predicts is the mean of what all
    /// of them predict. Empty for a single network.
    pub others: Vec<Network>,
    /// How far predictions of values are from the truth, for intervals around them; none if unknown.
    pub intervals: Option<Intervals>,
    /// From raw values to the network's inputs.
    pub transform: Transform,
    /// Shape of one sample: `[28, 28]` for an image, `[features]` for a row of a table.
    pub sample_shape: Vec<usize>,
    /// What the network's outputs are.
    pub outputs: Outputs,
    /// Which raw values it was trained on.
    pub inputs: InputKind,
    /// The columns of the table that it was trained on, to match other tables by name; none for anything
    /// but tables, and if unknown.
    pub columns: Option<Columns>,
    /// How it was trained.
    pub provenance: Provenance,
}

/// The figures of a model on labelled data, as training needs them after each epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Check {
    /// The mean loss.
    pub loss: f64,
    /// The share of right predictions; none for values.
    pub accuracy: Option<f64>,
    /// R^2, averaged over the outputs; none for classes.
    pub r2: Option<f64>,
}

/// Most networks of a bag.
pub const MOST_MEMBERS: usize = 100;

impl Model {
    /// A model of these parts. Nothing is known about its training; which raw values it takes is
    /// guessed from the transform ([`InputKind::guess`]).
    ///
    /// # Errors
    /// `InvalidArgument` if the network does not have as many inputs as a sample has values, or not as
    /// many outputs as there are names, or the transform is for another number of features.
    pub fn new(
        network: Network,
        transform: Transform,
        sample_shape: Vec<usize>,
        outputs: Outputs,
    ) -> Result<Model> {
        let (inputs, provenance) = (InputKind::guess(&transform), Provenance::default());
        let model = Model {
            network,
            others: Vec::new(),
            intervals: None,
            transform,
            sample_shape,
            outputs,
            inputs,
            columns: None,
            provenance,
        };
        model.check()?;
        Ok(model)
    }

    /// The networks whose mean it predicts: one, or those of all members of a bag.
    pub fn networks(&self) -> impl Iterator<Item = &Network> + Clone {
        std::iter::once(&self.network).chain(&self.others)
    }

    /// How many networks it has: more than one for a bag.
    pub fn members(&self) -> usize {
        1 + self.others.len()
    }

    /// The model that one of its networks is alone, without intervals.
    ///
    /// # Errors
    /// `InvalidArgument` if there is no such member.
    pub fn member(&self, index: usize) -> Result<Model> {
        let Some(network) = self.networks().nth(index) else {
            let members = self.members();
            return Err(Error::argument(format!("member {index}, but there are {members}")));
        };
        let (network, others) = (network.clone(), Vec::new());
        let Model { transform, sample_shape, outputs, inputs, columns, provenance, .. } = self;
        Ok(Model {
            network,
            others,
            intervals: None,
            transform: transform.clone(),
            sample_shape: sample_shape.clone(),
            outputs: outputs.clone(),
            inputs: *inputs,
            columns: columns.clone(),
            provenance: provenance.clone(),
        })
    }

    /// Notes whether the training images looked like MNIST's, and puts into the provenance what programs
    /// of version 0.1.0 read about the inputs there: they feed images as bytes unless `values` is
    /// `float32`.
    pub fn set_mnist_form(&mut self, mnist_form: bool) {
        self.inputs.mnist_form = Some(mnist_form);
        let values = match self.inputs.values {
            ValueRange::Unknown => return,
            ValueRange::Bytes => "bytes",
            ValueRange::Unit | ValueRange::Floats => "float32",
        };
        let inputs = serde_json::json!({ "values": values, "mnist_form": mnist_form });
        self.provenance.more.insert("inputs".into(), inputs);
    }

    /// Whether samples are images: height and width, perhaps with the axis of a single channel.
    pub fn takes_images(&self) -> bool {
        matches!(self.sample_shape[..], [_, _] | [_, _, 1] | [1, _, _])
    }

    /// Height and width of the images that samples are: also where rows of grey levels were trained on, as many as a square
    /// image has pixels, that are no columns of a table.
    pub fn image_size(&self) -> Option<(usize, usize)> {
        let is_grey = matches!(self.inputs.values, ValueRange::Bytes | ValueRange::Unit);
        match self.sample_shape[..] {
            [height, width] | [height, width, 1] | [1, height, width] => Some((height, width)),
            [_] if is_grey && self.columns.is_none() => {
                match image_shape(&self.sample_shape)?[..] {
                    [height, width] => Some((height, width)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// The shape of a sample, as an image where it is one.
    pub fn image_shape(&self) -> Vec<usize> {
        let size = self.image_size();
        size.map_or_else(|| self.sample_shape.clone(), |(height, width)| vec![height, width])
    }

    /// Why these samples look as if they were not like the training data: on another scale ([`InputKind::mismatch`]), or with
    /// columns of nothing but unknown values ([`Schema::unknown_columns`]).
    pub fn mismatch<'a>(&self, inputs: impl Into<Rows<'a>>) -> Option<String> {
        match (self.transform.schema(), inputs.into()) {
            (Some(schema), Rows::Table(table)) => self.unknown_values(schema, table),
            (_, rows) => self.inputs.mismatch(rows, self.takes_images()),
        }
    }

    fn unknown_values(&self, schema: &Schema, table: &Table) -> Option<String> {
        let unknown = schema.unknown_columns(table);
        let &first = unknown.first()?;
        let names = self.columns.as_ref().and_then(Columns::feature_names);
        let name = |&at: &usize| match &names {
            Some(names) => format!("{:?}", names[at]),
            None => at.to_string(),
        };
        let SchemaColumn::Category { values, .. } = &schema.columns()[first] else { return None };
        let raw = &table.columns()[first];
        let found = (0..table.rows()).find_map(|row| match raw.value(row) {
            RawValue::Text(text) => Some(text),
            _ => None,
        })?;
        let names: Vec<String> = unknown.iter().map(name).collect();
        let (columns, the) =
            if names.len() == 1 { ("column", "it") } else { ("columns", "the first") };
        Some(format!(
            "{columns} {}: all values are unknown to the model, which had {:?} in {the}, not {found:?}; is it the same column?",
            names.join(", "),
            values[0]
        ))
    }

    /// Raw values in one sample: the inputs of the network, or the columns of a schema.
    pub fn features(&self) -> usize {
        self.sample_shape.iter().product()
    }

    /// The same model for samples that its schema has encoded.
    pub(crate) fn of_encoded(&self) -> Model {
        let sample_shape = vec![self.network.inputs()];
        Model { transform: Transform::IDENTITY, sample_shape, columns: None, ..self.clone() }
    }

    /// What kind of targets it predicts.
    pub fn task(&self) -> Task {
        self.outputs.loss.task()
    }

    /// The loss that it was trained with.
    pub fn loss(&self) -> &Loss {
        &self.outputs.loss
    }

    /// The names of the outputs: of the classes, or of the values.
    pub fn names(&self) -> &[String] {
        &self.outputs.names
    }

    /// The names of the targets that it was trained on: fewer than outputs for quantiles.
    pub fn target_names(&self) -> Vec<String> {
        self.loss().target_names(self.names())
    }

    /// What it predicts for each sample, row after row: the probabilities of all classes, or the
    /// values. `inputs` is `samples x features` of raw values.
    ///
    /// # Errors
    /// `InvalidArgument` if the values do not make whole samples; `InvalidData` if a prediction is NaN
    /// or infinite.
    pub fn predict<'a>(&self, inputs: impl Into<Rows<'a>>, workers: &Workers) -> Result<Vec<f32>> {
        self.predict_on_ranks(inputs, workers, &Ranks::ALONE)
    }

    /// The same by all ranks, which have the same `inputs`: each computes a part of the samples, and all get the predictions
    /// of all, with the bits of one process.
    ///
    /// # Errors
    /// As [`Self::predict`]; those of the exchange.
    pub fn predict_on_ranks<'a>(
        &self,
        inputs: impl Into<Rows<'a>>,
        workers: &Workers,
        ranks: &Ranks,
    ) -> Result<Vec<f32>> {
        let inputs = inputs.into();
        self.check_inputs(inputs)?;
        let samples = Samples::all(inputs, inputs.len() / self.features());
        let predictions =
            self.each_sample((workers, ranks), samples, |forward, _, mut outputs| {
                forward.outputs.predictions(forward.kernels(), outputs.reborrow());
                outputs.as_ref().without_gaps().to_vec()
            })?;
        check_finite(&predictions, self.names().len())?;
        Ok(predictions)
    }

    /// The outputs for each sample, row after row, before they become predictions: logits of classes and labels, logarithms of
    /// Poisson's predictions.
    ///
    /// # Errors
    /// `InvalidArgument` if the data do not have the model's shape and outputs.
    pub(crate) fn raw_outputs(&self, data: Subset, workers: &Workers) -> Result<Vec<f32>> {
        self.raw_outputs_on_ranks(data, (workers, &Ranks::ALONE))
    }

    /// The same by all ranks.
    pub(super) fn raw_outputs_on_ranks(
        &self,
        data: Subset,
        by: (&Workers, &Ranks),
    ) -> Result<Vec<f32>> {
        self.check_data(&data)?;
        self.each_sample(by, Samples::of(&data), |_, _, outputs| {
            outputs.as_ref().without_gaps().to_vec()
        })
    }

    /// How good it is on labelled data.
    ///
    /// # Errors
    /// `InvalidArgument` if the data do not have the model's shape and outputs.
    pub fn check_on<'a>(&self, data: impl Into<Subset<'a>>, workers: &Workers) -> Result<Check> {
        self.check_on_ranks(data.into(), (workers, &Ranks::ALONE))
    }

    /// The same by all ranks, which have the same data: each computes a part of the samples, and all get the figures of one
    /// process.
    pub(crate) fn check_on_ranks(&self, data: Subset, by: (&Workers, &Ranks)) -> Result<Check> {
        match self.task() {
            Task::Classification => {
                let found = self.classifier()?.measure(data, by)?;
                Ok(Check { loss: found.loss, accuracy: Some(found.accuracy), r2: None })
            }
            Task::MultiLabel => {
                let found = self.check_labels(data, by)?;
                Ok(Check { loss: found.loss, accuracy: Some(found.subset_accuracy), r2: None })
            }
            Task::Regression => {
                let found = self.regressor()?.measure(data, by)?;
                Ok(Check { loss: found.loss, accuracy: None, r2: Some(found.mean().r2) })
            }
        }
    }

    /// Checks that the parts fit together.
    pub(super) fn check(&self) -> Result<()> {
        let Model { network, sample_shape, transform, .. } = self;
        if self.others.iter().any(|other| other.layers() != network.layers()) {
            return Err(Error::argument("the networks of a bag must have the same layers"));
        }
        let features = self.features();
        let names = self.names().len();
        if network.inputs() != transform.width(features) || network.outputs() != names {
            return Err(Error::argument(format!(
                "a network of {} inputs and {} outputs does not fit samples of shape \
                 {sample_shape:?} {}",
                network.inputs(),
                network.outputs(),
                self.task().with(names)
            )));
        }
        self.outputs.check_range()?;
        self.transform.check(features)
    }

    /// Checks that this is a model for `task`.
    pub(super) fn check_task(&self, task: Task) -> Result<()> {
        match self.task() == task {
            true => Ok(()),
            false => Err(Error::argument(format!(
                "the model predicts {} ({}); expected one that predicts {} ({})",
                self.task().outputs(),
                self.task().name(),
                task.outputs(),
                task.name()
            ))),
        }
    }

    /// Checks that the values make whole samples.
    pub(super) fn check_inputs(&self, inputs: Rows) -> Result<()> {
        self.transform.check_rows(inputs)?;
        let (len, features) = (inputs.len(), self.features());
        if len % features != 0 {
            return Err(Error::argument(format!(
                "{len} values do not make whole samples of {features}: the model takes samples of \
                 shape {:?}",
                self.sample_shape
            )));
        }
        Ok(())
    }

    /// Checks that samples and their targets fit the model.
    pub(super) fn check_data(&self, data: &Subset) -> Result<()> {
        let data = data.data();
        self.check_inputs(data.inputs.rows())?;
        let targets = self.names().len() / self.loss().outputs_per_target();
        let fits = data.targets.fit(self.task(), targets);
        match data.features() == self.features() && fits {
            true => Ok(()),
            false => Err(self.misfit(data)),
        }
    }

    /// The error for data that do not fit the model.
    pub(super) fn misfit(&self, data: &Dataset) -> Error {
        Error::argument(format!(
            "the data have samples of shape {:?} {}, but the model takes shape {:?} {}: use the data \
             set that it was trained for",
            data.sample_shape,
            data.targets.task().with(data.targets.outputs()),
            self.sample_shape,
            self.task().with(self.names().len())
        ))
    }

    /// Computes the outputs of all samples chunk by chunk on the workers; `visit(forward, first
    /// sample, outputs)` turns each into a result. The results come in order.
    pub(super) fn each_chunk<R: Send>(
        &self,
        workers: &Workers,
        samples: Samples,
        visit: impl Fn(&Forward, usize, MatMut) -> R + Sync,
    ) -> Result<Vec<R>> {
        if let Rows::Streamed(streamed) = samples.rows {
            return self.each_piece(workers, (samples, streamed), visit);
        }
        self.each_chunk_in_memory(workers, samples, visit)
    }

    fn each_chunk_in_memory<R: Send>(
        &self,
        workers: &Workers,
        samples: Samples,
        visit: impl Fn(&Forward, usize, MatMut) -> R + Sync,
    ) -> Result<Vec<R>> {
        let transform = match self.transform.schema() {
            Some(_) => &Transform::IDENTITY,
            None => &self.transform,
        };
        let density = Density::for_predictions(&self.network, transform, samples.rows);
        let kernels = kernels()?;
        let executor = |network| Executor::new(kernels, network, density.is_sparse());
        let executors: Vec<_> = self.networks().map(executor).collect();
        let (executors, density, outputs) = (&executors[..], &density, &self.outputs);
        let forward = Forward { executors, density, transform, outputs };
        match (self.transform.schema(), samples.rows) {
            (Some(schema), Rows::Table(table)) => {
                let encoder = Encoder::new(schema, table)?;
                let visit = |start, outputs: MatMut| visit(&forward, start, outputs);
                Ok(forward.each_encoded_chunk(workers, samples, &encoder, visit))
            }
            _ => Ok(forward
                .each_chunk(workers, samples, |start, outputs| visit(&forward, start, outputs))),
        }
    }

    /// The same for samples that are not in memory, which are read piece by piece.
    fn each_piece<R: Send>(
        &self,
        workers: &Workers,
        (samples, streamed): (Samples, &Streamed),
        visit: impl Fn(&Forward, usize, MatMut) -> R + Sync,
    ) -> Result<Vec<R>> {
        let mut results = Vec::new();
        for first in (0..samples.count).step_by(PIECE) {
            let count = PIECE.min(samples.count - first);
            let mut inputs = streamed.none(count);
            streamed.read((first..first + count).map(|at| samples.index(at)), &mut inputs)?;
            let piece = Samples::all(inputs.rows(), count);
            let visit =
                |forward: &Forward, start, outputs: MatMut| visit(forward, first + start, outputs);
            results.extend(self.each_chunk_in_memory(workers, piece, visit)?);
        }
        Ok(results)
    }
}

/// Checks what was predicted for samples of `outputs` numbers each.
pub(super) fn check_finite(predictions: &[f32], outputs: usize) -> Result<()> {
    match predictions.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::new(
            ErrorKind::InvalidData,
            format!(
                "the prediction for sample {} is {}: the sample's numbers are too large for this model, \
                 or its weights are",
                at / outputs.max(1),
                predictions[at]
            ),
        )),
    }
}

/// What `Classifier` and `Regressor` have in common: each is a [`Model`], owned or borrowed, of which the
/// task has been checked.
macro_rules! view {
    ($view:ident, $loss:expr) => {
        impl $view {
            /// A model of these parts, with a name for each output.
            ///
            /// # Errors
            /// As [`Model::new`].
            pub fn new(
                network: Network,
                transform: Transform,
                sample_shape: Vec<usize>,
                names: Vec<String>,
            ) -> Result<$view> {
                let outputs = Outputs::with_loss($loss, names);
                Model::new(network, transform, sample_shape, outputs).map($view)
            }
        }

        impl<M: Borrow<Model>> $view<M> {
            fn of(model: M) -> Result<$view<M>> {
                model.borrow().check_task($loss.task())?;
                Ok($view(model))
            }

            /// The model that it is a view of.
            pub fn into_model(self) -> M {
                self.0
            }
        }

        impl<M: Borrow<Model>> std::ops::Deref for $view<M> {
            type Target = Model;

            fn deref(&self) -> &Model {
                self.0.borrow()
            }
        }

        impl std::ops::DerefMut for $view {
            fn deref_mut(&mut self) -> &mut Model {
                &mut self.0
            }
        }

        impl From<$view> for Model {
            fn from(view: $view) -> Model {
                view.into_model()
            }
        }
    };
}
pub(super) use view;
