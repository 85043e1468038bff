//! The program `gradus`: arguments in, an exit status out. Read `args.rs` first; then there is one
//! file for each command.

use std::process::ExitCode;
use std::time::Instant;

mod args;
mod regularization_args;
mod values;
mod output;
mod progress;
mod source;
mod model;
mod settings;
mod destination;
mod resume;
mod stop;
mod train;
mod terminal_curve;
mod train_report;
mod sweep;
mod drawing;
mod mistakes;
mod evaluate_report;
mod evaluate;
mod report;
mod samples;
mod predict;
mod data;
mod fetch;
mod inspect;
mod page_file;
mod digit_page;
mod export;
mod serve;
mod bench;
mod shell;

use args::Command;

fn main() -> ExitCode {
    let begin = Instant::now();
    output::report_panics();
    let command = Command::parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let result = match command {
        Command::Train(args) => train::run(&args, begin),
        Command::Sweep(args) => sweep::run(&args),
        Command::Evaluate(args) => evaluate::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Predict(args) => predict::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
    };
    output::exit_code(result)
}
