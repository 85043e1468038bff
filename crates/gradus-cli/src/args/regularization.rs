//! The options of `gradus train` about regularization and augmentation.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};
use gradus::data::distort::Distortion;
use gradus::training::ClassWeights;

use super::parsers::{class_weights, distortion, limit, number};

/// Regularization and data augmentation. Options that are not given keep the value of the preset; 0 or
/// none switches one off.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Regularization")]
pub(crate) struct RegularizationArgs {
    /// Fraction of hidden activations set to 0
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, value_parser = number)]
    pub(crate) dropout: Option<f32>,
    /// Fraction of inputs set to 0
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, value_parser = number)]
    pub(crate) input_dropout: Option<f32>,
    /// Standard deviation of the Gaussian noise added before each hidden activation
    #[arg(long, value_name = "STD", allow_negative_numbers = true, value_parser = number)]
    pub(crate) noise: Option<f32>,
    /// Standard deviation of the Gaussian noise added to the normalized inputs
    #[arg(long, value_name = "STD", allow_negative_numbers = true, value_parser = number)]
    pub(crate) input_noise: Option<f32>,
    /// Batch normalization of the hidden layers; folded into the weights of the saved model
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", action = ArgAction::Set)]
    pub(crate) batch_norm: Option<bool>,
    /// Fraction of each target that is spread over all classes
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true, value_parser = number)]
    pub(crate) label_smoothing: Option<f32>,
    /// Mix pairs of samples with weights drawn from Beta(ALPHA, ALPHA)
    #[arg(long, value_name = "ALPHA", allow_negative_numbers = true, value_parser = number)]
    pub(crate) mixup: Option<f32>,
    /// L1 penalty on the weights
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = number)]
    pub(crate) l1: Option<f32>,
    /// L2 penalty on the weights, added to the gradient for every optimizer
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, value_parser = number)]
    pub(crate) l2: Option<f32>,
    /// Largest norm of the incoming weights of a hidden unit; 0 for none
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = limit)]
    pub(crate) max_norm: Option<f32>,
    /// Clip the norm of the gradient to this value; 0 for none
    #[arg(long, value_name = "NORM", allow_negative_numbers = true, value_parser = limit)]
    pub(crate) clip_norm: Option<f32>,
    /// Clip each component of the gradient to this absolute value; 0 for none
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true, value_parser = limit)]
    pub(crate) clip_value: Option<f32>,
    /// Save the exponential moving average (EMA) of the weights, with this decay per step (such as
    /// 0.999); 0 for none
    #[arg(long, alias = "average", value_name = "DECAY", allow_negative_numbers = true,
        value_parser = limit)]
    pub(crate) ema_decay: Option<f32>,
    /// Weights of the classes in the loss: equal, balanced, or one per class (1,1,2.5)
    #[arg(long, value_name = "WEIGHTS", value_parser = class_weights)]
    pub(crate) class_weights: Option<ClassWeights>,
    /// Weights of the training samples in the loss: an .npy file, or a text file with one number per line
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) sample_weights: Option<PathBuf>,
    /// Distort the images differently in every epoch: none, standard, strong, or some of
    /// shift:2,rotate:10,scale:0.1,shear:0.1,elastic:36:6
    #[arg(long, value_name = "SPEC", value_parser = distortion)]
    pub(crate) distort: Option<Distortion>,
}
