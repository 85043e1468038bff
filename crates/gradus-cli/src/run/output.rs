//! What the program prints: results to standard output, messages to standard error, and the exit
//! status.

use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use gradus::{Error, ErrorKind};

use crate::args;

/// Stopped by Ctrl-C: 128 plus the number of the signal, the convention of shells.
pub(crate) const STOPPED: u8 = 130;
const FAILED: u8 = 1;
const USAGE_ERROR: u8 = 2;

/// The exit status of a command that has already reported its problem.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl std::error::Error for Exit {}

impl Display for Exit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "exit status {}", self.0)
    }
}

impl Exit {
    /// Something failed and was reported on standard error.
    pub(crate) const FAILED: Exit = Exit(FAILED);
}

/// Standard output, buffered by line. If a reader such as `head` closes it early, writing fails with an
/// error that ends the program silently.
pub(crate) fn stdout() -> impl Write {
    anstream::stdout().lock()
}

/// Prints `value` as one line of JSON on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stdout().write_all(&line)?;
    Ok(())
}

/// Prints a message on standard error.
pub(crate) fn say(message: impl Display) {
    // If standard error is closed, nobody can read the message.
    let _ = writeln!(anstream::stderr(), "{message}");
}

/// Prints a warning on standard error.
pub(crate) fn warn(message: impl Display) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    let message = args::spelled(&message.to_string());
    say(format_args!("{style}note:{style:#} {message}"));
}

/// Prints an error on standard error: the message, and each cause that it does not contain.
pub(crate) fn print_error(error: &anyhow::Error) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    say(format_args!("{style}error:{style:#} {}", with_causes(error)));
}

/// The message of an error, with settings spelled as options, and each cause that it does not contain.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    if error.is::<io::Error>() && error.chain().count() == 1 {
        // All other errors name the file that could not be read or written.
        text = format!("cannot write to standard output: {text}");
    }
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    args::spelled(&text)
}

/// Prints the error of a command, if any, and returns the exit status.
pub(crate) fn exit_code(result: Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if is_closed_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    if let Some(&Exit(status)) = error.downcast_ref() {
        return ExitCode::from(status);
    }
    print_error(&error);
    ExitCode::from(exit_status(&error))
}

/// The exit status for an error: an invalid argument is a usage error.
pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Error>().map(Error::kind) {
        Some(ErrorKind::InvalidArgument) => USAGE_ERROR,
        _ => FAILED,
    }
}

/// Whether the reader of standard output has closed it.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == IoKind::BrokenPipe)
}

/// Reports a panic, which is a bug in this program, in one line; the exit status is 1.
pub(crate) fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or(payload.downcast_ref::<String>().map(String::as_str));
        let message = text.unwrap_or("unknown").replace('\n', " ");
        let version = env!("CARGO_PKG_VERSION");
        say(format_args!(
            "error: internal error, please report it: {message} ({place}, gradus {version})"
        ));
        std::process::exit(FAILED.into());
    }));
}

/// A fraction as a percentage: `80.9 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A fraction as a percentage with two decimals: `98.42 %`.
pub(crate) fn percent_fine(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// An interval of fractions, in percent: `(98.16 to 98.65)`.
pub(crate) fn interval((low, high): (f64, f64)) -> String {
    format!("({:.2} to {:.2})", 100.0 * low, 100.0 * high)
}

/// An accuracy with its confidence interval: `98.42 % (98.16 to 98.65)`.
pub(crate) fn with_interval(share: f64, limits: (f64, f64)) -> String {
    format!("{} {}", percent_fine(share), interval(limits))
}

/// A shape: `28 x 28`.
pub(crate) fn shape(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

/// Rows in aligned columns: the first is left-aligned, the others are right-aligned.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            match at {
                0 => line.push_str(&format!("{cell:width$}")),
                _ => line.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        assert_eq!(table(&rows), "a    bb\nccc   d  e\n");
    }

    #[test]
    fn causes_are_reported_once() {
        let refused = || io::Error::other("refused");
        let complete = Error::io("read", "x".as_ref(), refused());
        assert_eq!(with_causes(&complete.into()), "cannot read x: refused");
        let partial = anyhow::Error::new(refused()).context("no model");
        assert_eq!(with_causes(&partial), "no model: refused");
        let bare = anyhow::Error::new(refused());
        assert_eq!(with_causes(&bare), "cannot write to standard output: refused");
    }
}
