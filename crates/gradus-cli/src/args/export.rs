//! The arguments of `gradus export`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;

/// Convert a model to another format, chosen by the extension of OUT.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus export model.safetensors model.onnx\n  \
    gradus export model.safetensors weights.npz\n  \
    gradus export model.safetensors model.c --int8\n  \
    gradus export model.keras model.safetensors\n\n\
    An ONNX model takes raw values as `input` (float32, a batch of samples of the model's shape) and \
    returns `label` (int64) and `probabilities`, or `values` for regression; it includes the \
    normalization.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to write: .safetensors, .onnx, .npz with the arrays w1, b1, w2, b2, ..., .c, C source for small
    /// devices, or .html or .htm, a page that contains the model and recognizes drawn digits
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Make the ONNX model take uint8 instead of float32
    #[arg(long)]
    pub(crate) uint8: bool,
    /// Round the weights to 8 bits, with a scale for each unit, and report what that costs; C source stores them in 8
    /// bits, the other formats as the numbers that they stand for
    #[arg(long)]
    pub(crate) int8: bool,
    /// With --int8, name of a data set, or a path, to measure the rounded model on [default: the data the model was
    /// trained on, if they are found as by gradus evaluate]
    #[arg(long, value_name = "NAME|PATH", requires = "int8", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
}
