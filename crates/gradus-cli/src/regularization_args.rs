//! The options of `train` that regularise, and those that say when to end and what to keep.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueHint};
use gradus::Error;
use gradus::data::distort::Distortion;
use gradus::schedule::Schedule;
use gradus::training::{ClassWeights, EarlyStopping, Monitor, Regularization, TrainConfig};

use crate::values::{at_least_one, class_weights, distortion, interval, monitors, number};

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

impl RegularizationArgs {
    /// Overrides what is given.
    pub(crate) fn apply(&self, settings: &mut Regularization) {
        fn set<T: Clone>(setting: &mut T, option: &Option<T>) {
            if let Some(value) = option {
                *setting = value.clone();
            }
        }
        set(&mut settings.dropout, &self.dropout);
        set(&mut settings.input_dropout, &self.input_dropout);
        set(&mut settings.noise, &self.noise);
        set(&mut settings.input_noise, &self.input_noise);
        set(&mut settings.batch_norm, &self.batch_norm);
        set(&mut settings.label_smoothing, &self.label_smoothing);
        set(&mut settings.mixup, &self.mixup);
        set(&mut settings.l1, &self.l1);
        set(&mut settings.l2, &self.l2);
        set(&mut settings.class_weights, &self.class_weights);
        set(&mut settings.distortion, &self.distort);
        for (limit, option) in [
            (&mut settings.max_norm, self.max_norm),
            (&mut settings.clip_norm, self.clip_norm),
            (&mut settings.clip_value, self.clip_value),
            (&mut settings.average, self.average),
        ] {
            match option {
                Some(0.0) => *limit = None,
                Some(value) => *limit = Some(value),
                None => {}
            }
        }
    }
}

/// When to write a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Interval {
    Epochs(usize),
    Minutes(f64),
}

/// When a run ends, and what is kept of it on the way.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stopping and keeping")]
pub(crate) struct KeepingArgs {
    /// End after N epochs without progress; the model is that of the best epoch
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) patience: Option<usize>,
    /// What counts as progress: a figure better than the best so far by more than this [default: 0]
    #[arg(long, value_name = "DIFFERENCE", allow_negative_numbers = true, requires = "patience")]
    pub(crate) min_delta: Option<f64>,
    /// The figure that --patience and the plateau schedule watch [default: val_loss with
    /// validation data, else loss]
    #[arg(long, value_name = "KEY", value_parser = monitors())]
    pub(crate) monitor: Option<Monitor>,
    /// Write the state of the run to this file again and again, for --resume; it is a model file too
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// How often: every N epochs, or after the epoch in which so many minutes are full (such as
    /// 10m) [default: 1]
    #[arg(long, value_name = "N|Nm", allow_negative_numbers = true, value_parser = interval)]
    pub(crate) checkpoint_every: Option<Interval>,
    /// Go on with the run of this checkpoint, to the bits of the uninterrupted run
    #[arg(long, value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub(crate) resume: Option<PathBuf>,
}

impl KeepingArgs {
    /// The early stopping that is asked for.
    pub(crate) fn early_stopping(&self) -> Option<EarlyStopping> {
        let patience = self.patience?;
        Some(EarlyStopping { patience, min_delta: self.min_delta.unwrap_or(0.0) })
    }

    /// Checks that the options have an effect in a run with these settings.
    ///
    /// # Errors
    /// `InvalidArgument` where checkpoints are timed but not asked for, or nothing watches the figure
    /// that is named.
    pub(crate) fn check(&self, config: &TrainConfig) -> Result<(), Error> {
        if self.checkpoint_every.is_some() && self.checkpoint.is_none() && self.resume.is_none() {
            return Err(Error::argument(
                "--checkpoint-every has no effect without --checkpoint FILE: say where to",
            ));
        }
        let plateau = matches!(config.schedule, Schedule::Plateau(_));
        if self.monitor.is_some() && self.patience.is_none() && !plateau {
            return Err(Error::argument(
                "--monitor has no effect: nothing watches a figure without --patience N or \
                 --schedule plateau:PATIENCE:FACTOR",
            ));
        }
        Ok(())
    }
}
