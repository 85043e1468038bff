//! The arguments of `gradus export`.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::model::ModelArgs;

/// Write a model in another format, which the ending of OUT names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus export model.safetensors model.onnx\n  \
    gradus export model.safetensors weights.npz\n  \
    gradus export model.keras model.safetensors\n\n\
    An ONNX model takes raw values as `input` (a batch of samples of the model's shape, float32) and \
    gives `label` (int64) and `probabilities`, or `values`; the normalisation is inside.")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to write: .safetensors, .onnx, .npz with the arrays w1, b1, w2, b2, ..., or .html, a page
    /// on which to draw digits with the model inside
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Let the ONNX model take uint8 instead of float32
    #[arg(long)]
    pub(crate) uint8: bool,
}
