//! The model file of a command, and what such a file may leave open.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::transform::Transform;

use super::parsers::{Activations, activations, mean_and_deviation};

/// The model file, and what it may leave open.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A model file of gradus, or a dense network from PyTorch (.safetensors), ONNX, Keras 3 (.keras,
    /// .weights.h5) or NumPy (.npz)
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    /// Activation function of the hidden layers if the file contains only weights: one for all, or one per
    /// layer separated by commas [default: relu]
    #[arg(long, value_name = "NAME", help_heading = "Models from other programs",
        value_parser = activations)]
    pub(crate) activation: Option<Activations>,
    /// Normalization of the inputs, (x - MEAN) / STD, if the file does not contain it, such as 0,255 for
    /// pixels scaled to [0, 1]
    #[arg(long, value_name = "MEAN,STD", help_heading = "Models from other programs",
        allow_hyphen_values = true, value_parser = mean_and_deviation)]
    pub(crate) normalize: Option<Transform>,
}
