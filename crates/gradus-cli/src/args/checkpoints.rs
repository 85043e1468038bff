//! The options of `gradus train` about checkpoints.

use std::path::{Path, PathBuf};

use super::parsers::{Interval, interval};
use clap::{Args, ValueHint};

/// The title of these options in the help; early stopping has its place there, too.
pub(super) const HEADING: &str = "Early stopping and checkpoints";

/// When to write checkpoints, and which one to resume.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = HEADING)]
pub(crate) struct CheckpointArgs {
    /// Save the state of the run to this file regularly, for --resume; it is also a model file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) checkpoint: Option<PathBuf>,
    /// How often to save a checkpoint: every N epochs, or after so many minutes (such as 10m), also within an epoch
    /// [default: 1]
    #[arg(long, value_name = "N|Nm", allow_negative_numbers = true, value_parser = interval)]
    pub(crate) checkpoint_every: Option<Interval>,
    /// Resume the run of --checkpoint if that file exists, else begin it: the same command as often as needed
    #[arg(long = "continue", requires = "checkpoint", conflicts_with = "resume")]
    pub(crate) goes_on: bool,
    /// Resume the run of this checkpoint, also a finished one with more --epochs; without them the result is
    /// bit-identical to an uninterrupted run
    #[arg(long, value_name = "CHECKPOINT", value_hint = ValueHint::FilePath)]
    pub(crate) resume: Option<PathBuf>,
}

impl CheckpointArgs {
    /// The file to write checkpoints to: that of `--checkpoint`, else the resumed one.
    pub(crate) fn path(&self) -> Option<&Path> {
        self.checkpoint.as_deref().or(self.resume.as_deref())
    }
}
