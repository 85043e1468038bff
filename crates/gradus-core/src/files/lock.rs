//! One writer at a time: a lock on an empty file next to the target, `.NAME.lock`.
//!
//! The lock belongs to the open file, so the operating system releases it when the process ends, even by SIGKILL or a
//! crash. A lock file that is left behind then means nothing: the next writer takes it over and removes it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::hidden::{self, HiddenFile};
use super::target::{is_same, refused};
use crate::error::{Error, ErrorKind, Result};

/// What a lock file contains before the number of the process that holds it.
const OWNER: &str = "gradus ";

/// The most bytes of a lock file: those of the longest number.
const LONGEST: u64 = 32;

/// How often a lock file may be removed by its owner while it is being taken. On a file system that gives one file
/// different numbers, every try looks like that.
const MOST_TRIES: usize = 1000;

/// The right to write a file, until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    /// Removed before the file is closed: while the lock is held, the name certainly means this file.
    _name: Option<HiddenFile>,
    /// The locked file; none on a file system without locks.
    file: Option<File>,
}

impl Lock {
    /// Takes the lock of `target`, which need not exist; messages call it `shown`.
    ///
    /// # Errors
    /// `InUse` if somebody else has it; `Io` if its file cannot be created, or is not one of gradus.
    pub(super) fn take(target: &Path, shown: &Path) -> Result<Lock> {
        Lock::take_by(target, shown, File::try_lock)
    }

    /// As [`Self::take`], with the function that locks.
    fn take_by(
        target: &Path,
        shown: &Path,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Lock> {
        let path = hidden::name(target, "lock");
        for _ in 0..MOST_TRIES {
            if is_foreign(&path) {
                return Err(in_the_way(shown, &path));
            }
            let mut file = open(&path).map_err(|source| refused(shown, source))?;
            match try_lock(&file) {
                // Only now is it certain that nobody removes the file: between opening and locking, its owner may have
                // removed it, and a third process may have created and locked another one.
                Ok(()) if is_same(&file, &path) => {
                    // Without the number, the message of the next process says less; the lock is as good.
                    let _ = file.set_len(0);
                    let _ = write!(file, "{OWNER}{}", std::process::id());
                    return Ok(Lock { _name: Some(HiddenFile::new(path)), file: Some(file) });
                }
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(in_use(shown, &content(&file))),
                Err(TryLockError::Error(_)) => {
                    let _ = fs::remove_file(&path);
                    break;
                }
            }
        }
        Ok(Lock { _name: None, file: None })
    }

    /// Whether the file system has no locks, so that this one protects nothing.
    pub(super) fn is_missing(&self) -> bool {
        self.file.is_none()
    }
}

/// Opens the lock file; one of another user may be lockable, but not writable.
fn open(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    match file {
        Err(source) if source.kind() == io::ErrorKind::PermissionDenied => {
            File::open(path).map_err(|_| source)
        }
        other => other,
    }
}

/// The beginning of a lock file, one byte longer than any can be; empty where it cannot be read (on Windows while
/// another process has it).
fn content(file: &File) -> String {
    let mut content = Vec::new();
    let _ = file.take(LONGEST + 1).read_to_end(&mut content);
    String::from_utf8_lossy(&content).into_owned()
}

/// Whether something is at `path` that is not a lock file: it must not be opened for writing, let alone be removed.
fn is_foreign(path: &Path) -> bool {
    let Ok(data) = fs::symlink_metadata(path) else { return false };
    let is_lock = |content: String| content.is_empty() || content.starts_with(OWNER);
    !data.is_file()
        || data.len() > LONGEST
        || !File::open(path).map_or(true, |file| is_lock(content(&file)))
}

fn in_the_way(shown: &Path, lock: &Path) -> Error {
    let (shown, lock) = (shown.display(), lock.display());
    Error::new(
        ErrorKind::Io,
        format!(
            "cannot write {shown}: {lock} is in the way and was not written by gradus; move it away"
        ),
    )
}

fn in_use(shown: &Path, content: &str) -> Error {
    let process = content.strip_prefix(OWNER).filter(|number| number.parse::<u32>().is_ok());
    let by = process.map_or("another process".to_owned(), |number| format!("process {number}"));
    let shown = shown.display();
    Error::new(
        ErrorKind::InUse,
        format!("{shown} is being written by {by}: wait until it ends, or choose another path"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_lock_and_it_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.bin");
        let lock = Lock::take(&target, &target).unwrap();
        let error = Lock::take(&target, &target).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InUse);
        let process = format!("m.bin is being written by process {}:", std::process::id());
        assert!(error.to_string().contains(&process), "{error}");
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // What a killed process leaves is taken over, whatever its number was.
        for left in ["", "gradus 1", "gradus 4294967295"] {
            fs::write(hidden::name(&target, "lock"), left).unwrap();
            drop(Lock::take(&target, &target).unwrap());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn many_threads_never_hold_it_together() {
        use std::sync::atomic::{AtomicUsize, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.bin");
        let (inside, taken) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        let Ok(_lock) = Lock::take(&target, &target) else { continue };
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::SeqCst);
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(taken.into_inner() > 0);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_foreign_file_of_that_name_stays() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.bin");
        let path = hidden::name(&target, "lock");
        for content in ["mine", &"gradus ".repeat(100)] {
            fs::write(&path, content).unwrap();
            let error = Lock::take(&target, &target).unwrap_err().to_string();
            assert!(error.contains("was not written by gradus"), "{error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), *content);
        }
        #[cfg(unix)]
        {
            let other = folder.path().join("other");
            fs::remove_file(&path).unwrap();
            fs::write(&other, "").unwrap();
            std::os::unix::fs::symlink(&other, &path).unwrap();
            Lock::take(&target, &target).unwrap_err();
            assert_eq!(fs::read_to_string(&other).unwrap(), "");
        }
    }

    #[test]
    fn without_locks_there_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("m.bin");
        let none = |_: &File| Err(TryLockError::Error(io::ErrorKind::Unsupported.into()));
        let locks = [(); 2].map(|()| Lock::take_by(&target, &target, none).unwrap());
        assert!(locks.iter().all(Lock::is_missing));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
