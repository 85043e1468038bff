//! What the program prints: results to standard output, messages to standard error, and the exit
//! status.

use std::fmt::Display;
use std::io::{self, ErrorKind as IoKind, Write};
use std::process::ExitCode;
use std::sync::OnceLock;

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use anyhow::Result;
use gradus::{Error, ErrorKind};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use crate::args;
use crate::run::escape::{columns, cut, escaped, escaped_but, is_unprintable, padded};

/// Stopped by Ctrl-C: 128 plus the number of the signal, the convention of shells.
pub(crate) const STOPPED: u8 = 130;
const FAILED: u8 = 1;
pub(crate) const USAGE_ERROR: u8 = 2;

/// Columns of a terminal that a cell of a table takes at most, which names of classes may exceed.
pub(crate) const WIDEST_CELL: usize = 64;

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

/// Standard output, which takes whole lines. Each is escaped here, so that no name can leave its line. If a
/// reader such as `head` closes the output early, writing fails with an error that ends the program
/// silently.
pub(crate) struct Output<W>(W);

/// Standard output, written line by line.
pub(crate) fn stdout() -> Output<impl Write> {
    Output(io::stdout().lock())
}

/// Standard output, written when the buffer is full and on [`Output::flush`].
pub(crate) fn buffered_stdout() -> Output<impl Write> {
    Output(io::BufWriter::new(io::stdout().lock()))
}

impl<W: Write> Output<W> {
    /// Prints one line.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<()> {
        Ok(writeln!(self.0, "{}", escaped(&line.to_string()))?)
    }

    /// Prints several lines.
    pub(crate) fn lines(&mut self, lines: impl IntoIterator<Item = impl Display>) -> Result<()> {
        lines.into_iter().try_for_each(|line| self.line(line))
    }

    /// Prints `value` as one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = Vec::new();
        value.serialize(&mut Serializer::with_formatter(&mut line, PrintableJson))?;
        line.push(b'\n');
        Ok(self.0.write_all(&line)?)
    }

    /// Prints text that the program has made by itself, such as a man page, as it is.
    pub(crate) fn generated(&mut self, text: &[u8]) -> Result<()> {
        Ok(self.0.write_all(text)?)
    }

    pub(crate) fn flush(&mut self) -> Result<()> {
        Ok(self.0.flush()?)
    }
}

/// JSON that a terminal only shows: what [`is_unprintable`] is written as `\u001b`, which means the same.
struct PrintableJson;

impl Formatter for PrintableJson {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for part in fragment.split_inclusive(is_unprintable) {
            // All of these characters are below U+10000.
            match part.chars().next_back().filter(|&c| is_unprintable(c)) {
                Some(c) => {
                    write!(
                        writer,
                        "{}\\u{:04x}",
                        &part[..part.len() - c.len_utf8()],
                        u32::from(c)
                    )?;
                }
                None => writer.write_all(part.as_bytes())?,
            }
        }
        Ok(())
    }
}

/// Prints `value` as one line of JSON on standard output.
pub(crate) fn print_json(value: &impl Serialize) -> Result<()> {
    stdout().json(value)
}

/// The number of this process among those of a run, where another one prints.
static SILENT: OnceLock<usize> = OnceLock::new();

/// From now on this process, rank number `rank` of a run, prints errors only.
pub(crate) fn be_silent(rank: usize) {
    let _ = SILENT.set(rank);
}

/// Prints a message on standard error, on one line.
pub(crate) fn say(message: impl Display) {
    if SILENT.get().is_some() {
        return;
    }
    say_styled(escaped(&message.to_string()));
}

