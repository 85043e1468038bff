//! The arguments of `gradus bench`.

use clap::Args;

use super::parsers::threads;
use super::source::NamedSetArgs;

/// Measure training and prediction speed, compared with the peak FLOP/s of the CPU.
///
/// Times epochs with the full batch of the notebook and with mini-batches of three sizes on three networks
/// (the largest on 12,800 samples), and the prediction of one image and of all test images. Times are
/// medians; "of peak" is the achieved fraction of the peak FLOP/s.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gradus bench --threads 2")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    pub(crate) named: NamedSetArgs,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Output", value_parser = threads)]
    pub(crate) threads: Option<usize>,
    /// Print one JSON object per measurement
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}
