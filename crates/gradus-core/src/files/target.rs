//! Where a file goes: a path in, the file that it stands for, the names next to it, and whether it has changed.

use std::fs::{self, Metadata};
use std::io;
use std::path::{self, Path, PathBuf};
use std::time::SystemTime;

use crate::error::{Error, ErrorKind, Result};

/// The most symbolic links in a row that are followed, as in Linux.
const MOST_LINKS: usize = 40;

/// What tells a file from another one of the same name, and from itself after somebody has written to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of bytes.
    pub(super) length: u64,
    modified: Option<SystemTime>,
    identity: Identity,
}

/// What distinguishes two files: device and inode.
#[cfg(unix)]
type Identity = (u64, u64);

/// What distinguishes two files: when they were created.
#[cfg(not(unix))]
type Identity = Option<SystemTime>;

#[cfg(unix)]
fn identity(data: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    (data.dev(), data.ino())
}

#[cfg(not(unix))]
fn identity(data: &Metadata) -> Identity {
    data.created().ok()
}

impl Stamp {
    /// The stamp of the file at `path`; none if there is no file.
    ///
    /// # Errors
    /// `Io` if the operating system does not say.
    pub fn of(path: &Path) -> Result<Option<Stamp>> {
        match fs::symlink_metadata(path) {
            Ok(data) => Ok(Some(Stamp {
                length: data.len(),
                modified: data.modified().ok(),
                identity: identity(&data),
            })),
            Err(source) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(refused(path, source)),
        }
    }
}

/// Whether the open file is the one at `path`, and that is a plain file.
pub(super) fn is_same(file: &fs::File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => there.is_file() && identity(&open) == identity(&there),
        _ => false,
    }
}

/// The file to be replaced or created: `path`, or where it points to.
pub(super) fn resolve(path: &Path) -> Result<PathBuf> {
    let wrong = |problem: &str| {
        Error::new(ErrorKind::Io, format!("cannot write {}: {problem}", path.display()))
    };
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return missing(path),
        Err(source) => return Err(refused(path, source)),
    };
    if there.is_dir() {
        return Err(wrong("it is a folder; give the name of a file"));
    }
    if !there.is_file() {
        return Err(wrong("it is a device or pipe; give the name of a file"));
    }
    if there.permissions().readonly() {
        return Err(wrong("the file there is read-only; make it writable or choose another path"));
    }
    fs::canonicalize(path).map_err(|source| refused(path, source))
}

/// The file to be created at `path`, where there is none; a link may already point to it.
fn missing(path: &Path) -> Result<PathBuf> {
    let mut target = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::read_link(&target) {
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => break,
        }
    }
    if target.file_name().is_none() {
        let path = path.display();
        return Err(Error::argument(format!("'{path}' does not end in the name of a file")));
    }
    match folder_of(&target).is_dir() {
        // The program may change its folder before the file is written.
        true => path::absolute(&target).map_err(|source| refused(path, source)),
        false => Err(no_folder(path, folder_of(&target))),
    }
}

fn no_folder(path: &Path, folder: &Path) -> Error {
    Error::not_found(format!(
        "cannot write {}: the folder {} does not exist; create it or choose another path",
        path.display(),
        folder.display()
    ))
}

/// The folder that contains `path`.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// The file `NAME-NUMBER.ENDING` next to `NAME.ENDING`.
pub(super) fn numbered(target: &Path, number: usize) -> PathBuf {
    let mut name = target.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(ending) = target.extension() {
        name.push(".");
        name.push(ending);
    }
    target.with_file_name(name)
}

/// The operating system refused to write `path`.
pub(super) fn refused(path: &Path, source: io::Error) -> Error {
    let advice = match source.kind() {
        io::ErrorKind::NotFound if !folder_of(path).is_dir() => {
            return no_folder(path, folder_of(path));
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            "free some space or choose another path"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a path in a folder that you may write to"
        }
        _ => return Error::io("write", path, source),
    };
    let message = format!("cannot write {}: {source}; {advice}", path.display());
    Error::new(ErrorKind::Io, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named() {
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::FileTooLarge] {
            let error = refused(Path::new("m.bin"), kind.into());
            assert!(error.to_string().contains("free some space"), "{error}");
            assert_eq!(error.kind(), ErrorKind::Io);
        }
    }

    #[test]
    fn names_next_to_a_file() {
        assert_eq!(numbered(Path::new("a/m.x.bin"), 2), Path::new("a/m.x-2.bin"));
        assert_eq!(numbered(Path::new("m"), 1), Path::new("m-1"));
    }
}
