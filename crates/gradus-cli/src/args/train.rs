//! The arguments of `gradus train`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::Task;
use gradus::loss::Loss;
use gradus::training::Preset;

use super::checkpoints::CheckpointArgs;
use super::parsers::presets;
use super::settings::SettingArgs;
use super::source::{KindArgs, SourceArgs};

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
    /// .npz, a .csv, several as 'part-*.csv', a folder with one sub-folder of images per class, a folder of shards, which may
    /// be larger than memory [default: mnist, else the built-in digits]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
    /// Test set, used instead of the test split of the data
    #[arg(long, value_name = "PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) test: Option<PathBuf>,
    /// Load a folder of shards into memory, in place of reading it piece by piece
    #[arg(long, help_heading = "Data")]
    pub(crate) in_memory: bool,
    /// Set of defaults to start from [default: tabular for tables, else quick]
    #[arg(long, value_name = "NAME", help_heading = "Training", value_parser = presets())]
    pub(crate) preset: Option<Preset>,
    #[command(flatten)]
    pub(crate) settings: SettingArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) kinds: KindArgs,
    /// Weights of the training samples in the loss: an .npy file, or a text file with one number per line
    #[arg(long, value_name = "FILE", help_heading = "Regularization",
        value_hint = ValueHint::FilePath)]
    pub(crate) sample_weights: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) checkpoints: CheckpointArgs,
    /// Train as one of the processes that mpirun or srun has started; same bits as one process
    #[arg(long, help_heading = "Training")]
    pub(crate) mpi: bool,
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
    /// Classification or regression: what the loss is for.
    pub(crate) fn task(&self) -> Task {
        let loss = self.settings.get("loss").and_then(Loss::from_name);
        loss.map_or(Task::Classification, |loss| loss.task())
    }
}
