//! The arguments of `gradus data`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use gradus::data::distort::Distortion;

use gradus::loss::Loss;

use super::parsers::{at_least_one, bytes, distortion, loss, whole};
use super::source::{KindArgs, SourceArgs};

/// Describe a data set, or draw one of its samples; `pack` turns it into shards, for data beyond memory.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Examples:\n  \
    gradus data\n  \
    gradus data fashion-mnist --show 0\n  \
    gradus data mnist --show 0 --distort shift:2,rotate:15\n  \
    gradus data flowers.csv --label-column species\n  \
    gradus data houses.csv --loss squared --label-column price\n  \
    gradus data pack mnist mnist-shards\n  \
    gradus data mnist-shards --verify"
)]
pub(crate) struct DataArgs {
    #[command(subcommand)]
    pub(crate) action: Option<DataAction>,
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
    /// Read all files of a folder of shards and compare them with the digests in its index
    #[arg(long, conflicts_with = "show")]
    pub(crate) verify: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "show")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) kinds: KindArgs,
}

/// What else is done with data.
#[derive(Debug, Subcommand)]
pub(crate) enum DataAction {
    Pack(Box<PackArgs>),
}

/// Pack samples into a folder of shards, from which training and prediction read them piece by piece: data beyond memory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus data pack mnist mnist-shards\n  \
    gradus data pack images.npy shards --labels labels.npy\n  \
    gradus data pack table.csv shards --label-column price --loss squared\n  \
    gradus data pack 'part-*.csv' shards --drop id\n  \
    gradus data pack digits many-digits --samples 1000000\n\n\
    The samples are shuffled: every order is equally probable, in memory that does not depend on their number. Tables (text, \
    gaps and dates, too), arrays and folders of images may be larger than memory; only archives in .zip, named sets and --part \
    are read into memory first. The folder appears when all of it is written.")]
pub(crate) struct PackArgs {
    /// Name of a data set, or a path: a table, an archive or a folder of arrays, a folder of images, an array with
    /// --labels, other shards
    #[arg(value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) data: PathBuf,
    /// The folder to create
    #[arg(value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) folder: PathBuf,
    /// Labels (or values, with --loss squared) of an array of samples: an .npy or IDX file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) labels: Option<PathBuf>,
    /// Read the data for this loss: squared for regression [default: for a table as its target suggests, else cross-entropy]
    #[arg(long, value_name = "NAME", value_parser = loss)]
    pub(crate) loss: Option<Loss>,
    /// The split to pack [default: train, which is all samples of data without splits]
    #[arg(long, value_name = "PART", value_parser = ["train", "val", "test"])]
    pub(crate) part: Option<String>,
    /// Make this many samples: of `digits` new ones, of other images distorted ones; sample I depends on the seed and on I
    /// alone
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one,
        conflicts_with = "labels")]
    pub(crate) samples: Option<usize>,
    /// How --samples distorts images [default: standard]
    #[arg(long, value_name = "SPEC", value_parser = distortion, requires = "samples")]
    pub(crate) distort: Option<Distortion>,
    /// Seed of the order, and of --samples [default: 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole)]
    pub(crate) seed: Option<u64>,
    /// Keep the order of the samples
    #[arg(long)]
    pub(crate) no_shuffle: bool,
    /// Sort the samples by class
    #[arg(long, conflicts_with = "no_shuffle")]
    pub(crate) sorted: bool,
    /// Samples of each shard [default: blocks of 8192 samples of about 256 MiB together]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = at_least_one)]
    pub(crate) shard_rows: Option<usize>,
    /// Bytes of each shard, such as 64MiB
    #[arg(long, value_name = "SIZE", value_parser = bytes, conflicts_with = "shard_rows")]
    pub(crate) shard_size: Option<u64>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) kinds: KindArgs,
}
