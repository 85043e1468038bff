//! A file that one program writes, once or again and again: a path in, the right to write it out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::hidden::HiddenFile;
use super::lock::Lock;
use super::naming::{Naming, SYSTEM};
use super::target::{Stamp, folder_of, numbered, refused, resolve};
use super::temporary::{self, remove_leftovers};
use crate::error::{Error, ErrorKind, Result};

/// The most free names that are tried for content whose place was taken.
const MOST_NAMES: usize = 10_000;

/// A file that belongs to its owner from [`claim`](Self::claim) until it is dropped: nobody else who goes through this
/// type writes it. It knows what was there, so that it never replaces what others have written since.
#[derive(Debug)]
pub struct OutputFile {
    /// As the caller calls it.
    path: PathBuf,
    /// Where links lead to.
    target: PathBuf,
    /// What was there at the start, or what was written last; none for no file.
    seen: Option<Stamp>,
    lock: Lock,
    naming: Naming,
}

impl OutputFile {
    /// Takes possession of `path`, where a file may be or not. It is worth doing that before hours of work: it reports
    /// most of what could go wrong when writing. Temporary files that killed processes have left are removed.
    ///
    /// # Errors
    /// `InUse` if another process, or another part of this one, has it; `NotFound` if the folder does not exist;
    /// `Io` if the path is a folder, a device or a read-only file, or the operating system refuses.
    pub fn claim(path: &Path) -> Result<OutputFile> {
        let target = resolve(path)?;
        let lock = Lock::take(&target, path)?;
        if !lock.is_missing() {
            remove_leftovers(&target);
        }
        let seen = Stamp::of(&target)?;
        Ok(OutputFile { path: path.to_owned(), target, seen, lock, naming: SYSTEM })
    }

    /// The file, as the caller has named it; another one after an error of kind `Conflict`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was there when it was claimed, or was written since; none for no file.
    pub fn seen(&self) -> Option<Stamp> {
        self.seen
    }

    /// A warning if the file system has no locks, so that nothing keeps other programs away.
    pub fn warning(&self) -> Option<String> {
        self.lock.is_missing().then(|| {
            format!(
                "{}: this file system has no locks, so two programs that write this file at the same time do not \
                 notice each other",
                self.path.display()
            )
        })
    }

    /// Replaces the file, or creates it.
    ///
    /// # Errors
    /// `Conflict` if another program has written the file since it was claimed: that file is kept, the content is in a
    /// new one next to it, which the message names, and so does [`path`](Self::path) from now on. `Io` if the
    /// operating system refuses, for example because the disk is full: the old file is kept, and nothing is left
    /// next to it.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let path = self.path.clone();
        let mut file = self.create()?;
        file.write_all(bytes).map_err(|source| refused(&path, source))?;
        file.commit()
    }

    /// Begins new content that is written piece by piece.
    ///
    /// # Errors
    /// `Io` if the operating system refuses.
    pub fn create(&mut self) -> Result<NewFile<'_>> {
        let (name, file) = temporary::create(&self.target, &self.path)?;
        Ok(NewFile { output: self, name, file })
    }

    /// Brings the file, which should hold all but the last `added` bytes of `content`, to all of it: these bytes are
    /// appended. If the file has another length, or is not there, all of `content` is written.
    ///
    /// # Errors
    /// As [`write`](Self::write); the file is then as it was, or all of `content` is in the new one.
    pub fn extend(&mut self, content: &[u8], added: usize) -> Result<()> {
        let (before, new) = content.split_at(content.len().saturating_sub(added));
        let length = before.len() as u64;
        if self.seen.is_none_or(|seen| seen.length != length) || !self.is_unchanged()? {
            return self.write(content);
        }
        let appended = self.append(length, new);
        // Also a failure has changed the time of the file.
        self.seen = Stamp::of(&self.target)?;
        appended.map_err(|source| refused(&self.path, source))
    }

    fn append(&self, length: u64, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().append(true).open(&self.target)?;
        let written = file.write_all(bytes).and_then(|()| file.sync_all());
        if written.is_err() {
            // Half of it would be worse than nothing. The first error is the one to report.
            let _ = file.set_len(length);
        }
        written
    }

    /// Whether nobody else has written the file.
    fn is_unchanged(&self) -> Result<bool> {
        Ok(Stamp::of(&self.target)? == self.seen)
    }

    /// Gives the complete temporary file its place; it may keep its own name, too.
    fn put(&mut self, temporary: &Path, file: &File) -> Result<()> {
        let there = Stamp::of(&self.target)?;
        let is_put = match there {
            None => self.naming.put_new(temporary, file, &self.target),
            Some(_) if there == self.seen => {
                self.naming.replace(temporary, file, &self.target).map(|()| true)
            }
            Some(_) => Ok(false),
        };
        match is_put.map_err(|source| refused(&self.path, source))? {
            true => self.note(),
            false => self.put_beside(temporary, file),
        }
    }

    /// Gives the temporary file a free name next to the one that somebody else has taken.
    fn put_beside(&mut self, temporary: &Path, file: &File) -> Result<()> {
        for number in 1..=MOST_NAMES {
            let target = numbered(&self.target, number);
            if target.exists() {
                continue;
            }
            let Ok(lock) = Lock::take(&target, &target) else { continue };
            let put = self.naming.put_new(temporary, file, &target);
            if put.map_err(|source| refused(&target, source))? {
                // Behind a link, the new file is where the link leads to.
                let path = match fs::read_link(&self.path) {
                    Ok(_) => target.clone(),
                    Err(_) => numbered(&self.path, number),
                };
                let taken = std::mem::replace(&mut self.path, path);
                (self.target, self.lock) = (target, lock);
                self.note()?;
                return Err(conflict(&taken, &self.path));
            }
        }
        Err(refused(&self.path, io::ErrorKind::AlreadyExists.into()))
    }

    /// Notes what is there now, and forces the folder's entry to the disk.
    fn note(&mut self) -> Result<()> {
        // At once, so that no time is left for others between writing and looking.
        self.seen = Stamp::of(&self.target)?;
        // Not every system and file system can; the file has its place either way.
        let _ = File::open(folder_of(&self.target)).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

/// The new content of an [`OutputFile`], while it is being written. Unless it is [committed](Self::commit), it goes
/// when it is dropped, and the old file stays.
#[derive(Debug)]
pub struct NewFile<'a> {
    output: &'a mut OutputFile,
    name: HiddenFile,
    file: File,
}

