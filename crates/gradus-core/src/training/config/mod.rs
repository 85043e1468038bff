//! Every setting of a training run, and what follows from several of them together. The presets are in `presets.rs`.

use gradus_kernels::threads::available_cores;

use crate::engine::{Settings, TargetScale};
use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::model::Model;
use crate::network::{
    Activation, Column, ColumnLayer, Init, Network, NumericEmbedding, Parametrization,
};
use crate::optimizer::Optimizer;
use crate::regularization::Regularization;
use crate::samples::{Dataset, Shuffle, Subset, Targets, Task};
use crate::schedule::{Run, Schedule};
use crate::training::data::Data;
use crate::training::history::Monitor;
use crate::training::some_inputs::some_inputs;
use crate::transform::Transform;
use crate::transform::columns::EncodedColumn;
use crate::transform::normalize::Normalization;

mod presets;

pub use presets::Preset;

/// Samples in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// All training samples.
    Full,
    /// This many, shuffled in every epoch.
    Samples(usize),
}

/// Ends a run when the monitored figure no longer gets better. The model is then that of the best
/// epoch, also where the run came to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EarlyStopping {
    /// Epochs without a better figure after which the run ends.
    pub patience: usize,
    /// By how much a figure must be better than the best so far for its epoch to count as progress. The model that is kept
    /// is that of the best epoch, by however little.
    pub min_delta: f64,
}

/// Which of several equally good epochs is the best one, whose model is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepBest {
    /// The first.
    First,
    /// The last: it has seen more steps (Holzmüller et al. 2024).
    Last,
}

impl KeepBest {
    /// Both.
    pub const ALL: [KeepBest; 2] = [KeepBest::First, KeepBest::Last];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            KeepBest::First => "first",
            KeepBest::Last => "last",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<KeepBest> {
        KeepBest::ALL.into_iter().find(|it| it.name() == name)
    }
}

/// The settings of a training run. [`SETTINGS`](crate::training::settings::SETTINGS) has the range, the
/// text form and the name in files of each.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainConfig {
    /// Units of each hidden layer; none for softmax regression.
    pub hidden: Vec<usize>,
    /// After the hidden layers: one for all of them, or one for each.
    pub activation: Vec<Activation>,
    /// Whether each hidden unit has a trainable strength of its activation (docs/maths.md M3); `None` is false.
    pub parametric: Option<bool>,
    /// Distribution of the initial weights.
    pub init: Init,
    /// Of which weights the learning rate is.
    pub parametrization: Parametrization,
    /// From raw values to the network's inputs.
    pub normalization: Normalization,
    /// Whether regression targets are learned with mean 0 and standard deviation 1; `None` is false. The model predicts
    /// in the targets' own units either way.
    pub standardize_targets: Option<bool>,
    /// Whether predicted values are clipped to the range of the training and validation targets, one range for each target
    /// (docs/maths.md M21); `None` is false.
    pub clip_predictions: Option<bool>,
    /// How the numbers of a table are embedded before the first linear layer; `None` is not at all.
    pub numeric_embedding: Option<NumericEmbedding>,
    /// How many numbers each category of more than eight values becomes; `None` for flags of its values.
    pub category_embedding: Option<usize>,
    /// Whether each input of the first linear layer has a trainable factor, folded into that layer's weight in the saved
    /// model (docs/maths.md M27); `None` is false.
    pub scaling_layer: Option<bool>,
    /// What training minimizes; `None` for the usual loss of the targets: cross-entropy for classes, half the squared error
    /// for numbers.
    pub loss: Option<Loss>,
    /// Weight `w_j` of each target in the loss of regression, which is `sum w_j l_j / sum w_j` over the targets; `None` if all
    /// count the same.
    pub output_weights: Option<Vec<f32>>,
    /// Passes over the training data.
    pub epochs: usize,
    /// Samples in a step.
    pub batch_size: BatchSize,
    /// How samples are ordered in every epoch. `None` is [`Shuffle::Samples`].
    pub shuffle: Option<Shuffle>,
    /// How parameters follow their gradients, with weight decay.
    pub optimizer: Optimizer,
    /// Largest learning rate of the schedule.
    pub learning_rate: f32,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// Factor of the learning rate of biases.
    pub bias_rate: f32,
    /// Factor of the learning rate of the scaling layer.
    pub scaling_rate: f32,
    /// Factor of the weight decay of the scaling layer; 0 for none.
    pub scaling_decay: f32,
    /// Factor of the weight decay of the tables of categories; 0 for none.
    pub category_decay: f32,
    /// How weight decay changes: what it is multiplied by.
    pub weight_decay_schedule: Schedule,
    /// How dropout of hidden layers changes: what its share is multiplied by.
    pub dropout_schedule: Schedule,
    /// Epochs (also parts of one) in which the learning rate rises to its value.
    pub warm_up: f32,
    /// Share of the training data kept for validation: 0 for none, below 1.
    pub validation: f64,
    /// Networks of a bag, each trained without one of as many folds of the training data, on which it is validated; what the
    /// model predicts is the mean of their predictions. `None` or 1 for a single network.
    pub members: Option<usize>,
    /// Whether each member of a bag is trained once more on all training data, for as many epochs as led to its best one;
    /// `None` is false.
    pub refit: Option<bool>,
    /// Regularization.
    pub regularization: Regularization,
    /// When to end before the last epoch; none for never.
    pub early_stopping: Option<EarlyStopping>,
    /// Whether the model is that of the best epoch, also without early stopping, and which of several equally good ones.
    /// None for the last epoch, or the first of the best ones with early stopping.
    pub keep_best: Option<KeepBest>,
    /// What early stopping, `keep_best` and the plateau schedule watch; `None` for the validation loss where
    /// there are validation data, else the training loss.
    pub monitor: Option<Monitor>,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Into how many micro-batches a batch is cut, whose gradients are summed along a tree: a power of two up to 64. `None`
    /// for one below 8,192 samples, else one for every 4,096, rounded down to a power of two. Sums of other cuts are
    /// rounded otherwise, so that the model depends on it.
    pub micro_batches: Option<usize>,
    /// Worker threads; `None` for one a core, or one alone where the steps are very small.
    pub threads: Option<usize>,
}

