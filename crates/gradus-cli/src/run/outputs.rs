//! The files that `train` writes: checked before anything is loaded, written at the end.

use std::fs::File;
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::training::History;
use gradus::{Error, files, model_file};

use crate::args::TrainArgs;

/// Checks that the model and the history can be written where they are to be.
///
/// # Errors
/// `InvalidArgument` for a name with another ending than its format's; else whatever keeps the
/// files from being written, and a file in their place that gradus did not write.
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
    if let Some(checkpoint) = args.checkpoints.path() {
        if place(checkpoint) == place(&args.out) {
            return Err(Error::argument(format!(
                "--out {} and the checkpoint {} are one file: the model would take the place of \
                 the checkpoint; give them different names",
                args.out.display(),
                checkpoint.display()
            ))
            .into());
        }
        model_file::check_replaceable(checkpoint).map_err(|error| anyhow!("{error}"))?;
    }
    let Some(history) = &args.history else { return Ok(()) };
    if !["json", "csv"].contains(&ending(history).as_str()) {
        return Err(Error::argument(format!(
            "--history {}: expected a name that ends in .json or .csv",
            history.display()
        ))
        .into());
    }
    files::check_writable(history).map_err(|error| anyhow!("{error}"))?;
    check_history_replaceable(history)
}

/// Where a file is, however it was named; where nothing is there yet, its folder says it.
fn place(path: &Path) -> PathBuf {
    let beside = || {
        let path = path::absolute(path)?;
        let folder = path.parent().unwrap_or(&path).canonicalize()?;
        Ok::<_, io::Error>(folder.join(path.file_name().unwrap_or_default()))
    };
    // Of a folder that is not there the check of the path tells.
    path.canonicalize().or_else(|_| beside()).unwrap_or_else(|_| path.to_owned())
}

/// Checks that no file but an earlier history (or an empty file) would be lost.
fn check_history_replaceable(path: &Path) -> Result<()> {
    let mut start = Vec::new();
    if path.exists() {
        File::open(path)
            .and_then(|file| file.take(64).read_to_end(&mut start))
            .map_err(|error| Error::io("read", path, error))?;
    }
    let known =
        [&b"epoch,loss,accuracy,"[..], b"{\"accuracy\":[", b"{\"loss\":[", b"{\"learning_rate\":["];
    if start.is_empty() || known.iter().any(|known| start.starts_with(known)) {
        return Ok(());
    }
    Err(anyhow!(
        "{}: the file that is there is no history of a training run and would be lost; choose \
         another path with --history, or move the file away",
        path.display()
    ))
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
