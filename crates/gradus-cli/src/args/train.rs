//! The arguments of `gradus train`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::Task;
use gradus::data::normalize::Normalization;
use gradus::loss::Loss;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, Preset};

use super::checkpoints::{CheckpointArgs, StoppingArgs};
use super::parsers::{
    Activations, Hidden, activations, at_least_one, batch_size, hidden, losses, normalizations,
    number, optimizers, presets, schedule, threads, whole,
};
use super::regularization::RegularizationArgs;
use super::source::SourceArgs;

/// Train a model, measure it on test data and save it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    gradus train\n  \
    gradus train --preset notebook --history history.csv\n  \
    gradus train --data fashion-mnist --hidden 256,128 --epochs 20 --validation 0.1\n  \
    gradus train --data flowers.csv --label-column species --normalize standard\n  \
    gradus train --data houses.csv --loss squared --label-column price --normalize standard\n\n\
    A preset only sets defaults; any option overrides them. Ctrl-C finishes the current step and \
    saves the model.")]
pub(crate) struct TrainArgs {
    /// Name of a data set (mnist, fashion-mnist, digits, ...) or a path: a folder of IDX files, an
    /// .npz, a .csv, a folder with one sub-folder of images per class [default: mnist, else the built-in
    /// digits]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    /// Test set, used instead of the test split of the data
    #[arg(long, value_name = "PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) test: Option<PathBuf>,
    /// Validation data, evaluated after each epoch: a fraction of the training data to hold out (such as
    /// 0.1), or the path of a data set
    #[arg(
        long,
        value_name = "FRACTION|PATH",
        help_heading = "Data",
        allow_negative_numbers = true
    )]
    pub(crate) validation: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// Loss to minimise: cross-entropy for classification, squared for regression [default:
    /// cross-entropy]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = losses())]
    pub(crate) loss: Option<Loss>,
    /// Set of defaults to start from [default: quick]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = presets())]
    pub(crate) preset: Option<Preset>,
    /// Passes over the training data
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) epochs: Option<usize>,
    /// Samples per step
    #[arg(long, value_name = "N|full", help_heading = "Training", allow_negative_numbers = true,
        value_parser = batch_size)]
    pub(crate) batch_size: Option<BatchSize>,
    /// Optimizer
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = optimizers())]
    pub(crate) optimizer: Option<Optimizer>,
    /// Peak learning rate of the schedule (lion needs about a tenth of adamw's)
    #[arg(long, value_name = "RATE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) learning_rate: Option<f32>,
    /// Momentum coefficient, such as 0.9 (sgd, rmsprop, muon)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) momentum: Option<f32>,
    /// Nesterov momentum (sgd with momentum)
    #[arg(long, help_heading = "Training")]
    pub(crate) nesterov: bool,
    /// Decay rate of the gradient average (adam, adamw, muon); its weight in the update direction (lion)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta1: Option<f32>,
    /// Decay rate of the squared-gradient average (adam, adamw, rmsprop, muon) or of the gradient average
    /// (lion)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta2: Option<f32>,
    /// Added to the denominator of the update for numerical stability (adam, adamw, rmsprop, muon)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) epsilon: Option<f32>,
    /// L2 penalty on the weights (sgd, adam, rmsprop), or decoupled weight decay (adamw, lion, muon)
    #[arg(long, value_name = "FACTOR", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) weight_decay: Option<f32>,
    /// Learning rate schedule: constant, step:EPOCHS:FACTOR, cosine, one-cycle or plateau:PATIENCE:FACTOR
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = schedule)]
    pub(crate) schedule: Option<Schedule>,
    /// Epochs over which the learning rate rises to its peak; may be a fraction
    #[arg(long, value_name = "EPOCHS", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) warm_up: Option<f32>,
    /// Seed of all random numbers: same seed, same model [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = whole)]
    pub(crate) seed: Option<u64>,
    /// Worker threads; the model does not depend on them [default: up to one per core]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,

    /// Units of each hidden layer, such as 128 or 256,64; none for no hidden layer
    #[arg(long, value_name = "UNITS", help_heading = "Network", allow_negative_numbers = true,
        value_parser = hidden)]
    pub(crate) hidden: Option<Hidden>,
    /// Activation function of the hidden layers, one for all or one per layer, such as relu or
    /// relu,tanh: identity, relu, leaky_relu (slope 0.01), leaky_relu:SLOPE, tanh, sigmoid or gelu
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = activations)]
    pub(crate) activation: Option<Activations>,
    /// Initial weights: auto, he, glorot, normal:STD (a standard deviation), or an .npz file with the
    /// arrays w1, b1, w2, b2, ...
    #[arg(long, value_name = "NAME|FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub(crate) init: Option<String>,
    /// Input normalization: none, unit scales to [0, 1], standard to mean 0 and standard deviation 1
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = normalizations())]
    pub(crate) normalize: Option<Normalization>,

    #[command(flatten)]
    pub(crate) regularization: RegularizationArgs,
    #[command(flatten)]
    pub(crate) stopping: StoppingArgs,
    #[command(flatten)]
    pub(crate) checkpoints: CheckpointArgs,
    /// The options that were typed, and their values
    #[arg(skip)]
    pub(crate) given: BTreeMap<String, String>,

    /// The model file to write
    #[arg(long, short, value_name = "FILE", help_heading = "Output",
        default_value = "model.safetensors", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Write the metrics of every epoch to a .json or .csv file
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Open a page in the browser that shows the run, until Ctrl-C [default port: 7428, or any free one]
    #[arg(long, value_name = "PORT", help_heading = "Output", num_args = 0..=1)]
    pub(crate) watch: Option<Option<u16>>,
    /// Print one JSON object per line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print only the result
    #[arg(long, short, help_heading = "Output", conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Print details about data, settings and machine to standard error
    #[arg(long, short, help_heading = "Output")]
    pub(crate) verbose: bool,
}

impl TrainArgs {
    /// Classification or regression.
    pub(crate) fn task(&self) -> Task {
        self.loss.map_or(Task::Classification, Loss::task)
    }
}
