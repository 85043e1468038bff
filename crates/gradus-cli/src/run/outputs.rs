//! The files that `train` writes: paths in, checked before anything is loaded; files out at the end.

use std::fs::File;
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::training::History;
use gradus::{Error, files, model_file};

use crate::args::TrainArgs;

/// Checks that the model, the checkpoint and the history can be written.
///
/// # Errors
/// `InvalidArgument` for a wrong extension; an error without that kind where the operating system refuses
/// to write, or where a file exists that gradus did not write.
pub(crate) fn check(args: &TrainArgs) -> Result<()> {
    if extension(&args.out) != "safetensors" {
        return Err(Error::argument(format!(
            "--out {}: expected a name that ends in .safetensors; use `gradus export` to convert the \
             model to other formats",
            args.out.display()
        ))
        .into());
    }
    // The command line is fine; the file system is not. So this is not a usage error.
    model_file::check_replaceable(&args.out).map_err(|error| anyhow!("{error}"))?;
    if let Some(checkpoint) = args.checkpoints.path() {
        if canonical(checkpoint) == canonical(&args.out) {
            return Err(Error::argument(format!(
                "--out {} and the checkpoint {} are the same file: the model would overwrite the \
                 checkpoint; choose different names",
                args.out.display(),
                checkpoint.display()
            ))
            .into());
        }
        model_file::check_replaceable(checkpoint).map_err(|error| anyhow!("{error}"))?;
    }
    let Some(history) = &args.history else { return Ok(()) };
    if !["json", "csv"].contains(&extension(history).as_str()) {
        return Err(Error::argument(format!(
            "--history {}: expected a name that ends in .json or .csv",
            history.display()
        ))
        .into());
    }
    files::check_writable(history).map_err(|error| anyhow!("{error}"))?;
    check_history_replaceable(history)
}

/// The canonical path of a file; if it does not exist yet, that of its folder with its name.
fn canonical(path: &Path) -> PathBuf {
    let in_folder = || {
        let path = path::absolute(path)?;
        let folder = path.parent().unwrap_or(&path).canonicalize()?;
        Ok::<_, io::Error>(folder.join(path.file_name().unwrap_or_default()))
    };
    // A missing folder is reported when the path itself is checked.
    path.canonicalize().or_else(|_| in_folder()).unwrap_or_else(|_| path.to_owned())
}

/// Checks that only an earlier history or an empty file would be overwritten.
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
        "{}: this file exists and is not the history of a training run, so it is not overwritten; choose \
         another path with --history, or move the file away",
        path.display()
    ))
}

/// Writes the history, in the format of its extension.
pub(crate) fn write_history(path: &Path, history: &History) -> Result<()> {
    let text = match extension(path).as_str() {
        "csv" => history.to_csv(),
        _ => format!("{}\n", history.to_json()),
    };
    Ok(files::write_beside(path, text.as_bytes())?)
}

/// The extension of a file in lower case, without the dot.
fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}
