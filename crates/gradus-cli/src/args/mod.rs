//! The command line as typed: words in, one [`Command`] out. One file for each command, and one for
//! each group of options that several commands share. What a command makes of its arguments is
//! decided elsewhere.

mod parsers;
mod vary;
mod source;
mod model;
mod regularization;
mod checkpoints;
mod train;
mod sweep;
mod evaluate;
mod report;
mod predict;
mod data;
mod fetch;
mod inspect;
mod export;
mod serve;
mod bench;
mod shell;

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use bench::BenchArgs;
pub(crate) use checkpoints::StoppingArgs;
pub(crate) use data::DataArgs;
pub(crate) use evaluate::EvaluateArgs;
pub(crate) use export::ExportArgs;
pub(crate) use fetch::FetchArgs;
pub(crate) use inspect::InspectArgs;
pub(crate) use model::ModelArgs;
pub(crate) use parsers::{Interval, Loss};
pub(crate) use predict::PredictArgs;
pub(crate) use regularization::RegularizationArgs;
pub(crate) use report::{ReportArgs, ReportFormat};
pub(crate) use serve::{LOOPBACK, ServeArgs, USUAL_PORT};
pub(crate) use shell::{CompletionsArgs, ManArgs};
pub(crate) use source::SourceArgs;
pub(crate) use sweep::SweepArgs;
pub(crate) use train::TrainArgs;
pub(crate) use vary::{Range, Values, Vary};

/// Train, evaluate and use dense neural networks: classifiers and regressors.
#[derive(Debug, Parser)]
#[command(
    name = "gradus",
    version,
    after_help = "Examples:\n  \
        gradus train                        MNIST to 98 % in seconds; writes model.safetensors\n  \
        gradus train --preset notebook      the NumPy notebook's run to the letter\n  \
        gradus predict model.safetensors digit.png\n\n\
        Exit status: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Train(Box<TrainArgs>),
    Sweep(SweepArgs),
    Evaluate(EvaluateArgs),
    Report(ReportArgs),
    Predict(PredictArgs),
    Data(DataArgs),
    Fetch(FetchArgs),
    Inspect(InspectArgs),
    Export(ExportArgs),
    Serve(ServeArgs),
    Bench(BenchArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Command {
    /// The command of a whole command line. Of `train` it is kept which options were given: a resumed
    /// run takes few, a sweep not all.
    ///
    /// # Errors
    /// What the command line has wrong, or the help that it asks for.
    pub(crate) fn parse<W>(words: impl IntoIterator<Item = W>) -> Result<Command, clap::Error>
    where
        W: Into<OsString> + Clone,
    {
        let mut program = Cli::command();
        let matches = program.try_get_matches_from_mut(words)?;
        let mut command = Cli::from_arg_matches(&matches)?.command;
        if let (Command::Train(args), Some((_, found))) = (&mut command, matches.subcommand()) {
            let train = program.find_subcommand("train");
            for option in train.into_iter().flat_map(clap::Command::get_arguments) {
                let id = option.get_id().as_str();
                if found.value_source(id) == Some(ValueSource::CommandLine) {
                    let values = found.get_raw(id).into_iter().flatten();
                    let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
                    args.given.insert(id.to_owned(), values.join(" "));
                }
            }
        }
        Ok(command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }
}
