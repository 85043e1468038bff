//! What leaves the program: results to standard output, words to people to standard error, and an
//! exit status.

use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, Write};
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use anyhow::Result;
use gradus::{Error, ErrorKind};

use crate::args;

/// Stopped by Ctrl-C: 128 and the number of the signal, as shells count.
pub(crate) const STOPPED: u8 = 130;
const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// A command that did what it could and has said what went wrong.
#[derive(Debug)]
pub(crate) struct Exit(pub(crate) u8);

impl std::error::Error for Exit {}

impl Display for Exit {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "exit status {}", self.0)
    }
}

impl Exit {
    /// Something failed, and standard error says what.
    pub(crate) const FAILED: Exit = Exit(FAILED);
}

/// Standard output, buffered by line; closed early by a reader such as `head` it raises an error
/// that ends the program quietly.
pub(crate) fn stdout() -> impl Write {
    anstream::stdout().lock()
}

/// `value` as one line of JSON on standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    stdout().write_all(&line)?;
    Ok(())
}

/// A line to people on standard error.
pub(crate) fn say(message: impl Display) {
    // Nobody is left to be told where standard error is closed.
    let _ = writeln!(anstream::stderr(), "{message}");
}

/// A line on standard error that asks for attention.
pub(crate) fn warn(message: impl Display) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()));
    let message = args::spelled(&message.to_string());
    say(format_args!("{style}note:{style:#} {message}"));
}

/// An error on standard error: the message, and each cause that it does not tell already.
pub(crate) fn print_error(error: &anyhow::Error) {
    let style = Style::new().bold().fg_color(Some(AnsiColor::Red.into()));
    say(format_args!("{style}error:{style:#} {}", with_causes(error)));
}

/// The message of an error, and each cause that it does not tell already. Settings are spelled as options.
pub(crate) fn with_causes(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    if error.is::<io::Error>() && error.chain().count() == 1 {
        // All other errors say themselves what could not be read or written.
        text = format!("cannot write to standard output: {text}");
    }
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    args::spelled(&text)
}

/// The exit status of a command, after its error is printed.
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

/// The exit status for an error: an argument that cannot be meant is wrong usage.
pub(crate) fn exit_status(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<Error>().map(Error::kind) {
        Some(ErrorKind::InvalidArgument) => WRONG_USAGE,
        _ => FAILED,
    }
}

/// Whether the reader of standard output went away.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == IoKind::BrokenPipe)
}

/// A panic is a mistake of this program: one line says so, and the exit status is 1.
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

/// A share as people read it: `80.9 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// An accuracy or its like as people read it: `98.42 %`.
pub(crate) fn percent_fine(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// An interval of shares: `(98.16 to 98.65)`, in percent.
pub(crate) fn interval((low, high): (f64, f64)) -> String {
    format!("({:.2} to {:.2})", 100.0 * low, 100.0 * high)
}

/// An accuracy and its interval: `98.42 % (98.16 to 98.65)`.
pub(crate) fn with_interval(share: f64, limits: (f64, f64)) -> String {
    format!("{} {}", percent_fine(share), interval(limits))
}

/// Sizes as people read them: `28 x 28`.
pub(crate) fn shape(sizes: &[usize]) -> String {
    sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" x ")
}

/// Rows in aligned columns: the first to the left, all others to the right.
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
    fn causes_are_told_once() {
        let refused = || io::Error::other("refused");
        let told = Error::io("read", "x".as_ref(), refused());
        assert_eq!(with_causes(&told.into()), "cannot read x: refused");
        let untold = anyhow::Error::new(refused()).context("no model");
        assert_eq!(with_causes(&untold), "no model: refused");
        let bare = anyhow::Error::new(refused());
        assert_eq!(with_causes(&bare), "cannot write to standard output: refused");
    }
}
