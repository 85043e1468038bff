//! The arguments of `gradus report`, and the formats it writes.

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Args, ValueHint};

use super::model::ForeignArgs;
use super::parsers::{named, threads};
use super::source::SourceArgs;

/// Write a report on a model or a history: curves, confusion matrix, mistakes, calibration, weights.
///
/// The report is one self-contained file, light or dark like the reader's system. Sections that need
/// labelled samples use the test split of the data the model was trained on, or --data; if these are not
/// available, the report says so and contains the other sections. The learning curves come from the
/// model file, which holds the metrics of every epoch.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus report model.safetensors\n  \
    gradus report model.safetensors --data held-out.csv -o held-out.html\n  \
    gradus report history.json -o curves.html\n  \
    gradus report model.safetensors --format svg -o plots\n\n\
    Single plots and tables are written to the folder under fixed names, such as loss.svg or \
    confusion.csv, and replace existing files of these names.")]
pub(crate) struct ReportArgs {
    /// A model file, or the .json or .csv file of a history for its learning curves only
    #[arg(value_name = "MODEL|HISTORY", value_hint = ValueHint::FilePath)]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) foreign: ForeignArgs,
    /// Name of a data set, or a path [default: the data the model was trained on, if that is a named set,
    /// or a file or folder in the current folder]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// What to write: one page, or single plots or tables in a folder
    #[arg(long, value_name = "NAME", help_heading = "Output", default_value = "html",
        value_parser = report_formats())]
    pub(crate) format: ReportFormat,
    /// The page to write, or the folder for plots or tables [default: report.html, or report]
    #[arg(long, short, value_name = "PATH", help_heading = "Output",
        value_hint = ValueHint::AnyPath)]
    pub(crate) out: Option<PathBuf>,
    /// Worker threads [default: one per core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// A format of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// One page with everything.
    Html,
    /// One vector image per plot.
    Svg,
    /// One bitmap image per plot.
    Png,
    /// One table per plot, with its numbers.
    Csv,
}

impl ReportFormat {
    pub(crate) const ALL: [ReportFormat; 4] =
        [ReportFormat::Html, ReportFormat::Svg, ReportFormat::Png, ReportFormat::Csv];

    pub(crate) fn name(self) -> &'static str {
        match self {
            ReportFormat::Html => "html",
            ReportFormat::Svg => "svg",
            ReportFormat::Png => "png",
            ReportFormat::Csv => "csv",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<ReportFormat> {
        ReportFormat::ALL.into_iter().find(|format| format.name() == name)
    }

    pub(crate) fn help(self) -> &'static str {
        match self {
            ReportFormat::Html => "one page with everything",
            ReportFormat::Svg => "one vector image per plot",
            ReportFormat::Png => "one bitmap image per plot; needs a font on this system",
            ReportFormat::Csv => "one table per plot, with its numbers",
        }
    }
}

fn report_formats() -> impl TypedValueParser<Value = ReportFormat> {
    let values =
        ReportFormat::ALL.map(|format| PossibleValue::new(format.name()).help(format.help()));
    named(values.to_vec(), ReportFormat::from_name)
}
