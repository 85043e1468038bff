//! The options that say where data come from and how files are read.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::parsers::image_size;

/// Where data come from and how they are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct SourceArgs {
    /// Folder in which named data sets are looked for first
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Label column of a CSV table: a name from its header, or a position from 0; for values to learn
    /// one or several, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    /// Scale the pictures of a folder to this height and width [default: the size found]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    pub(crate) image_size: Option<(usize, usize)>,
    /// Never download a data set that is not on this machine
    #[arg(long)]
    pub(crate) no_download: bool,
}