/// Most worker threads.
pub const MOST_THREADS: usize = 1024;

/// Multiplications and additions of a step below which one worker alone is faster than several that
/// meet: some 0.1 ms of work.
const SMALL_STEP: usize = 10_000_000;

impl TrainConfig {
    /// Samples of a batch where there are `samples` in all.
    pub(super) fn samples_in_batch(&self, samples: usize) -> usize {
        match self.batch_size {
            BatchSize::Full => samples,
            BatchSize::Samples(count) => count,
        }
    }

    /// How many workers train `network` on so many samples: what `threads` says.
    pub fn workers(&self, network: &Network, samples: usize) -> usize {
        let batch = self.samples_in_batch(samples).min(samples);
        // Forward, and backward for weights and for inputs.
        let step = network.parameters().len().saturating_mul(6 * batch);
        let least = if step < SMALL_STEP { 1 } else { available_cores() };
        self.threads.unwrap_or(least)
    }

    /// The loss of a run on these targets.
    pub fn loss_for(&self, targets: &Targets) -> Loss {
        self.loss.clone().unwrap_or(Loss::of(targets.task()))
    }

    /// The loss of a run on these data, once it is clear that it can be computed for all of them.
    ///
    /// # Errors
    /// `InvalidArgument` for a loss of another kind of targets, or settings that do not fit it.
    pub(super) fn check_loss(&self, data: &Data) -> Result<Loss> {
        let targets = &data.train.data().targets;
        let loss = self.loss_for(targets);
        loss.check_targets(targets)?;
        if let Some(set) = data.validation {
            // Other targets than those of the training data are refused with what both of them are.
            if set.data().targets.task() == targets.task() {
                let check = loss.check_targets(&set.data().targets);
                check.map_err(|error| error.context("the validation data"))?;
            }
        }
        if self.standardize_targets == Some(true)
            && targets.task() == Task::Regression
            && !loss.can_standardize()
        {
            return Err(Error::argument(format!(
                "`standardize_targets` is true, but `loss` {} learns the logarithms of its predictions: use \
                 `standardize_targets` false",
                loss.name()
            )));
        }
        let Some(weights) = &self.output_weights else { return Ok(loss) };
        match (targets.task(), targets.outputs()) {
            (Task::Regression, count) if weights.len() == count => Ok(loss),
            (Task::Regression, count) => Err(Error::argument(format!(
                "`output_weights` has {} numbers, but a sample has {count} target{}: give one for each",
                weights.len(),
                if count == 1 { "" } else { "s" }
            ))),
            _ => Err(Error::argument(
                "`output_weights` are for the targets of regression, but the data have classes: leave them out",
            )),
        }
    }

    /// The settings of the engine that trains `model` on so many samples.
    pub(super) fn engine_settings(
        &self,
        model: &Model,
        samples: usize,
        target_scale: Option<TargetScale>,
        ranks: Ranks,
    ) -> Settings {
        Settings {
            batch_size: self.samples_in_batch(samples),
            shuffle: self.shuffle.unwrap_or(Shuffle::Samples),
            optimizer: self.optimizer,
            parametrization: self.parametrization,
            bias_rate: self.bias_rate,
            scaling_rate: self.scaling_rate,
            scaling_decay: self.scaling_decay,
            category_decay: self.category_decay,
            regularization: self.regularization.clone(),
            seed: self.seed,
            micro_batches: self.micro_batches,
            threads: self.workers(&model.network, samples),
            ranks,
            loss: model.loss().clone(),
            output_weights: model.outputs.weights.clone(),
            target_scale,
            scaling_layer: self.scaling_layer == Some(true),
        }
    }

