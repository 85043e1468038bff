//! The arguments of `gradus data`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::distort::Distortion;

use gradus::loss::Loss;

use super::parsers::{distortion, loss, whole};
use super::source::{KindArgs, SourceArgs};

/// Describe a data set, or draw one of its samples.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus data\n  \
    gradus data fashion-mnist --show 0\n  \
    gradus data mnist --show 0 --distort shift:2,rotate:15\n  \
    gradus data flowers.csv --label-column species\n  \
    gradus data houses.csv --loss squared --label-column price")]
pub(crate) struct DataArgs {
    /// Name of a data set, or a path [default: mnist, else the built-in digits]
    #[arg(value_name = "NAME|PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
    /// Read the data for this loss: squared for regression [default: for a table as its target suggests, else cross-entropy]
    #[arg(long, value_name = "NAME", value_parser = loss)]
    pub(crate) loss: Option<Loss>,
    /// Draw sample N (from 0) and print its label
    #[arg(long, value_name = "N", allow_negative_numbers = true,
        value_parser = whole)]
    pub(crate) show: Option<u64>,
    /// The split that --show takes the sample from [default: train]
    #[arg(long, value_name = "PART", value_parser = ["train", "val", "test"], requires = "show")]
    pub(crate) part: Option<String>,
    /// Also draw four random distortions of it: standard (the default for SPEC), strong, or some of
    /// shift:PIXELS, rotate:DEGREES, scale:FRACTION, shear:FRACTION and elastic:ALPHA:SIGMA, such as
    /// shift:2,rotate:10,elastic:36:6
    #[arg(long, value_name = "SPEC", num_args = 0..=1, default_missing_value = "standard",
        value_parser = distortion, requires = "show")]
    pub(crate) distort: Option<Distortion>,
    /// Seed of --distort [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole,
        requires = "distort")]
    pub(crate) seed: Option<u64>,
    /// Print one JSON object
    #[arg(long, conflicts_with = "show")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) kinds: KindArgs,
}
