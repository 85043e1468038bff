//! The results of ranks other than 0: each writes those of its runs to a file of its own beside that of rank 0, so that a
//! job that is killed loses none. The next job adds them to the file of rank 0.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use gradus::Error;
use serde_json::Value;

use super::plan::Run;
use super::record::{Record, Results};
use crate::run::saving;

/// What the name of the file of rank 3 has behind that of rank 0: `.rank3`.
const MARK: &str = ".rank";

/// The file of a rank of a sweep with the results file `out`.
pub(crate) fn path_of(out: &Path, rank: usize) -> PathBuf {
    let mark = if rank == 0 { String::new() } else { format!("{MARK}{rank}") };
    let mut name = OsString::from(out);
    name.push(mark);
    name.into()
}

/// The files of ranks that this job of `size` ranks does not have, which a job of more ranks has left. A rank that was
/// killed while it wrote its first result has left only its lock and a temporary file: its file is named, too.
///
/// # Errors
/// If the folder cannot be read.
pub(crate) fn left(out: &Path, size: usize) -> Result<Vec<PathBuf>> {
    let folder = match out.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let begin = match out.file_name() {
        Some(name) => format!("{}{MARK}", name.to_string_lossy()),
        None => return Ok(Vec::new()),
    };
    let mut ranks: Vec<usize> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::io("read", folder, error))? {
        let name = entry.map_err(|error| Error::io("read", folder, error))?.file_name();
        let rank = |name: &str| -> Option<usize> {
            let number = match name.strip_prefix('.').and_then(|name| name.strip_prefix(&begin)) {
                Some(hidden) => hidden.split('.').next()?,
                None => name.strip_prefix(&begin)?,
            };
            number.parse().ok()
        };
        ranks.extend(name.to_str().and_then(rank).filter(|&rank| rank >= size));
    }
    ranks.sort_unstable();
    ranks.dedup();
    Ok(ranks.into_iter().map(|rank| path_of(out, rank)).collect())
}

/// Adds to `known` what these files have.
///
/// # Errors
/// Those of [`Results::read`].
pub(crate) fn add(
    files: &[PathBuf],
    known: &mut [Option<Record>],
    sweep: &Value,
    runs: &[Run],
) -> Result<()> {
    for path in files {
        let (_, found) = Results::read(saving::claim(path)?, sweep, runs)?;
        merge(known, found);
    }
    Ok(())
}

/// Adds the records of runs that `known` does not have.
pub(crate) fn merge(known: &mut [Option<Record>], found: Vec<Option<Record>>) {
    for (known, found) in known.iter_mut().zip(found) {
        if known.is_none() {
            *known = found;
        }
    }
}

/// Removes files whose results are elsewhere, too; those that are not there are none to remove.
///
/// # Errors
/// If the operating system refuses.
pub(crate) fn remove(files: &[PathBuf]) -> Result<()> {
    for path in files {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path, error).into());
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_ranks_that_are_no_more_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("s.jsonl");
        assert_eq!(path_of(&out, 0), out);
        for rank in [0, 1, 2, 3, 11] {
            fs::write(path_of(&out, rank), "").unwrap();
        }
        for hidden in [".s.jsonl.rank3.lock", ".s.jsonl.rank7.lock", ".s.jsonl.rank7.12-0.tmp"] {
            fs::write(folder.path().join(hidden), "").unwrap();
        }
        for other in ["s.jsonl.rank", "s.jsonl.rank2x", "t.jsonl.rank5", ".t.jsonl.rank5.lock"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        let expected = [2, 3, 7, 11].map(|rank| path_of(&out, rank));
        assert_eq!(left(&out, 2).unwrap(), expected);
        // As `add` does: what killed processes have left goes.
        expected.iter().for_each(|path| drop(saving::claim(path).unwrap()));
        remove(&expected).unwrap();
        assert!(left(&out, 2).unwrap().is_empty());
        assert!(path_of(&out, 1).exists());
    }
}