    /// What becomes of the raw values of these training samples.
    ///
    /// # Errors
    /// Those of [`Transform::fit_reading`].
    pub fn transform<'a>(&self, data: impl Into<Subset<'a>>) -> Result<Transform> {
        Transform::fit_reading(self.normalization, data, self.category_embedding.is_some())
    }

    /// The network that a fresh run begins with, its parameters drawn for these samples, of which `transform` makes its inputs.
    ///
    /// # Errors
    /// `InvalidArgument` if the layers do not fit together, and for an embedding of samples that are not the rows of a table.
    pub fn network<'a>(
        &self,
        data: impl Into<Subset<'a>>,
        transform: &Transform,
    ) -> Result<Network> {
        let data = data.into();
        let (features, targets) = (transform.width(data.features()), &data.data().targets);
        let outputs = self.loss_for(targets).outputs_per_target() * targets.outputs();
        let numeric = self.numeric_embedding.unwrap_or(NumericEmbedding::None);
        if numeric != NumericEmbedding::None && data.data().sample_shape.len() != 1 {
            return Err(Error::argument(
                "`numeric_embedding` is for tables, but these samples are images: leave it out, or set it to none",
            ));
        }
        let columns = columns_of(transform, features);
        let is_embedded = |column: &Column| match column {
            Column::Number => numeric != NumericEmbedding::None,
            Column::Flag => false,
            Column::Category(_) => true,
        };
        let width = self.category_embedding.unwrap_or(CATEGORY_OUTPUTS);
        let columns = match columns.iter().any(is_embedded) {
            true => Some(ColumnLayer::new(columns, numeric, width)?),
            false => None,
        };
        let inputs = columns.as_ref().map_or(features, ColumnLayer::outputs);
        let mut network = Network::dense(inputs, &self.hidden, &self.activation, outputs)?;
        if self.parametric == Some(true) {
            network = network.with_strengths()?;
        }
        if let Some(columns) = columns {
            network = network.after_columns(columns)?;
        }
        network.initialize(self.init, self.seed);
        if matches!(numeric, NumericEmbedding::Ple { .. }) {
            network.fit_bins(&some_inputs(transform, &data, BIN_SAMPLES)?);
        }
        Ok(network)
    }

    /// What is watched, with or without validation data.
    pub fn monitor(&self, validation: bool) -> Monitor {
        self.monitor.unwrap_or(if validation { Monitor::ValLoss } else { Monitor::Loss })
    }

    /// Checks that the validation data fit the training data, and that there are some if one of their
    /// figures is to be watched.
    pub(super) fn check_validation(
        &self,
        data: &Dataset,
        validation: Option<&Dataset>,
    ) -> Result<()> {
        let (task, outputs) = (data.targets.task(), data.targets.outputs());
        if let Some(set) = validation
            && (set.features() != data.features() || !set.targets.fit(task, outputs))
        {
            return Err(Error::argument(format!(
                "the validation data have samples of shape {:?} {}, but the training data {:?} {}",
                set.sample_shape,
                set.targets.task().with(set.targets.outputs()),
                data.sample_shape,
                task.with(outputs)
            )));
        }
        let monitor = self.monitor(validation.is_some());
        if let Some(problem) = monitor.problem_with(task) {
            return Err(Error::argument(format!("`monitor` is {}, but {problem}", monitor.name())));
        }
        if validation.is_none() && monitor.needs_validation() {
            return Err(Error::argument(format!(
                "`monitor` is {}, but there are no validation data: hold out a share of the training \
                 data (`validation` 0.1), or watch loss or accuracy",
                monitor.name()
            )));
        }
        Ok(())
    }

    /// What a schedule needs to know of this run with so many steps and samples an epoch.
    pub(super) fn run(&self, steps_per_epoch: u64, samples: u64) -> Run {
        let steps = steps_per_epoch.saturating_mul(self.epochs as u64);
        let warm_up = (f64::from(self.warm_up) * steps_per_epoch as f64).round() as u64;
        Run { steps, steps_per_epoch, warm_up: warm_up.min(steps), samples, seen: 0 }
    }
}

/// Samples that decide the edges of bins at most, evenly spread over the training part.
const BIN_SAMPLES: usize = 1 << 16;

/// Numbers that a category becomes.
pub(super) const CATEGORY_OUTPUTS: usize = 8;

