//! The program `gradus`: arguments in, an exit status out. Read `args.rs` first; then there is one
//! file for each command.

use std::process::ExitCode;
use std::time::Instant;

use clap::parser::ValueSource;
use clap::{CommandFactory, FromArgMatches};

mod args;
mod regularization_args;
mod values;
mod output;
mod progress;
mod source;
mod settings;
mod destination;
mod resume;
mod stop;
mod train;
mod train_report;
mod drawing;
mod mistakes;
mod evaluate_report;
mod evaluate;
mod samples;
mod predict;
mod data;
mod fetch;
mod inspect;
mod export;
mod bench;
mod shell;

use args::{Cli, Command};

fn main() -> ExitCode {
    let begin = Instant::now();
    output::report_panics();
    let result = match parse() {
        Command::Train(args) => train::run(&args, begin),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    output::exit_code(result)
}

/// The command line. Of `train` it is kept which options were given: a resumed run takes few.
fn parse() -> Command {
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let mut command = cli.command;
    if let (Command::Train(args), Some((_, found))) = (&mut command, matches.subcommand()) {
        let train = Cli::command();
        let options = train.find_subcommand("train").into_iter().flat_map(|it| it.get_arguments());
        args.given = options
            .map(|option| option.get_id().as_str())
            .filter(|id| found.value_source(id) == Some(ValueSource::CommandLine))
            .map(str::to_owned)
            .collect();
    }
    command
}
