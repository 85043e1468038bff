//! Files that commands write: a path in, the file for this process alone; bytes in, the file saved.

use std::path::Path;

use anyhow::{Result, anyhow};
use gradus::files::OutputFile;
use gradus::{Error, ErrorKind};

use crate::run::output::{print_error, warn};
use crate::run::stop;

/// Takes possession of the file at `path` until it is dropped, so that no other process writes it, and warns where the
/// file system has no locks.
///
/// # Errors
/// If the file cannot be written, or another process is writing it.
pub(crate) fn claim(path: &Path) -> Result<OutputFile> {
    // The command line is fine; the file system is not. So this is not a usage error.
    let output = OutputFile::claim(path).map_err(|error| anyhow!("{error}"))?;
    output.warning().iter().for_each(warn);
    Ok(output)
}

/// Writes the file. No signal cuts it off.
///
/// # Errors
/// Those of [`OutputFile::write`]; after a `Conflict` the content is safe, in another file.
pub(crate) fn save(output: &mut OutputFile, bytes: &[u8]) -> Result<(), Error> {
    stop::saving(|| output.write(bytes))
}

/// Whether a file that was `saved` is where it was wanted. If another program has taken its place, the content is safe
/// in another file: that is reported, and the command can go on, but must fail in the end.
///
/// # Errors
/// All others.
pub(crate) fn is_in_place(saved: Result<(), Error>) -> Result<bool, Error> {
    match saved {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Conflict => {
            print_error(&error.into());
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