/// What the inputs of a network are that a transform makes of a table: numbers, unless it has a schema.
fn columns_of(transform: &Transform, inputs: usize) -> Vec<Column> {
    let column = |encoded| match encoded {
        EncodedColumn::Number => Column::Number,
        EncodedColumn::Flag => Column::Flag,
        EncodedColumn::Code { values } => Column::Category(values),
    };
    match transform.schema() {
        Some(schema) => schema.encoded().into_iter().map(column).collect(),
        None => vec![Column::Number; inputs],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn very_small_steps_take_one_worker() {
        let network =
            |inputs, outputs| Network::dense(inputs, &[100], &[Activation::Relu], outputs);
        let (small, large) = (network(20, 3).unwrap(), network(784, 10).unwrap());
        let config = TrainConfig { batch_size: BatchSize::Samples(200), ..TrainConfig::default() };
        assert_eq!(config.workers(&small, 1000), 1);
        assert_eq!(config.workers(&large, 1000), available_cores());
        assert_eq!(config.workers(&large, 10), 1);
        let asked = TrainConfig { threads: Some(3), ..config };
        assert_eq!(asked.workers(&small, 1000), 3);
    }

    #[test]
    fn presets_for_tables_follow_the_rows() {
        use Preset::{Tabular, TabularQuick, TabularSmall};
        use Task::{Classification, Regression};
        let adapted = |preset: Preset, rows, task: Task, taken: &str| {
            let mut config = preset.config_for(task);
            config.follow_rows(rows, task, |name| name != taken);
            (config.batch_size, config.numeric_embedding)
        };
        let (pbld, ple) = (Some(NumericEmbedding::PBLD), Some(NumericEmbedding::PLE));
        let batch = BatchSize::Samples;
        for (rows, samples) in
            [(20, 32), (200, 64), (600, 128), (3_000, 256), (30_001, 512), (100_001, 1024)]
        {
            assert_eq!(adapted(Tabular, rows, Classification, ""), (batch(samples), pbld));
        }
        assert_eq!(adapted(Tabular, 2_999, Regression, ""), (batch(128), pbld));
        assert_eq!(adapted(TabularQuick, 3_000, Regression, ""), (batch(256), ple));
        assert_eq!(adapted(TabularSmall, 9_000, Regression, ""), (batch(256), None));
        // What a user has set stays.
        assert_eq!(adapted(Tabular, 9_000, Regression, "numeric_embedding").1, pbld);
        assert_eq!(adapted(Tabular, 100, Regression, "batch_size").0, batch(256));
    }

    #[test]
    fn presets_are_valid_and_wrong_settings_are_named() {
        for preset in Preset::ALL {
            preset.config().validate().unwrap();
            assert_eq!(Preset::from_name(preset.name()), Some(preset));
        }
        let wrong = |change: fn(&mut TrainConfig), name: &str| {
            let mut config = TrainConfig::default();
            change(&mut config);
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        };
        wrong(|c| c.hidden = vec![3, 0], "hidden");
        wrong(|c| c.activation = vec![Activation::Relu; 2], "activations");
        wrong(|c| c.epochs = 0, "epochs");
        wrong(|c| c.batch_size = BatchSize::Samples(0), "batch_size");
        wrong(|c| c.learning_rate = f32::NAN, "learning_rate");
        wrong(|c| c.warm_up = 1e9, "warm_up");
        wrong(|c| c.validation = 1.0, "validation");
        wrong(|c| c.threads = Some(0), "threads");
        for count in [0, 3, 128] {
            let config = TrainConfig { micro_batches: Some(count), ..TrainConfig::default() };
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains("a power of two from 1 to 64"), "{message}");
        }
        wrong(
            |c| (c.micro_batches, c.regularization.batch_norm) = (Some(2), true),
            "1 with `batch_norm`",
        );
        wrong(
            |c| c.optimizer = Optimizer::Sgd { momentum: 1.0, nesterov: false, weight_decay: 0.0 },
            "momentum",
        );
        let rmsprop =
            Optimizer::RmsProp { decay: 0.99, momentum: 0.0, epsilon: 0.0, weight_decay: 0.0 };
        let lion = Optimizer::Lion { beta1: 0.9, beta2: 1.0, weight_decay: 0.0 };
        for (optimizer, name) in [(rmsprop, "epsilon"), (lion, "beta2")] {
            let config = TrainConfig { optimizer, ..TrainConfig::default() };
            let message = config.validate().unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
        for optimizer in Optimizer::ALL {
            assert_eq!(Optimizer::from_name(optimizer.name()), Some(optimizer));
        }
        for optimizer in Optimizer::ALL {
            TrainConfig { optimizer, ..Preset::Notebook.config() }.validate().unwrap();
        }
    }
}
