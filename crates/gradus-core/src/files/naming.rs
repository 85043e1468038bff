//! The last step of writing: a complete temporary file in, the same file under its name out.
//!
//! A server of files on the network can refuse it, and it can do it and lose the answer: the client asks again and is told
//! that the name is taken, or that the temporary file is gone. So an error counts only if the name does not lead to
//! the file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::target::is_same;

/// Gives a file another name.
type Step = fn(&Path, &Path) -> io::Result<()>;

/// How files get their names: [`SYSTEM`], or in tests what fails like a server on the network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    link: Step,
    rename: Step,
}

/// The calls of the operating system.
pub(super) const SYSTEM: Naming = Naming {
    link: |temporary, target| fs::hard_link(temporary, target),
    rename: |temporary, target| fs::rename(temporary, target),
};

impl Naming {
    /// Gives the file the name `target` unless something has it: whether that was so. It may keep its own name, too. A hard
    /// link is made in one step, unlike a rename after a look.
    pub(super) fn put_new(self, temporary: &Path, file: &File, target: &Path) -> io::Result<bool> {
        match (self.link)(temporary, target) {
            Ok(()) => Ok(true),
            Err(_) if is_put(file, target) => Ok(true),
            Err(source) if source.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // A file system without hard links.
            Err(_) if target.exists() => Ok(false),
            Err(_) => self.put(temporary, file, target).map(|()| true),
        }
    }

    /// Puts the file in the place of `target`; it becomes as private as the old one.
    pub(super) fn replace(self, temporary: &Path, file: &File, target: &Path) -> io::Result<()> {
        file.set_permissions(fs::metadata(target)?.permissions())?;
        self.put(temporary, file, target)
    }

    fn put(self, temporary: &Path, file: &File, target: &Path) -> io::Result<()> {
        match (self.rename)(temporary, target) {
            Err(_) if is_put(file, target) => Ok(()),
            done => done,
        }
    }
}

/// Whether the name leads to the file. Elsewhere, files are told apart by the time at which they were created, which
/// proves nothing.
fn is_put(file: &File, target: &Path) -> bool {
    cfg!(unix) && is_same(file, target)
}

#[cfg(test)]
pub(super) mod faults {
    //! Servers that fail.

    use super::*;

    fn fail(code: i32) -> io::Result<()> {
        Err(io::Error::from_raw_os_error(code))
    }

    /// They refuse to link and to rename: another device, a stale handle, no permission, an error of the disk.
    #[cfg(unix)]
    pub(crate) const REFUSING: [(Naming, &str); 4] = [
        (Naming { link: |_, _| fail(18), rename: |_, _| fail(18) }, "os error 18"),
        (Naming { link: |_, _| fail(116), rename: |_, _| fail(116) }, "os error 116"),
        (Naming { link: |_, _| fail(13), rename: |_, _| fail(13) }, "folder that you may write to"),
        (Naming { link: |_, _| fail(5), rename: |_, _| fail(5) }, "os error 5"),
    ];

    /// They have no hard links, and know no more of a rename that they have done.
    #[cfg(unix)]
    pub(crate) const FORGETTING: [Naming; 2] = [
        Naming {
            link: |_, _| fail(95),
            rename: |temporary, target| {
                fs::rename(temporary, target)?;
                fail(2)
            },
        },
        Naming {
            link: |temporary, target| {
                fs::hard_link(temporary, target)?;
                fail(17)
            },
            rename: |temporary, target| {
                fs::rename(temporary, target)?;
                fail(2)
            },
        },
    ];
}
