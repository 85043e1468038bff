//! A folder of files written whole or not at all: a path in, a folder to fill out, which gets its name at the end.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::hidden::{self, HiddenFile};
use super::lock::Lock;
use super::target::{folder_of, refused, resolve};
use crate::error::{Error, ErrorKind, Result};

/// A new folder under a hidden name next to its own. Unless it is [committed](Self::commit), it goes with all that is in it
/// when it is dropped; what a killed process has left is removed by the next one that writes the same folder.
#[derive(Debug)]
pub struct OutputFolder {
    /// As the caller calls it.
    path: PathBuf,
    target: PathBuf,
    hidden: HiddenFile,
    _lock: Lock,
}

impl OutputFolder {
    /// Begins the folder `path`, which must not exist.
    ///
    /// # Errors
    /// `InvalidArgument` if something is there; `InUse` if another process is writing it; `NotFound` if the folder around
    /// it does not exist; `Io` if the operating system refuses.
    pub fn create(path: &Path) -> Result<OutputFolder> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        check_free(path)?;
        let target = resolve(path)?;
        let lock = Lock::take(&target, path)?;
        if !lock.is_missing() {
            remove_leftovers(&target);
        }
        loop {
            let hidden = hidden::temporary(&target, NEXT.fetch_add(1, Ordering::Relaxed));
            match fs::create_dir(&hidden) {
                Ok(()) => {
                    let hidden = HiddenFile::new(hidden);
                    return Ok(OutputFolder { path: path.to_owned(), target, hidden, _lock: lock });
                }
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(refused(path, source)),
            }
        }
    }

    /// The folder as the caller has named it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder to write into.
    pub fn inside(&self) -> &Path {
        self.hidden.path()
    }

    /// The error that a file in the folder could not be written.
    pub fn explain(&self, source: io::Error) -> Error {
        refused(&self.path, source)
    }

    /// Gives the folder its name, in one step. Its files must be on the disk already.
    ///
    /// # Errors
    /// `InvalidArgument` if something else is there by now; `Io` if the operating system refuses.
    pub fn commit(self) -> Result<()> {
        check_free(&self.path)?;
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        // Not every system and file system can.
        let _ = sync(self.hidden.path());
        fs::rename(self.hidden.path(), &self.target)
            .map_err(|source| refused(&self.path, source))?;
        let _ = sync(folder_of(&self.target));
        Ok(())
    }
}

fn check_free(path: &Path) -> Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Error::new(
            ErrorKind::InvalidArgument,
            format!(
                "{} exists already and is not overwritten: choose another name, or remove it first",
                path.display()
            ),
        )),
        Err(_) => Ok(()),
    }
}

/// Removes the hidden folders of `target` whose processes were killed. Its lock must be held, so that nobody creates one
/// meanwhile.
fn remove_leftovers(target: &Path) {
    let (Some(name), Ok(entries)) = (target.file_name(), fs::read_dir(folder_of(target))) else {
        return;
    };
    for entry in entries.flatten() {
        let is_folder = || entry.file_type().is_ok_and(|kind| kind.is_dir());
        if hidden::is_temporary(&entry.file_name(), name) && is_folder() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::testing::names;

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("shards");
        // What a killed process has left.
        fs::create_dir(around.path().join(".shards.1-0.tmp")).unwrap();
        fs::write(around.path().join(".shards.1-0.tmp/a"), "half").unwrap();
        fs::create_dir(around.path().join(".other.1-0.tmp")).unwrap();
        let folder = OutputFolder::create(&path).unwrap();
        assert_eq!(OutputFolder::create(&path).unwrap_err().kind(), ErrorKind::InUse);
        fs::write(folder.inside().join("a"), "whole").unwrap();
        assert!(!path.exists());
        drop(folder);
        assert_eq!(names(around.path()), [".other.1-0.tmp"]);
        let folder = OutputFolder::create(&path).unwrap();
        fs::write(folder.inside().join("a"), "whole").unwrap();
        folder.commit().unwrap();
        assert_eq!(names(around.path()), [".other.1-0.tmp", "shards"]);
        assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "whole");
        let error = OutputFolder::create(&path).unwrap_err().to_string();
        assert!(error.contains("exists already"), "{error}");
        let error = OutputFolder::create(&around.path().join("no/shards")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    #[test]
    fn what_appeared_meanwhile_is_kept() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("shards");
        let folder = OutputFolder::create(&path).unwrap();
        fs::write(&path, "precious").unwrap();
        assert!(folder.commit().is_err());
        assert_eq!(names(around.path()), ["shards"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    }
}
