//! The arguments of `gradus sweep`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::training::Monitor;

use super::parsers::{Part, at_least_one, monitors, part, threads, whole};
use super::vary::Vary;

/// Search for good settings of train: a grid or random draws, run in parallel and compared on validation
/// data.
///
/// Options after -- are passed to train in every run. Runs are compared on validation data; the test set
/// is never used. The last line printed is the command that trains the best run again and tests it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus sweep --vary hidden=128/256/256,128 --vary learning-rate=0.003/0.01\n  \
    gradus sweep --vary learning-rate=0.001..0.03:log --vary dropout=0..0.5 --runs 27 --halve\n  \
    gradus sweep --vary dropout=0/0.2/0.5 -- --data fashion-mnist --epochs 9 --validation 0.2\n\n\
    Repeat the command to continue an interrupted sweep. Results depend neither on --jobs nor on the \
    order in which runs end.\n\n\
    On several machines, each command takes a part: --part 1/16 --out part1.jsonl, --part 2/16 --out \
    part2.jsonl, ... Put the files together (cat part*.jsonl > sweep.jsonl) and repeat the command without --part.")]
pub(crate) struct SweepArgs {
    /// An option of train and its values: a list such as hidden=128/256,128, or a range of numbers A..B,
    /// sampled uniformly; A..B:log samples uniformly in the logarithm, A..B:int whole numbers
    #[arg(long, value_name = "OPTION=VALUES", required = true, value_parser = Vary::parse)]
    pub(crate) vary: Vec<Vary>,
    /// Sample N runs at random [default: the grid, all combinations of the lists]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) runs: Option<usize>,
    /// Seed of the random samples; run number N of a seed is always the same [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole,
        requires = "runs")]
    pub(crate) seed: Option<u64>,
    /// Stop bad runs early: after a ninth and after a third of the epochs, keep only the best third
    #[arg(long)]
    pub(crate) halve: bool,
    /// Metric to compare runs by [default: train's --monitor after --, else val_accuracy, or val_loss for
    /// regression]
    #[arg(long, value_name = "METRIC", value_parser = monitors())]
    pub(crate) monitor: Option<Monitor>,
    /// Runs to train in parallel; they share the cores [default: one per core]
    #[arg(long, value_name = "J", allow_negative_numbers = true, value_parser = threads)]
    pub(crate) jobs: Option<usize>,
    /// Train only every Nth run, beginning with run number K - 1: part K of N, for several machines or the jobs of an
    /// array
    #[arg(long, value_name = "K/N", value_parser = part, conflicts_with = "halve")]
    pub(crate) part: Option<Part>,
    /// Train as one of the processes that mpirun or srun has started: they share the runs; same table as one process
    #[arg(long)]
    pub(crate) mpi: bool,
    /// File for the results, one line of JSON per run; runs already in it are skipped
    #[arg(long, short, value_name = "FILE", default_value = "sweep.jsonl",
        value_hint = ValueHint::FilePath)]
    pub(crate) out: PathBuf,
    /// Options of train for all runs
    #[arg(last = true, value_name = "TRAIN OPTIONS")]
    pub(crate) train: Vec<OsString>,
}
