//! The target of a table and the task, where no option says what they are: the data and how to read them in, the
//! task and what decided it out.

use std::path::Path;

use gradus::data::csv::{TableOptions, TargetGuess, guess_target};
use gradus::data::{Task, is_set_name};

use crate::args::SourceArgs;
use crate::run::file_kind::FileKind;

/// Decides what is learned from a table at `data`, and returns the task and a line about it; the target is named in `source`
/// if readers would take another one. None for anything but a table, and for a table that cannot be read, whose problem is
/// reported when it is.
pub(crate) fn decide(data: Option<&Path>, source: &mut SourceArgs) -> Option<(Task, String)> {
    let path = data.filter(|path| !is_set_name(path) && path.is_file())?;
    if FileKind::of(path) != FileKind::Table {
        return None;
    }
    let options = TableOptions {
        label_column: source.label_column.as_deref(),
        drop: &source.table.drop,
        encoding: source.table.encoding,
        missing: source.table.missing.as_deref(),
        ..TableOptions::default()
    };
    let TargetGuess { name, label_column, task, why } = guess_target(path, &options).ok()??;
    if label_column.is_some() {
        source.label_column = label_column;
    }
    let (learned, other) = match task {
        Task::Classification => ("classes", "squared learns values"),
        Task::MultiLabel => ("labels", "cross-entropy learns classes"),
        Task::Regression => ("values", "cross-entropy learns classes"),
    };
    Some((task, format!("Target: {name}, {learned} ({why}; --loss {other})")))
}
