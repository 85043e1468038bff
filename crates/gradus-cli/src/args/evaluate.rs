//! The arguments of `gradus evaluate`.

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::parsers::{at_least_one, threads};
use super::source::SourceArgs;

/// Measure a model on data with their labels or values: accuracy, confusion matrix, mistakes; of
/// values, their errors.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus evaluate model.safetensors\n  \
    gradus evaluate model.safetensors --errors 5\n  \
    gradus evaluate model.safetensors --data held-out.csv --json\n\n\
    Of data with a test part the test part is taken, of other data all samples; of data from which \
    training set a test part apart, that part. Samples are counted from 0 in what is taken.\n\n\
    Beside an accuracy stands its 95 % interval (Wilson's), in percent: how far chance in the \
    choice of the samples may have moved it.")]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Name of a data set, or a path [default: the set that the model was trained on]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Tell the accuracy among the K most probable classes [default: 3 for 5 classes or more]
    #[arg(long, value_name = "K", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Show the N worst mistakes: the highest probabilities of wrong classes, with their samples
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) errors: Option<usize>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
