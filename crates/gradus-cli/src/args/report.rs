//! The arguments of `gradus report`, and the formats that it writes.

use std::path::PathBuf;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Args, ValueHint};

use super::parsers::{named, threads};
use super::source::SourceArgs;

/// Draw a model or a history: curves, confusions, mistakes, calibration, weights.
///
/// The report is one file that holds all it needs: no network, no other files, light or dark as the
/// reader's system is. Parts that need labelled samples are made from the data that the model was
/// trained on (their test part), or from --data; where those cannot be had, the report says so and
/// has the other parts. Curves come from the model, which keeps the figures of its epochs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gradus report model.safetensors\n  \
    gradus report model.safetensors --data held-out.csv -o held-out.html\n  \
    gradus report history.json -o curves.html\n  \
    gradus report model.safetensors --format svg -o pictures\n\n\
    Single pieces are written into the folder under fixed names, such as loss.svg or confusion.csv; \
    files of these names that are there are replaced.")]
pub(crate) struct ReportArgs {
    /// The model file, or the .json or .csv file of a history for its curves alone
    #[arg(value_name = "MODEL|HISTORY", value_hint = ValueHint::FilePath)]
    pub(crate) input: PathBuf,
    /// Name of a data set, or a path [default: the set that the model was trained on]
    #[arg(long, value_name = "NAME|PATH", help_heading = "Data", value_hint = ValueHint::AnyPath)]
    pub(crate) data: Option<String>,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// What to write: one page, or the single pieces in a folder
    #[arg(long, value_name = "NAME", help_heading = "Output", default_value = "html",
        value_parser = report_formats())]
    pub(crate) format: ReportFormat,
    /// The page to write, or the folder for single pieces [default: report.html, or report]
    #[arg(long, short, value_name = "PATH", help_heading = "Output",
        value_hint = ValueHint::AnyPath)]
    pub(crate) out: Option<PathBuf>,
    /// Worker threads [default: one a core]
    #[arg(long, value_name = "N", help_heading = "Output", allow_negative_numbers = true,
        value_parser = threads)]
    pub(crate) threads: Option<usize>,
}

/// What the report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// One page with everything.
    Html,
    /// The plots, a vector picture each.
    Svg,
    /// The plots, a picture of pixels each.
    Png,
    /// The figures behind the plots, a table each.
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
            ReportFormat::Svg => "the plots, a vector picture each",
            ReportFormat::Png => {
                "the plots, a picture of pixels each; letters need a font of this system"
            }
            ReportFormat::Csv => "the figures behind them, a table each",
        }
    }
}

fn report_formats() -> impl TypedValueParser<Value = ReportFormat> {
    let values =
        ReportFormat::ALL.map(|format| PossibleValue::new(format.name()).help(format.help()));
    named(values.to_vec(), ReportFormat::from_name)
}
