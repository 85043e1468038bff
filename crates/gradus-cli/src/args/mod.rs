//! The command line as typed: words in, one [`Command`] out. Each command has a file, and so has each
//! group of options that several commands share. What the arguments mean is decided in `run` and
//! `commands`.

mod parsers;
mod vary;
mod source;
mod model;
mod settings;
mod checkpoints;
mod train;
mod sweep;
mod evaluate;
mod explain;
mod report;
mod predict;
mod data;
mod fetch;
mod inspect;
mod export;
mod serve;
mod bench;
mod shell;
mod tips;

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{Arg, CommandFactory, FromArgMatches, Parser, Subcommand};
use gradus::training::settings::{Setting, spell};

pub(crate) use bench::BenchArgs;
pub(crate) use data::{DataAction, DataArgs, PackArgs};
pub(crate) use evaluate::EvaluateArgs;
pub(crate) use explain::ExplainArgs;
pub(crate) use export::ExportArgs;
pub(crate) use fetch::FetchArgs;
pub(crate) use inspect::InspectArgs;
pub(crate) use model::{ForeignArgs, ModelArgs};
pub(crate) use parsers::{Interval, Part};
pub(crate) use predict::PredictArgs;
pub(crate) use report::{ReportArgs, ReportFormat};
pub(crate) use serve::{LOOPBACK, ServeArgs, USUAL_PORT};
pub(crate) use settings::{is_array_file, is_start_file, option};
pub(crate) use shell::{CompletionsArgs, LicensesArgs, ManArgs};
pub(crate) use source::{KindArgs, NamedSetArgs, SourceArgs, TableArgs};
pub(crate) use sweep::SweepArgs;
pub(crate) use train::TrainArgs;
pub(crate) use vary::{Range, Values, Vary};

/// Train, evaluate and use dense neural networks for classification and regression.
#[derive(Debug, Parser)]
#[command(
    name = "gradus",
    version,
    after_help = "Examples:\n  \
        gradus train                        98 % on MNIST in seconds; writes model.safetensors\n  \
        gradus train --preset notebook      reproduce the NumPy notebook\n  \
        gradus predict model.safetensors digit.png\n\n\
        Exit status: 0 success, 1 failure, 2 usage error, 130 stopped by Ctrl-C."
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
    Explain(ExplainArgs),
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
    Licenses(LicensesArgs),
}

impl Command {
    /// Parses a whole command line. For `train` it records which options were typed: a resumed run
    /// accepts few of them, a sweep not all.
    ///
    /// # Errors
    /// Usage errors, and requests for help or the version.
    pub(crate) fn parse<W>(words: impl IntoIterator<Item = W>) -> Result<Command, clap::Error>
    where
        W: Into<OsString> + Clone,
    {
        let mut program = Cli::command();
        let words: Vec<OsString> = words.into_iter().map(Into::into).collect();
        let matches = program.try_get_matches_from_mut(&words).map_err(|mut error| {
            tips::add(&mut error, &words, &program);
            error
        })?;
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

/// The option of a command with this name, current or old, without dashes.
pub(crate) fn option_named<'a>(command: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|option| {
        let old = option.get_all_aliases().unwrap_or_default();
        option.get_long() == Some(name) || old.contains(&name)
    })
}

/// A message of the library with the settings in it, which it names between backticks, as options:
/// "`learning_rate` is -1" as "--learning-rate is -1".
pub(crate) fn spelled(message: &str) -> String {
    if !message.contains('`') {
        return message.to_owned();
    }
    let program = Cli::command();
    let option = |name: &str| {
        let name = Setting::find(name).map_or(name, |setting| setting.name);
        let arguments = program.get_subcommands().flat_map(clap::Command::get_arguments);
        let long = arguments.filter(|it| it.get_id() == name).find_map(clap::Arg::get_long)?;
        Some(format!("--{long}"))
    };
    spell(message, option)
}

#[cfg(test)]
mod tests {
    use gradus::training::Preset;
    use gradus::training::settings::SETTINGS;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn old_names_of_settings_are_understood_and_not_shown() {
        let help = Cli::command().find_subcommand_mut("train").unwrap().render_long_help();
        let mut count = 0;
        for setting in SETTINGS {
            for older in setting.older {
                let text = setting.get(&Preset::Record.config()).unwrap();
                let word = format!("--{}={text}", older.replace('_', "-"));
                let Command::Train(args) = Command::parse(["gradus", "train", &word]).unwrap()
                else {
                    panic!("{word}");
                };
                assert_eq!(args.settings.get(setting.name), Some(&*text), "{word}");
                assert!(args.given.contains_key(setting.name), "{word}");
                assert!(!help.to_string().contains(&format!("--{older} ")), "{older}");
                count += 1;
            }
        }
        assert!(count >= 3);
    }
}
