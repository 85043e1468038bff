//! The arguments of `gradus train`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::Task;
use gradus::data::normalize::Normalization;
use gradus::optimizer::Optimizer;
use gradus::schedule::Schedule;
use gradus::training::{BatchSize, Preset};

use super::checkpoints::{CheckpointArgs, StoppingArgs};
use super::parsers::{
    Activations, Hidden, Loss, activations, at_least_one, batch_size, hidden, losses,
    normalizations, number, optimizers, presets, schedule, threads, whole,
};
use super::regularization::RegularizationArgs;
use super::source::SourceArgs;

/// Train a model, report how good it is on test data and write it.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    gradus train\n  \
    gradus train --preset notebook --history history.csv\n  \
    gradus train --data fashion-mnist --hidden 256,128 --epochs 20 --validation 0.1\n  \
    gradus train --data flowers.csv --label-column species --normalize standard\n  \
    gradus train --data houses.csv --loss squared --label-column price --normalize standard\n\n\
    A preset only sets defaults; any option overrides them. Ctrl-C finishes the step in progress \
    and saves what there is.")]
pub(crate) struct TrainArgs {
    /// Name of a data set (mnist, fashion-mnist, digits, ...) or a path: a folder of IDX files, an
    /// .npz, a .csv, a folder of pictures per class [default: mnist, else the built-in digits]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    /// A test set in place of the data's own
    #[arg(long, value_name = "PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) test: Option<PathBuf>,
    /// Validation after each epoch: a share of the training data (such as 0.1), or the path of a set
    #[arg(long, value_name = "SHARE|PATH", help_heading = "Data", allow_negative_numbers = true)]
    pub(crate) validation: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    /// What training makes small: cross-entropy for samples in classes, squared for samples with
    /// values, their mean squared error [default: cross-entropy]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = losses())]
    pub(crate) loss: Option<Loss>,
    /// Which defaults to start from [default: quick]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = presets())]
    pub(crate) preset: Option<Preset>,
    /// Passes over the training data
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) epochs: Option<usize>,
    /// Samples in a step
    #[arg(long, value_name = "N|full", help_heading = "Training", allow_negative_numbers = true,
        value_parser = batch_size)]
    pub(crate) batch_size: Option<BatchSize>,
    /// How parameters follow their gradients
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = optimizers())]
    pub(crate) optimizer: Option<Optimizer>,
    /// Largest learning rate of the schedule (for lion about a tenth of adamw's)
    #[arg(long, value_name = "RATE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) learning_rate: Option<f32>,
    /// Share of the earlier velocity that is kept (sgd, rmsprop, muon)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) momentum: Option<f32>,
    /// Look ahead along the velocity (sgd with momentum)
    #[arg(long, help_heading = "Training")]
    pub(crate) nesterov: bool,
    /// Decay of the mean of gradients (adam, adamw, muon); its share in the direction (lion)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta1: Option<f32>,
    /// Decay of the mean of squared gradients (adam, adamw, rmsprop, muon) or of gradients (lion)
    #[arg(long, value_name = "SHARE", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) beta2: Option<f32>,
    /// Added to the root of the mean square (adam, adamw, rmsprop, muon)
    #[arg(long, value_name = "NUMBER", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) epsilon: Option<f32>,
    /// L2 penalty on weights (sgd, adam, rmsprop), or decoupled decay (adamw, lion, muon)
    #[arg(long, value_name = "FACTOR", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) weight_decay: Option<f32>,
    /// constant, step:EPOCHS:FACTOR, cosine, one-cycle or plateau:PATIENCE:FACTOR
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = schedule)]
    pub(crate) schedule: Option<Schedule>,
    /// Epochs (also parts of one) in which the learning rate rises to its value
    #[arg(long, value_name = "EPOCHS", help_heading = "Training", allow_negative_numbers = true,
        value_parser = number)]
    pub(crate) warm_up: Option<f32>,
    /// Where all random numbers come from: same seed, same model [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = whole)]
    pub(crate) seed: Option<u64>,
    /// Worker threads; the model does not depend on them [default: at most one a core]
    #[arg(long, value_name = "N", help_heading = "Training", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,

    /// Units of each hidden layer, such as 128 or 256,64; none for softmax regression
    #[arg(long, value_name = "UNITS", help_heading = "Network", allow_negative_numbers = true,
        value_parser = hidden)]
    pub(crate) hidden: Option<Hidden>,
    /// What follows each hidden layer, one for all or one for each, such as relu or relu,tanh: of
    /// identity, relu, leaky_relu (slope 0.01), leaky_relu:SLOPE, tanh, sigmoid and gelu
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = activations)]
    pub(crate) activation: Option<Activations>,
    /// Initial weights: auto, he, glorot, normal:S (S a standard deviation), or an .npz file with
    /// the arrays w1, b1, w2, b2, ...
    #[arg(long, value_name = "NAME|FILE", help_heading = "Network", value_hint = ValueHint::FilePath)]
    pub(crate) init: Option<String>,
    /// From raw values to inputs: as they are, to [0, 1], or to mean 0 and deviation 1
    #[arg(long, value_name = "NAME", help_heading = "Network", value_parser = normalizations())]
    pub(crate) normalize: Option<Normalization>,

    #[command(flatten)]
    pub(crate) regularization: RegularizationArgs,
    #[command(flatten)]
    pub(crate) stopping: StoppingArgs,
    #[command(flatten)]
    pub(crate) checkpoints: CheckpointArgs,
    /// Which options were given, and their values
    #[arg(skip)]
    pub(crate) given: BTreeMap<String, String>,

    /// The model file to write
    #[arg(long, short, value_name = "FILE", help_heading = "Output",
        default_value = "model.safetensors", value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Write the figures of every epoch to a .json or .csv file
    #[arg(long, value_name = "FILE", help_heading = "Output", value_hint = ValueHint::FilePath)]
    pub(crate) history: Option<PathBuf>,
    /// Watch the run on a page in the browser, which stays until Ctrl-C [default port: 7428, else any]
    #[arg(long, value_name = "PORT", help_heading = "Output", num_args = 0..=1)]
    pub(crate) watch: Option<Option<u16>>,
    /// Print one JSON object a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print only the result
    #[arg(long, short, help_heading = "Output", conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say on standard error what was found and how it is computed
    #[arg(long, short, help_heading = "Output")]
    pub(crate) verbose: bool,
}

impl TrainArgs {
    /// What samples are answered with.
    pub(crate) fn task(&self) -> Task {
        self.loss.map_or(Task::Classes, Loss::task)
    }
}
