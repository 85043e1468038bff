//! The hidden files and folders next to a target: their names, and which of them this process has made.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Those of this process that still exist.
static OWN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn own() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A hidden file or folder of this process, removed when it is dropped.
#[derive(Debug)]
pub(super) struct HiddenFile(PathBuf);

impl HiddenFile {
    /// Takes responsibility for the file at `path`.
    pub(super) fn new(path: PathBuf) -> HiddenFile {
        own().insert(path.clone());
        HiddenFile(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for HiddenFile {
    fn drop(&mut self) {
        // It may have got another name. What cannot be removed does no harm: the next writer does it.
        remove(&self.0);
        own().remove(&self.0);
    }
}

/// Removes the locks and temporary files and folders of this process: for a program that is about to exit without returning from
/// the functions that hold them. They must not be writing.
pub fn remove_hidden_files() {
    for path in std::mem::take(&mut *own()) {
        remove(&path);
    }
}

/// Removes a file, or a folder with all that is in it.
fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        let _ = fs::remove_dir_all(path);
    }
}

/// The name of a hidden file of `target`: `.NAME.ENDING`.
pub(super) fn name(target: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(target.file_name().unwrap_or_default());
    name.push(".");
    name.push(ending);
    target.with_file_name(name)
}

/// The name of the temporary file of that number.
pub(super) fn temporary(target: &Path, number: u32) -> PathBuf {
    name(target, &format!("{}-{number}.tmp", std::process::id()))
}

/// Whether `name` is that of a temporary file of `target`.
pub(super) fn is_temporary(name: &OsStr, target: &OsStr) -> bool {
    let numbers = || {
        let rest = name.as_encoded_bytes().strip_prefix(b".")?;
        let rest = rest.strip_prefix(target.as_encoded_bytes())?.strip_prefix(b".")?;
        let at = rest.iter().position(|&byte| byte == b'-')?;
        Some([&rest[..at], rest[at + 1..].strip_suffix(b".tmp")?])
    };
    let is_number = |text: &[u8]| !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    numbers().is_some_and(|numbers| numbers.into_iter().all(is_number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn temporary_files_are_known_by_their_names() {
        let is = |name: &str| is_temporary(OsStr::new(name), OsStr::new("m.bin"));
        assert!(is(".m.bin.12-0.tmp"));
        assert!(is(temporary(Path::new("a/m.bin"), 3).file_name().unwrap().to_str().unwrap()));
        for other in [
            "m.bin",
            "m.bin.12-0.tmp",
            ".m.bin.tmp",
            ".m.bin.12.tmp",
            ".m.bin.-0.tmp",
            ".m.bin.12-.tmp",
            ".m.bin.a-0.tmp",
            ".m.bin.1-0-1.tmp",
            ".n.bin.12-0.tmp",
            ".m.bin.12-0.lock",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}
