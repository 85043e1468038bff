//! Temporary files next to their target, `.NAME.PROCESS-NUMBER.tmp`: new ones are created, those of killed processes
//! removed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::hidden::{self, HiddenFile};
use super::target::{folder_of, refused};
use crate::error::Result;

/// A new, empty file next to `target`; messages call that `shown`.
///
/// # Errors
/// `Io` or `NotFound` where the operating system refuses.
pub(super) fn create(target: &Path, shown: &Path) -> Result<(HiddenFile, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let path = hidden::temporary(target, NEXT.fetch_add(1, Ordering::Relaxed));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                // Tells `remove_leftovers` that its process lives.
                let _ = file.try_lock();
                return Ok((HiddenFile::new(path), file));
            }
            // Of a process of the same number, on a file system without locks.
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(refused(shown, source)),
        }
    }
}

/// Removes the temporary files of `target` whose processes were killed. Its lock must be held, so that nobody creates
/// one meanwhile.
pub(super) fn remove_leftovers(target: &Path) {
    let (Some(name), Ok(entries)) = (target.file_name(), fs::read_dir(folder_of(target))) else {
        return;
    };
    for entry in entries.flatten() {
        let is_file = || entry.file_type().is_ok_and(|kind| kind.is_file());
        if !hidden::is_temporary(&entry.file_name(), name) || !is_file() {
            continue;
        }
        // A living process has locked its file. What cannot be locked or removed is not ours to remove.
        if let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}
