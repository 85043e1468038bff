//! The model file of a command, and what such a file may leave open.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::transform::Transform;

use super::parsers::{Activations, ClassNames, activations, class_names, mean_and_deviation};

/// The model file, and what it may leave open.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A model file of gradus, or a dense network from PyTorch (.pt, .pth, .safetensors), ONNX, scikit-learn (as
    /// .onnx), Keras (.keras, .h5) or NumPy (.npz)
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) model: PathBuf,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
}

/// What the file of another program may leave open.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ForeignArgs {
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
    /// Names of the classes in the order of the outputs, if the file does not contain them, such as ant,bee,cat;
    /// or @FILE for a file with one name per line [default: 0,1,2,...]
    #[arg(long, value_name = "NAMES", help_heading = "Models from other programs",
        value_parser = class_names)]
    pub(crate) class_names: Option<ClassNames>,
}

impl ForeignArgs {
    /// The options that were given.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let given = [
            ("--activation", self.activation.is_some()),
            ("--normalize", self.normalize.is_some()),
            ("--class-names", self.class_names.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|it| it.0).collect()
    }
}
