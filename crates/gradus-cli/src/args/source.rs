//! The options that say where to find data and how to read files.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use gradus::data::ColumnKinds;
use gradus::data::csv::Encoding;

use super::parsers::{encoding, image_size};

/// Where to find named data sets.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct NamedSetArgs {
    /// Folder to search first for named data sets
    #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Do not download data sets that are missing on this machine
    #[arg(long)]
    pub(crate) no_download: bool,
}

/// How tables are read.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct TableArgs {
    /// Leave out a column of a CSV table: its name in the header or its position, counted from 0; may be
    /// given several times, and the model remembers it
    #[arg(long, value_name = "COLUMN")]
    pub(crate) drop: Vec<String>,
    /// Encoding of a CSV table: utf-8, utf-16le, utf-16be or windows-1252 (latin-1) [default: that of its
    /// byte order mark, else utf-8, else windows-1252 with a warning]
    #[arg(long, value_name = "NAME", value_parser = encoding)]
    pub(crate) encoding: Option<Encoding>,
    /// Texts that stand for a gap in a table, with commas between them, besides an empty cell; the model remembers them
    /// [default: NA,N/A,#N/A,NaN,nan,null,NULL,None,?,<NA>,NaT]
    #[arg(long, value_name = "TEXT,...", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) missing: Option<Vec<String>>,
    /// Take the first line of a CSV table for a row, not for a header [default: what the line looks like]
    #[arg(long)]
    pub(crate) no_header: bool,
}

impl TableArgs {
    /// Whether the first line of a table is a header, if that was said.
    pub(crate) fn header(&self) -> Option<bool> {
        self.no_header.then_some(false)
    }
}

/// What the columns of a table are, where their content does not decide it.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct KindArgs {
    /// Read a column of a table as a category, whatever it holds: its name in the header or its position, counted from 0;
    /// may be given several times
    #[arg(long, value_name = "COLUMN")]
    pub(crate) categorical: Vec<String>,
    /// Read a column of a table as numbers; any other text in it is an error
    #[arg(long, value_name = "COLUMN")]
    pub(crate) numeric: Vec<String>,
    /// Read a column of a table as dates, such as 2024-05-01 or 01.05.2024 12:30; any other text in it is an error;
    /// COLUMN:day-first or COLUMN:month-first says how to read 05/01/2024 where no date of the column does
    #[arg(long, value_name = "COLUMN")]
    pub(crate) dates: Vec<String>,
}

impl KindArgs {
    /// An option that was given, if any was.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let options = [
            ("--categorical", &self.categorical),
            ("--numeric", &self.numeric),
            ("--dates", &self.dates),
        ];
        options.into_iter().find(|(_, columns)| !columns.is_empty()).map(|(option, _)| option)
    }

    /// The columns by kind.
    pub(crate) fn kinds(&self) -> ColumnKinds {
        let KindArgs { categorical, numeric, dates } = self.clone();
        ColumnKinds { categorical, numeric, dates }
    }
}

/// Where to find the data, a named set or a path, and how to read files.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) named: NamedSetArgs,
    /// Label column of a CSV table: its name in the header or its position, counted from 0; for
    /// regression one or more, such as height,width
    #[arg(long, value_name = "COLUMN")]
    pub(crate) label_column: Option<String>,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Scale the images of a folder to this height and width [default: their own size]
    #[arg(long, value_name = "HxW", value_parser = image_size)]
    pub(crate) image_size: Option<(usize, usize)>,
}
