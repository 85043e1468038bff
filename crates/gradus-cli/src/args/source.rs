//! The options that say where to find data and how to read files.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::parsers::image_size;

/// Where to find named data sets.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct NamedSetArgs {
    /// Folder to search first for named data sets
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Do not download data sets that are missing on this machine
    #[arg(long)]
    pub(crate) no_download: bool,
}

/// Where to find the data, a named set or a path, and how to read files.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) named: NamedSetArgs,
    /// Label column of a CSV table: its name in the header or its position, counted from 0; for
    /// regression one or more, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Scale the images of a folder to this height and width [default: their own size]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    pub(crate) image_size: Option<(usize, usize)>,
}
