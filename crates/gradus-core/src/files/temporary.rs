//! Temporary files next to their target, `.NAME.PROCESS-NUMBER.tmp`: one is written and becomes the target, or goes;
//! those of killed processes are removed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use super::OutputFile;
use super::hidden::{self, HiddenFile};
use super::target::{folder_of, refused};
use crate::error::Result;

/// The new content of an [`OutputFile`], while it is being written. Unless it is [committed](Self::commit), it goes
/// when it is dropped, and the old file stays.
#[derive(Debug)]
pub struct NewFile<'a> {
    output: &'a mut OutputFile,
    name: HiddenFile,
    file: File,
}

impl<'a> NewFile<'a> {
    /// A new, empty file next to `target`, where `output` writes.
    pub(super) fn create(output: &'a mut OutputFile, target: &Path) -> Result<NewFile<'a>> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let path = hidden::temporary(target, NEXT.fetch_add(1, Ordering::Relaxed));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => {
                    // Tells `remove_leftovers` that its process lives.
                    let _ = file.try_lock();
                    return Ok(NewFile { output, name: HiddenFile::new(path), file });
                }
                // Of a process of the same number, on a file system without locks.
                Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(refused(output.path(), source)),
            }
        }
    }

    /// Puts the content in place of the old file, in one step.
    ///
    /// # Errors
    /// Those of [`OutputFile::write`].
    pub fn commit(self) -> Result<()> {
        // The bytes have to be on the disk before the name refers to them: a power failure between the two would leave
        // an empty file otherwise.
        let synced = self.file.sync_all();
        synced.map_err(|source| refused(self.output.path(), source))?;
        self.output.put(self.name.path(), &self.file)
    }
}

impl Write for NewFile<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
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
