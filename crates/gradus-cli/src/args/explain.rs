//! The arguments of `gradus explain`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::parsers::{at_least_one, threads};
use super::source::SourceArgs;

/// Show which columns a model relies on, how predictions depend on a column, or what each column adds to a prediction.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus explain model.safetensors --data test.csv\n  \
    gradus explain model.safetensors --data test.csv --column age\n  \
    gradus explain model.safetensors --data test.csv --row 3 --json\n\n\
    Without --column and --row, the values of each column are shuffled among the samples: its importance is how much worse \
    accuracy and log loss, or R^2 and RMSE, become (permutation importance). --column sets a column to the same value in all \
    samples, value after value, and shows the mean prediction (partial dependence). --row divides the difference between a \
    prediction and that for a neutral sample among the columns (integrated gradients).\n\n\
    Uses the test split if the data has one, or the one held out during training; otherwise all samples. Samples are \
    counted from 0 within that. For --row, a table needs no targets.")]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Name of a data set, or a path [default: the data the model was trained on, if that is a named set,
    /// or a file or folder in the current folder]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Show what each column adds to the prediction for this sample, counted from 0
    #[arg(long, value_name = "N", help_heading = "Explanation")]
    pub(crate) row: Option<usize>,
    /// Show how the mean prediction depends on this column: its name in the header, or its position among the columns that
    /// the model takes, counted from 0
    #[arg(long, value_name = "COLUMN", help_heading = "Explanation", conflicts_with = "row")]
    pub(crate) column: Option<String>,
    /// Class, label or value to explain with --row [default: the most probable one, or the first value]
    #[arg(long, value_name = "NAME", help_heading = "Explanation", requires = "row")]
    pub(crate) class: Option<String>,
    /// How often each column is shuffled [default: 5]
    #[arg(long, value_name = "N", help_heading = "Explanation", allow_negative_numbers = true,
        value_parser = at_least_one, conflicts_with_all = ["row", "column"])]
    pub(crate) repeats: Option<usize>,
    /// Use at most N samples, drawn at random [default: 5000, or 1000 with --column]
    #[arg(long, value_name = "N", help_heading = "Explanation", allow_negative_numbers = true,
        value_parser = at_least_one, conflicts_with = "row")]
    pub(crate) samples: Option<usize>,
    /// Seed of the random numbers [default: 0]
    #[arg(long, value_name = "N", help_heading = "Explanation", conflicts_with = "row")]
    pub(crate) seed: Option<u64>,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