/// Prints a line with styles on standard error. Names in it must be escaped already.
pub(crate) fn say_styled(line: impl Display) {
    // If standard error is closed, nobody can read the message.
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// Prints a warning on standard error.
pub(crate) fn warn(message: impl Display) {
    if SILENT.get().is_some() {
        return;
    }
    let message = args::spelled(&message.to_string());
    say_with_heading("note", AnsiColor::Yellow, &message);
}

/// Prints an error on standard error: the message, and each cause that it does not contain.
pub(crate) fn print_error(error: &anyhow::Error) {
    let rank = SILENT.get().map(|rank| format!("rank {rank}: ")).unwrap_or_default();
    say_with_heading("error", AnsiColor::Red, &format!("{rank}{}", with_causes(error)));
}

fn say_with_heading(heading: &str, color: AnsiColor, message: &str) {
    let style = Style::new().bold().fg_color(Some(color.into()));
    say_styled(format_args!("{style}{heading}:{style:#} {}", escaped(message)));
}

/// Prints an error of the command line, or the help that was asked for, and ends the program.
pub(crate) fn exit_with_usage(error: &clap::Error) -> ! {
    let words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if words.iter().any(|word| word.contains(is_unprintable)) {
        say_styled(usage_error(&error.render().ansi().to_string(), &words).trim_end());
        std::process::exit(error.exit_code());
    }
    error.exit()
}

/// An error of the command line without styles, in which the words of the command line are escaped. Other
/// lines of it stay lines.
fn usage_error(text: &str, words: &[String]) -> String {
    let mut text = text.to_owned();
    for word in words {
        // The error may quote a whole word, the value after `=`, or one of several values.
        for part in [word.as_str()].into_iter().chain(word.split(['=', '/'])) {
            if part.contains(is_unprintable) {
                text = text.replace(part, &escaped(part));
            }
        }
    }
    escaped_but(&strip_str(&text).to_string(), &['\n']).into_owned()
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
        let message = text.unwrap_or("unknown");
        let version = env!("CARGO_PKG_VERSION");
        // Whatever rank it is in.
        let line = format!(
            "error: internal error, please report it: {message} ({place}, gradus {version})"
        );
        say_styled(escaped(&line));
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

/// A number in the units of the data: four decimals, or about five digits where it is small or large.
pub(crate) fn figure(value: f64) -> String {
    match value.abs() {
        size if size > 0.0 && size < 1e-2 => format!("{value:.4e}"),
        size if size < 1e4 => format!("{value:.4}"),
        size if size < 1e9 => format!("{value:.1}"),
        _ => format!("{value:.4e}"),
    }
}

/// Numbers with as many decimals as show four digits of the largest.
pub(crate) fn aligned(values: &[f64]) -> Vec<String> {
    let largest =
        values.iter().filter(|it| it.is_finite()).fold(0.0_f64, |most, it| most.max(it.abs()));
    let digits = if largest > 0.0 { largest.log10().floor() } else { 0.0 };
    let places = (3.0 - digits).clamp(0.0, 12.0) as usize;
    let text = |value: &f64| {
        let text = format!("{value:.places$}");
        let is_zero = text.chars().all(|it| matches!(it, '-' | '0' | '.'));
        if is_zero { text.replace('-', "") } else { text }
    };
    values.iter().map(text).collect()
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

/// The lines of a table with aligned columns: the first is left-aligned, the others are right-aligned. Cells
/// are cut at [`WIDEST_CELL`].
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let cells = |row: &Vec<String>| row.iter().map(|cell| cut(cell, WIDEST_CELL)).collect();
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let line = |row: &Vec<String>| {
        let mut line = String::new();
        for (at, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line += &match at {
                0 => padded(cell, width),
                _ => format!("  {}{cell}", " ".repeat(width - columns(cell))),
            };
        }
        line.trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_the_decimals_of_the_largest() {
        assert_eq!(aligned(&[0.0123, -0.5, -1e-9]), ["0.0123", "-0.5000", "0.0000"]);
        assert_eq!(aligned(&[12_345.6, 1.0]), ["12346", "1"]);
        assert_eq!(aligned(&[0.0, f64::NAN]), ["0.000", "NaN"]);
        assert_eq!(aligned(&[2e-7, 1e-8]), ["0.0000002000", "0.0000000100"]);
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [["a", "bb", ""], ["ccc", "d", "e"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        assert_eq!(table(&rows), ["a    bb", "ccc   d  e"]);
    }

    #[test]
    fn names_of_any_length_and_width_are_aligned() {
        let rows = [["猫", "1"], ["a\nb", "22"], ["👩\u{200d}🔬", "3"]];
        let rows: Vec<Vec<String>> = rows.map(|row| row.map(String::from).to_vec()).to_vec();
        assert_eq!(table(&rows), ["猫     1", r"a\nb  22", "👩\u{200d}🔬     3"]);
        let long = vec![vec!["x".repeat(70_000), "y".repeat(70_000)]];
        assert_eq!(columns(&table(&long)[0]), 2 * WIDEST_CELL + 2);
    }

    #[test]
    fn json_keeps_every_name_and_is_printable() {
        let value = json!({"a\u{9b}\u{1b}": ["\u{202e}x\n", "猫\u{7f}", "plain"]});
        let mut out = Output(Vec::new());
        out.json(&value).unwrap();
        let line = String::from_utf8(out.0).unwrap();
        assert_eq!(line, r#"{"a\u009b\u001b":["\u202ex\n","猫\u007f","plain"]}"#.to_owned() + "\n");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), value);
    }

    #[test]
    fn words_in_usage_errors_are_escaped() {
        let words = ["gradus", "--vary=a\x1b[1m/b\nerror: c", "x\r\ny"].map(String::from);
        let text = "error: 'x\r\ny', 'b\nerror: c'\n\n\x1b[1mUsage:\x1b[0m \u{9b}";
        let expected = "error: 'x\\r\\ny', 'b\\nerror: c'\n\nUsage: ";
        assert!(usage_error(text, &words).starts_with(expected));
        assert!(!usage_error(text, &words).contains('\u{9b}'));
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