impl NewFile<'_> {
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

fn conflict(taken: &Path, instead: &Path) -> Error {
    let (taken, instead) = (taken.display(), instead.display());
    Error::new(
        ErrorKind::Conflict,
        format!(
            "{taken}: another program has changed this file since the start, so it is kept as it is; the new content \
             was written to {instead} instead"
        ),
    )
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::files::naming::faults::{FORGETTING, REFUSING};
    use crate::files::testing::names;

    #[test]
    fn a_name_that_is_refused_is_an_error_and_the_old_file_stays() {
        for (naming, words) in REFUSING {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("m.bin");
            let mut output = OutputFile::claim(&path).unwrap();
            output.naming = naming;
            let check = |output: &mut OutputFile| {
                let error = output.write(b"new").unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Io);
                let said = error.to_string();
                assert!(said.contains("m.bin") && said.contains(words), "{said}");
            };
            check(&mut output);
            assert_eq!(names(folder.path()), [".m.bin.lock"]);
            // A server that recovers is used again, as for the next checkpoint.
            output.naming = SYSTEM;
            output.write(b"old").unwrap();
            output.naming = naming;
            check(&mut output);
            assert_eq!(fs::read(&path).unwrap(), b"old");
            drop(output);
            assert_eq!(names(folder.path()), ["m.bin"]);
        }
    }

    #[test]
    fn a_name_that_was_given_though_an_error_came_back_counts() {
        for naming in FORGETTING {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("m.bin");
            let mut output = OutputFile::claim(&path).unwrap();
            output.naming = naming;
            for content in [b"first", b"other"] {
                output.write(content).unwrap();
                assert_eq!(fs::read(&path).unwrap(), content);
            }
            // A file of somebody else is still told from one's own.
            fs::remove_file(&path).unwrap();
            fs::write(&path, "precious").unwrap();
            assert_eq!(output.write(b"third").unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(fs::read(&path).unwrap(), b"precious");
            assert_eq!(fs::read(output.path()).unwrap(), b"third");
            drop(output);
            assert_eq!(names(folder.path()), ["m-1.bin", "m.bin"]);
        }
    }

    #[test]
    fn a_folder_in_the_place_of_the_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.bin");
        let mut output = OutputFile::claim(&path).unwrap();
        output.write(b"old").unwrap();
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        fs::write(path.join("a"), "theirs").unwrap();
        let error = output.write(b"new").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert_eq!(fs::read(folder.path().join("m-1.bin")).unwrap(), b"new");
        assert_eq!(fs::read(path.join("a")).unwrap(), b"theirs");
        drop(output);
        assert_eq!(names(folder.path()), ["m-1.bin", "m.bin"]);
    }
}
