//! The options of `gradus train` about early stopping and checkpoints.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use gradus::training::Monitor;

use super::parsers::{Interval, at_least_one, interval, monitors};

/// When a run ends before its last epoch.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stopping and keeping")]
pub(crate) struct StoppingArgs {
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
}

/// When checkpoints are written, and which one to resume.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Stopping and keeping")]
pub(crate) struct CheckpointArgs {
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

impl CheckpointArgs {
    /// The file for checkpoints: that of `--checkpoint`, else the one that is resumed.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }
}
