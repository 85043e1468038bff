//! The arguments of `gradus predict`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;
use super::parsers::{at_least_one, threads};

/// Predict the class, or the values, of pictures or samples: PNG, JPEG, IDX, NPY, CSV, or - for standard input.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus predict model.safetensors digit.png\n  \
    gradus predict model.safetensors *.png --top 3\n  \
    gradus predict model.safetensors t10k-images-idx3-ubyte.gz --json\n\n\
    For a model of 28 x 28 pictures a PNG or JPEG is brought to MNIST's form: light on dark, \
    fitted into 20 x 20, centred by mass. --raw only scales it.")]
pub(crate) struct PredictArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Files to predict; - for standard input
    #[arg(required = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// Only scale pictures to the model's size
    #[arg(long)]
    pub(crate) raw: bool,
    /// Label column of CSV tables, which is left out: a name from the header, or a position from 0;
    /// of values to predict also several, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Show this many classes, the most probable first
    #[arg(long, value_name = "K", allow_negative_numbers = true,
        value_parser = at_least_one)]
    pub(crate) top: Option<usize>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object a sample
    #[arg(long)]
    pub(crate) json: bool,
}
