//! The files that `train` writes: paths in, checked and claimed before anything is loaded.

use std::fs::File;
use std::io::{self, Read};
use std::path::{self, Path, PathBuf};

use anyhow::{Result, anyhow};
use gradus::files::OutputFile;
use gradus::training::History;
use gradus::{Error, model_file};

use crate::args::TrainArgs;
use crate::run::saving;

/// The files of a run. They belong to it until it ends: no other run writes them, and a file that another program puts
/// in their place meanwhile is kept.
pub(crate) struct Outputs {
    pub(crate) model: OutputFile,
    pub(crate) history: Option<OutputFile>,
}

/// Claims the checkpoint, before it is read.
///
/// # Errors
/// As [`Outputs::claim`].
pub(crate) fn claim_checkpoint(args: &TrainArgs) -> Result<Option<OutputFile>> {
    check_extensions(args)?;
    if args.checkpoints.resume.is_none() {
        check_different(args)?;
    }
    let claimed = args.checkpoints.path().map(saving::claim).transpose()?;
    // A checkpoint that is resumed will be read; whether it is one is seen then.
    if let Some(path) = &args.checkpoints.checkpoint {
        check_replaceable(path)?;
    }
    Ok(claimed)
}

impl Outputs {
    /// Claims the model and the history, before data are loaded. Where a resumed run writes them, its checkpoint says.
    ///
    /// # Errors
    /// `InvalidArgument` for a wrong extension or for two files of one name; an error without that kind where another
    /// run writes a file, the operating system refuses, or a file exists that gradus did not write.
    pub(crate) fn claim(args: &TrainArgs) -> Result<Outputs> {
        check_extensions(args)?;
        check_different(args)?;
        let model = saving::claim(&args.out)?;
        check_replaceable(&args.out)?;
        let history = args.history.as_deref().map(saving::claim).transpose()?;
        if let Some(path) = &args.history {
            check_history_replaceable(path)?;
        }
        Ok(Outputs { model, history })
    }
}

fn check_extensions(args: &TrainArgs) -> Result<()> {
    if extension(&args.out) != "safetensors" {
        return Err(Error::argument(format!(
            "--out {}: expected a name that ends in .safetensors; use `gradus export` to convert the \
             model to other formats",
            args.out.display()
        ))
        .into());
    }
    match &args.history {
        Some(history) if !["json", "csv"].contains(&extension(history).as_str()) => {
            Err(Error::argument(format!(
                "--history {}: expected a name that ends in .json or .csv",
                history.display()
            ))
            .into())
        }
        _ => Ok(()),
    }
}

/// Checks that no file would overwrite another one of the run. The extensions tell model and history apart.
fn check_different(args: &TrainArgs) -> Result<()> {
    let Some(checkpoint) = args.checkpoints.path() else { return Ok(()) };
    let others = [("--out", Some(&args.out)), ("--history", args.history.as_ref())];
    for (option, path) in others.into_iter().filter_map(|(option, path)| Some((option, path?))) {
        if canonical(checkpoint) == canonical(path) {
            return Err(Error::argument(format!(
                "{option} {} and the checkpoint {} are the same file: one would overwrite the other; \
                 choose different names",
                path.display(),
                checkpoint.display()
            ))
            .into());
        }
    }
    Ok(())
}

/// Checks that only a model would be overwritten.
fn check_replaceable(path: &Path) -> Result<()> {
    // The command line is fine; the file system is not. So this is not a usage error.
    model_file::check_replaceable(path).map_err(|error| anyhow!("{error}"))
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

/// The bytes of the history, in the format of the extension of `path`.
pub(crate) fn history_bytes(path: &Path, history: &History) -> Vec<u8> {
    match extension(path).as_str() {
        "csv" => history.to_csv().into_bytes(),
        _ => format!("{}\n", history.to_json()).into_bytes(),
    }
}

/// The extension of a file in lower case, without the dot.
fn extension(path: &Path) -> String {
    path.extension().unwrap_or_default().to_string_lossy().to_lowercase()
}
