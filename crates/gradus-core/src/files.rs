//! Files written whole or not at all: bytes and a path in, a complete file at that path out.
//!
//! The bytes go into a temporary file in the same folder, which then takes the place of what was
//! there in one step. Whoever reads the path sees the old file or the new one, never a part.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::{Error, ErrorKind, Result};

/// Writes `bytes` to `path`, in place of a file that may be there. Behind a symbolic link the file
/// that it points to is replaced.
///
/// # Errors
/// `NotFound` where the folder does not exist; `Io` where the path is a folder, a device or a
/// read-only file, or the operating system refuses. What was there before is then untouched, and
/// nothing is left beside it.
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<()> {
    let target = target_of(path)?;
    let (temporary, mut file) = create_beside(&target)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| keep_permissions(&target, &file))
        .and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written.map_err(|source| refused(path, source))
}

/// Checks that [`write_beside`] can write to `path`: worth asking before hours of work.
///
/// # Errors
/// As [`write_beside`].
pub fn check_writable(path: &Path) -> Result<()> {
    let target = target_of(path)?;
    let (temporary, _) = create_beside(&target)?;
    fs::remove_file(&temporary).map_err(|source| Error::io("remove", &temporary, source))
}

/// The file to be replaced or created: `path`, or where it points to.
fn target_of(path: &Path) -> Result<PathBuf> {
    let wrong = |problem: &str| {
        Error::new(ErrorKind::Io, format!("cannot write {}: {problem}", path.display()))
    };
    let there = match fs::metadata(path) {
        Ok(there) => there,
        Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
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

/// A new file with a name of its own in the folder of `target`.
fn create_beside(target: &Path) -> Result<(PathBuf, File)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let Some(name) = target.file_name() else {
        return Err(Error::argument(format!(
            "'{}' does not end in the name of a file",
            target.display()
        )));
    };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(Error::not_found(format!(
            "cannot write {}: the folder {} does not exist; create it or choose another path",
            target.display(),
            folder.display()
        )));
    }
    loop {
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(
            ".{}-{}.tmp",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        let temporary = folder.join(hidden);
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            // Left behind by a process of the same number that was killed.
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(refused(target, source)),
        }
    }
}

/// The new file is as private as the one that it replaces.
fn keep_permissions(target: &Path, file: &File) -> io::Result<()> {
    match fs::metadata(target) {
        Ok(there) => file.set_permissions(there.permissions()),
        Err(_) => Ok(()),
    }
}

fn refused(path: &Path, source: io::Error) -> Error {
    let advice = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
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

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_and_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        check_writable(&path).unwrap();
        assert!(names(folder.path()).is_empty());
        for content in ["first", "second, longer", "3"] {
            write_beside(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path, kind: ErrorKind, words: &str| {
            for result in [write_beside(path, b"new"), check_writable(path)] {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), kind, "{error}");
                assert!(error.to_string().contains(words), "{error}");
            }
        };
        check(&folder.path().join("no/such/m.bin"), ErrorKind::NotFound, "does not exist");
        check(folder.path(), ErrorKind::Io, "is a folder");
        check(Path::new(""), ErrorKind::InvalidArgument, "name of a file");
        let kept = folder.path().join("kept.bin");
        fs::write(&kept, "old").unwrap();
        let mut permissions = fs::metadata(&kept).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&kept, permissions).unwrap();
        check(&kept, ErrorKind::Io, "read-only");
        check(&kept.join("below.bin"), ErrorKind::Io, "cannot write");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(names(folder.path()), ["kept.bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_devices_refused_and_permissions_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.bin"), folder.path().join("link.bin"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
        symlink(&real, &link).unwrap();
        write_beside(&link, b"new").unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o600);
        let error = write_beside(Path::new("/dev/null"), b"new").unwrap_err();
        assert!(error.to_string().contains("device"), "{error}");
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = refused(Path::new("m.bin"), io::ErrorKind::StorageFull.into());
        assert!(error.to_string().contains("free some space"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
