//! The model that a command takes, and what its file may not say.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::normalize::Normalizer;

use super::parsers::{Activations, activations, mean_and_deviation};

/// The model and what its file does not say.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// The model file: of gradus, or a dense network of PyTorch (.safetensors), ONNX, Keras 3
    /// (.keras, .weights.h5) or NumPy (.npz)
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    /// What follows each hidden layer, where the file holds weights alone: one name for all of them, or
    /// one for each with commas between them [default: relu]
    #[arg(long, value_name = "NAME", help_heading = "Models of other programs",
        value_parser = activations)]
    pub(crate) activation: Option<Activations>,
    /// How the model's inputs were normalised where the file does not say it: (x - MEAN) /
    /// DEVIATION, such as 0,255 for pixels in [0, 1]
    #[arg(long, value_name = "MEAN,DEVIATION", help_heading = "Models of other programs",
        allow_hyphen_values = true, value_parser = mean_and_deviation)]
    pub(crate) normalize: Option<Normalizer>,
}
