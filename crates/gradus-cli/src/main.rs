//! The program `gradus`: arguments in, an exit status out.
//!
//! Imports point downwards only, from a line of this map to those below it (the tests of the crate `gradus`
//! check that):
//!
//! - `main`: parses the command line, runs the command, sets the exit status
//! - `commands`: one file or folder for each command
//! - `report`, `serve`, `sweep`: what the largest commands are made of; they do not know each other
//! - `run`: what several commands share: output, data, settings, models, outputs
//! - `args`: the command line as typed; everything about clap

use std::process::ExitCode;
use std::time::Instant;

mod args;
mod run;
mod sweep;
mod report;
mod serve;
mod commands;

use args::Command;
use run::output;

fn main() -> ExitCode {
    let begin = Instant::now();
    output::report_panics();
    let command =
        Command::parse(std::env::args_os()).unwrap_or_else(|error| output::exit_with_usage(&error));
    let result = match command {
        Command::Train(args) => commands::train::run(&args, begin),
        Command::Sweep(args) => commands::sweep::run(&args),
        Command::Evaluate(args) => commands::evaluate::run(&args),
        Command::Explain(args) => commands::explain::run(&args),
        Command::Report(args) => commands::report::run(&args),
        Command::Predict(args) => commands::predict::run(&args),
        Command::Data(args) => commands::data::run(&args),
        Command::Fetch(args) => commands::fetch::run(&args),
        Command::Inspect(args) => commands::inspect::run(&args),
        Command::Export(args) => commands::export::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Completions(args) => commands::shell::completions(&args),
        Command::Man(args) => commands::shell::man(&args),
        Command::Licenses(_) => commands::shell::licenses(),
    };
    output::exit_code(run::ranks::leave(result))
}
