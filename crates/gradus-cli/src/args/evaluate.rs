//! The arguments of `gradus evaluate`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::parsers::{at_least_one, threads};
use super::source::SourceArgs;

/// Measure a model on labelled data: accuracy, confusion matrix, mistakes; for regression, the errors.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus evaluate model.safetensors\n  \
    gradus evaluate model.safetensors --errors 5\n  \
    gradus evaluate model.safetensors --data held-out.csv --json\n\n\
    Uses the test split if the data has one, or the one held out during training; otherwise all \
    samples. Samples are counted from 0 within that.\n\n\
    The range in parentheses is the 95 % confidence interval (Wilson) of the accuracy, in percent.")]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Name of a data set, or a path [default: the data the model was trained on, if that is a named set,
    /// or a file or folder in the current folder]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Report top-K accuracy: the true class is among the K most probable [default: 3 for 5 classes or
    /// more]
    #[arg(long, value_name = "K", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Show the N most confident mistakes, with their samples
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) errors: Option<usize>,
    /// Evaluate as one of the processes that mpirun or srun has started: they share the samples; same figures as one process
    #[arg(long, help_heading = "Output")]
    pub(crate) mpi: bool,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
