//! Files written whole or not at all: bytes and a path in, a complete file at that path out. And files read within
//! bounds.
//!
//! Everything that gradus writes goes through an [`OutputFile`]. It gives four guarantees:
//!
//! - **Whole**: the bytes go into a temporary file in the same folder (`temporary.rs`), are forced to the disk, and
//!   take the place of the old file in one step (`naming.rs`). Readers see the old file or the new one, never a part, whatever
//!   happens to the program, the disk or the machine.
//! - **One writer**: a lock next to the file (`lock.rs`) keeps other programs away. The operating system releases it
//!   when the process ends, however it ends.
//! - **Nothing foreign is lost**: a file that another program put there meanwhile stays, and the new content gets a
//!   free name next to it (`output.rs`).
//! - **Nothing is left behind**: temporary files of killed processes are removed by the next one that writes the
//!   same file.
//!
//! A folder of several files is written whole or not at all, too (`folder.rs`).
//!
//! Reading has guarantees of its own: `reading.rs` opens every path, waits for nothing and reads no endless stream;
//! `json.rs` parses texts whose values take memory in proportion to their length. `magic.rs` tells what a file is.
//!
//! A symbolic link is followed: the file that it points to is replaced, and the link stays. The new file gets the
//! permissions of the one that it replaces.

pub mod json;
pub mod magic;
pub mod reading;
mod folder;
mod hidden;
mod lock;
mod naming;
mod output;
mod target;
mod temporary;
#[cfg(test)]
mod testing;

pub use folder::OutputFolder;
pub use hidden::remove_hidden_files;
pub use output::{NewFile, OutputFile};
pub use target::Stamp;

use std::path::Path;

use crate::error::Result;

/// Writes `bytes` to `path`, in place of a file that may be there.
///
/// # Errors
/// As [`OutputFile::claim`] and [`OutputFile::write`]. What was there before is then untouched, and nothing is left
/// next to it.
pub fn write_beside(path: &Path, bytes: &[u8]) -> Result<()> {
    OutputFile::claim(path)?.write(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::testing::names;
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_file_is_created_and_replaced_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        // What killed processes have left goes; what only looks like it, and what a living one writes, stays.
        let living = fs::File::create(folder.path().join(".a.bin.4-4.tmp")).unwrap();
        living.lock().unwrap();
        for name in [".a.bin.1-0.tmp", ".a.bin.99999999-7.tmp", ".a.bin.lock", ".b.bin.1-0.tmp"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        drop(OutputFile::claim(&path).unwrap());
        assert_eq!(names(folder.path()), [".a.bin.4-4.tmp", ".b.bin.1-0.tmp"]);
        drop(living);
        for content in ["first", "second, longer", "3"] {
            write_beside(&path, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        assert_eq!(names(folder.path()), [".b.bin.1-0.tmp", "a.bin"]);
    }

    #[test]
    fn what_cannot_be_written_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let check = |path: &Path, kind: ErrorKind, words: &str| {
            for result in [write_beside(path, b"new"), OutputFile::claim(path).map(drop)] {
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
        // Both names have the same lock.
        let claimed = OutputFile::claim(&link).unwrap();
        assert_eq!(OutputFile::claim(&real).unwrap_err().kind(), ErrorKind::InUse);
        drop(claimed);
        // A link to a file that does not exist yet.
        fs::create_dir(folder.path().join("sub")).unwrap();
        let early = folder.path().join("early.bin");
        symlink("sub/late.bin", &early).unwrap();
        write_beside(&early, b"late").unwrap();
        assert_eq!(fs::read(folder.path().join("sub/late.bin")).unwrap(), b"late");
        assert!(fs::symlink_metadata(&early).unwrap().is_symlink());
        let round = folder.path().join("round.bin");
        symlink("round.bin", &round).unwrap();
        assert!(write_beside(&round, b"new").is_err());
        let error = write_beside(Path::new("/dev/null"), b"new").unwrap_err();
        assert!(error.to_string().contains("device"), "{error}");
    }

    #[test]
    fn what_others_wrote_meanwhile_is_kept() {
        type Foreign = fn(&Path);
        let cases: [(bool, Foreign); 4] = [
            (false, |path| fs::write(path, "precious").unwrap()),
            (true, |path| fs::write(path, "precious").unwrap()),
            (true, |path| {
                fs::remove_file(path).unwrap();
                fs::write(path, "precious").unwrap();
            }),
            (true, |path| fs::rename(path.with_file_name("other"), path).unwrap()),
        ];
        for (is_there, foreign) in cases {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("other"), "precious").unwrap();
            let path = folder.path().join("m.bin");
            if is_there {
                fs::write(&path, "old").unwrap();
            }
            fs::write(folder.path().join("m-1.bin"), "another").unwrap();
            let mut output = OutputFile::claim(&path).unwrap();
            foreign(&path);
            let error = output.write(b"new").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(error.to_string().contains("m-2.bin"), "{error}");
            assert_eq!(output.path(), folder.path().join("m-2.bin"));
            output.write(b"newer").unwrap();
            drop(output);
            let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
            assert_eq!(["m.bin", "m-1.bin", "m-2.bin"].map(read), ["precious", "another", "newer"]);
            assert!(names(folder.path()).iter().all(|name| !name.starts_with('.')));
        }
    }

    #[test]
    fn a_file_of_ones_own_is_replaced_and_a_removed_one_created() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.bin");
        let mut output = OutputFile::claim(&path).unwrap();
        for content in ["1", "22", "333"] {
            output.write(content.as_bytes()).unwrap();
        }
        fs::remove_file(&path).unwrap();
        output.write(b"4444").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"4444");
    }

    #[test]
    fn content_that_is_not_committed_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.bin");
        fs::write(&path, "old").unwrap();
        let mut output = OutputFile::claim(&path).unwrap();
        let mut file = output.create().unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        drop(output);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["m.bin"]);
    }

    #[test]
    fn lines_are_appended_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        let mut output = OutputFile::claim(&path).unwrap();
        for content in ["a\n", "a\nb\n", "a\nb\nc\n"] {
            output.extend(content.as_bytes(), 2).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        // A line that was cut off is replaced, whether it is longer or shorter than the next.
        for cut in ["half of a long li", "x"] {
            drop(output);
            fs::write(&path, format!("a\nb\nc\n{cut}")).unwrap();
            output = OutputFile::claim(&path).unwrap();
            output.extend(b"a\nb\nc\nddd\n", 4).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "a\nb\nc\nddd\n");
        }
        fs::write(&path, "precious").unwrap();
        let error = output.extend(b"a\nb\nc\nddd\ne\n", 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        output.extend(b"a\nb\nc\nddd\ne\nf\n", 2).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        let beside = fs::read_to_string(folder.path().join("r-1.jsonl")).unwrap();
        assert_eq!(beside, "a\nb\nc\nddd\ne\nf\n");
    }
}
