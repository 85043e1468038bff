//! Files to predict on all ranks of a run: as for one process, and an error where a rank has others than rank 0.

use std::fs;
use std::path::Path;

use gradus::exchange::Ranks;
use gradus::{Error, Result};

use crate::run::samples::{self, File, is_standard_input, name_of};

/// What to do about ranks with different files.
const REMEDY: &str = "give all ranks the same files";

/// The files that an argument stands for, as [`samples::files_of`].
///
/// # Errors
/// Those of [`samples::files_of`]; `InvalidArgument` if other ranks find other files.
pub(crate) fn files_of(
    path: &Path,
    is_only: bool,
    ranks: &Ranks,
) -> Result<(Vec<File>, Vec<String>)> {
    let found = samples::files_of(path, is_only);
    let names = match &found {
        // Each of several files is read by one rank only, so that their lengths are compared as well.
        Ok((files, _)) if !ranks.is_alone() => {
            let length = |file: &File| fs::metadata(&file.path).map_or(0, |data| data.len());
            let line = |file: &File| format!("{} {}", file.name, length(file));
            files.iter().map(line).collect::<Vec<_>>().join("\0")
        }
        Ok(_) => String::new(),
        Err(error) => error.to_string(),
    };
    ranks.compare(&[("files to predict", names.as_bytes(), REMEDY)])?;
    found
}

/// The content of a file, as [`samples::read_bytes`].
///
/// # Errors
/// Those of [`samples::read_bytes`]; `InvalidArgument` if other ranks read other bytes, and for standard input, which only
/// one of several ranks gets.
pub(crate) fn read_bytes(path: &Path, limit: Option<u64>, ranks: &Ranks) -> Result<Vec<u8>> {
    if ranks.is_alone() {
        return samples::read_bytes(path, limit);
    }
    if is_standard_input(path) {
        return Err(Error::argument(
            "standard input reaches only one of several ranks: give the path of a file",
        ));
    }
    let found = samples::read_bytes(path, limit);
    let what = format!("content of {}", name_of(path));
    // Of a file that nobody can read, all ranks say the same.
    let error = found.as_ref().err().map(ToString::to_string).unwrap_or_default();
    let content = found.as_deref().unwrap_or_default();
    ranks.compare(&[(&what, content, REMEDY), (&what, error.as_bytes(), REMEDY)])?;
    found
}
