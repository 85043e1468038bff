//! The arguments of `gradus bench`.

use clap::Args;

use super::parsers::threads;
use super::source::SourceArgs;

/// Measure how fast this machine trains and predicts, beside its arithmetic peak.
///
/// Epochs of the notebook's full batch and of mini-batches of three sizes on three networks (the
/// largest on 12,800 samples), the prediction of one image and of all test images. A time is a
/// median; "of peak" is the share of the multiply-adds that the cores can do in that time.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus bench --threads 2")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object a figure
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
