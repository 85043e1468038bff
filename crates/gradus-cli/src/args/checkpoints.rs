//! The options of `gradus train` about early stopping and checkpoints.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use gradus::training::Monitor;

use super::parsers::{Interval, at_least_one, interval, monitors};

/// When to stop before the last epoch.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Early stopping and checkpoints")]
pub(crate) struct StoppingArgs {
    /// Stop after N epochs without improvement, and keep the weights of the best epoch
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) patience: Option<usize>,
    /// Smallest improvement over the best epoch that counts [default: 0]
    #[arg(long, value_name = "DIFFERENCE", allow_negative_numbers = true, requires = "patience")]
    pub(crate) min_delta: Option<f64>,
    /// Metric that --patience and the plateau schedule watch [default: val_loss with validation data,
    /// else loss]
    #[arg(long, value_name = "METRIC", value_parser = monitors())]
    pub(crate) monitor: Option<Monitor>,
}

/// When to write checkpoints, and which one to resume.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Early stopping and checkpoints")]
pub(crate) struct CheckpointArgs {
    /// Save the state of the run to this file regularly, for --resume; it is also a model file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// How often to save a checkpoint: every N epochs, or at the end of the first epoch after so many
    /// minutes (such as 10m) [default: 1]
    #[arg(long, value_name = "N|Nm", allow_negative_numbers = true, value_parser = interval)]
    pub(crate) checkpoint_every: Option<Interval>,
    /// Resume the run of this checkpoint; the result is bit-identical to an uninterrupted run
    #[arg(long, value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub(crate) resume: Option<PathBuf>,
}

impl CheckpointArgs {
    /// The file to write checkpoints to: that of `--checkpoint`, else the resumed one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }
}
