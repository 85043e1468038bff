//! The files that `train` writes: checked before anything is loaded, written at the end.

use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::training::History;
use gradus::{Error, files, model_file};

use crate::args::TrainArgs;

/// Checks that the model and the history can be written where they are to be.
///
/// # Errors
/// `InvalidArgument` for a name with another ending than its format's; else whatever keeps the
/// files from being written, and a file in the model's place that is no model.
pub(crate) fn check(args: &TrainArgs) -> Result<()> {
    if ending(&args.out) != "safetensors" {
        return Err(Error::argument(format!(
            "--out {}: expected a name that ends in .safetensors; other formats are made from the \
             model by `gradus export`",
            args.out.display()
        ))
        .into());
    }
    // The options are as they should be; it is the place that fails them: no wrong usage.
    model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
    let Some(history) = &args.history else { return Ok(()) };
    if !["json", "csv"].contains(&ending(history).as_str()) {
        return Err(Error::argument(format!(
            "--history {}: expected a name that ends in .json or .csv",
            history.display()
        ))
        .into());
    }
    files::check_writable(history).map_err(|error| anyhow!("{error}"))
}

/// Writes the history in the format that the name of its file says.
pub(crate) fn write_history(path: &Path, history: &History) -> Result<()> {
    let text = match ending(path).as_str() {
        "csv" => history.to_csv(),
        _ => format!("{}\n", history.to_json()),
    };
    Ok(files::write_beside(path, text.as_bytes())?)
}

/// The ending of a file's name in lower case, without its dot.
fn ending(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}
