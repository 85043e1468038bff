//! The options of `gradus train` that regularise.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};
use gradus::data::distort::Distortion;
use gradus::training::ClassWeights;

use super::parsers::{class_weights, distortion, number};

/// What keeps the network from learning its samples by heart. Without an option, what the preset
/// says; 0 or none switches one off.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Regularization")]
pub(crate) struct RegularizationArgs {
    /// Share of hidden activations set to 0
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = number)]
    pub(crate) dropout: Option<f32>,
    /// Share of inputs set to 0
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = number)]
    pub(crate) input_dropout: Option<f32>,
    /// Deviation of the normal noise added before each hidden activation
    #[arg(long, value_name = "DEVIATION", allow_negative_numbers = true, value_parser = number)]
    pub(crate) noise: Option<f32>,
    /// Deviation of the normal noise added to the inputs after normalisation
    #[arg(long, value_name = "DEVIATION", allow_negative_numbers = true, value_parser = number)]
    pub(crate) input_noise: Option<f32>,
    /// Batch normalisation of hidden layers; the saved model has it folded into its weights
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) batch_norm: Option<bool>,
    /// Share of the target spread over all classes
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, value_parser = number)]
    pub(crate) label_smoothing: Option<f32>,
    /// Mix pairs of samples, by shares from Beta(ALPHA, ALPHA)
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = number)]
    pub(crate) mixup: Option<f32>,
    /// Penalty on the absolute values of weights
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = number)]
    pub(crate) l1: Option<f32>,
    /// Penalty on the squares of weights, whatever the optimizer
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = number)]
    pub(crate) l2: Option<f32>,
    /// Largest norm of the weights that lead to a hidden unit; 0 for none
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = number)]
    pub(crate) max_norm: Option<f32>,
    /// Largest norm of the whole gradient; 0 for none
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = number)]
    pub(crate) clip_norm: Option<f32>,
    /// Largest absolute value in the gradient; 0 for none
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = number)]
    pub(crate) clip_value: Option<f32>,
    /// The model is a moving average of the weights, with this decay a step (such as 0.999); 0
    /// for none
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true, value_parser = number)]
    pub(crate) average: Option<f32>,
    /// Factors of the classes' losses: equal, balanced, or one for each class (1,1,2.5)
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Factors of the training samples' losses: an .npy file, or a text with one number a line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sample_weights: Option<PathBuf>,
    /// Distort images anew in every epoch: none, standard, strong, or parts of
    /// shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6
    #[arg(long, value_name = "WHAT", value_parser = distortion)]
    pub(crate) distort: Option<Distortion>,
}
