//! The arguments of `gradus sweep`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::training::Monitor;

use super::parsers::{at_least_one, monitors, threads, whole};
use super::vary::Vary;

/// Search for good settings of train: a grid or random draws, side by side, judged on validation
/// data.
///
/// Everything behind -- is for train and holds for all runs. Runs are judged on validation data; the
/// test set is not looked at. At the end stands the command that trains the best run again and tests it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus sweep --vary hidden=128/256/256,128 --vary learning-rate=0.003/0.01\n  \
    gradus sweep --vary learning-rate=0.001..0.03:log --vary dropout=0..0.5 --runs 27 --halve\n  \
    gradus sweep --vary dropout=0/0.2/0.5 -- --data fashion-mnist --epochs 9 --validation 0.2\n\n\
    The same command goes on with a sweep that was interrupted. Results depend neither on --jobs nor \
    on the order in which runs end.")]
pub(crate) struct SweepArgs {
    /// An option of train and its values: a list such as hidden=128/256,128, or a range A..B of
    /// numbers, drawn from uniformly; A..B:log uniformly in the logarithm, A..B:int whole numbers
    #[arg(long, value_name = "OPTION=VALUES", required = true, value_parser = Vary::parse)]
    pub(crate) vary: Vec<Vary>,
    /// Draw N runs at random [default: the grid, all combinations of the lists]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) runs: Option<usize>,
    /// Where the draws come from; run number N of a seed is always the same [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole,
        requires = "runs")]
    pub(crate) seed: Option<u64>,
    /// Give bad runs up early: after a ninth and a third of the epochs only the best third goes on
    #[arg(long)]
    pub(crate) halve: bool,
    /// The figure that runs are judged by [default: train's --monitor behind --, else val_accuracy, of
    /// values val_loss]
    #[arg(long, value_name = "KEY", value_parser = monitors())]
    pub(crate) monitor: Option<Monitor>,
    /// Runs side by side; each takes its share of the cores [default: one a core]
    #[arg(long, value_name = "J", allow_negative_numbers = true, value_parser = threads)]
    pub(crate) jobs: Option<usize>,
    /// Where results go, a line of JSON for each run; runs that are in it are not run again
    #[arg(long, short, value_name = "FILE", default_value = "sweep.jsonl",
        value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Options of train, for all runs
    #[arg(last = true, value_name = "TRAIN OPTIONS")]
    pub(crate) train: Vec<String>,
}
