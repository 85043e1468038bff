//! What a folder holds, without what operating systems and programs leave in it: a path in, sorted files and
//! folders out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Names, in small letters, of files and folders that no user has put among the data.
const CLUTTER: [&str; 11] = [
    "#recycle",
    "$recycle.bin",
    "@eadir",
    "__macosx",
    "__pycache__",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "system volume information",
    "thumbs.db",
];

/// Whether a file or folder is hidden, or one that an operating system or a program has left: never a class,
/// a part or a sample.
pub(crate) fn is_clutter(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with('.') || CLUTTER.contains(&name.to_lowercase().as_str())
}

/// The last part of a path, for messages and class names.
pub(crate) fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The direct content of a folder without clutter.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Everything that is no folder, sorted by name.
    pub(crate) files: Vec<PathBuf>,
    /// Folders, sorted by name.
    pub(crate) folders: Vec<PathBuf>,
}

impl Listing {
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn of(folder: &Path) -> Result<Self> {
        let refused = |source| Error::io("read folder", folder, source);
        let mut listing = Listing::default();
        for entry in fs::read_dir(folder).map_err(refused)? {
            let path = entry.map_err(refused)?.path();
            match path.is_dir() {
                _ if is_clutter(&path) => {}
                true => listing.folders.push(path),
                false => listing.files.push(path),
            }
        }
        listing.files.sort();
        listing.folders.sort();
        Ok(listing)
    }
}

/// Names of some of these paths, for messages: `a.gif, b.txt and 7 more`.
pub(crate) fn some_names<P: AsRef<Path>>(paths: &[P]) -> String {
    const MOST: usize = 3;
    let names = paths.iter().take(MOST).map(|path| path.as_ref().display().to_string());
    let names = names.collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(MOST) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clutter_is_left_out_whatever_its_case() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b", "a", "__MACOSX", ".git", "@eaDir", ".ipynb_checkpoints", "Lost+Found"] {
            fs::create_dir(root.path().join(name)).unwrap();
        }
        for name in ["z.csv", "y.csv", ".DS_Store", "Thumbs.db", "desktop.ini", "._y.csv"] {
            fs::write(root.path().join(name), "").unwrap();
        }
        let Listing { files, folders } = Listing::of(root.path()).unwrap();
        let names = |paths: Vec<PathBuf>| paths.iter().map(|it| file_name(it)).collect::<Vec<_>>();
        assert_eq!(names(files), ["y.csv", "z.csv"]);
        assert_eq!(names(folders), ["a", "b"]);
        assert!(Listing::of(&root.path().join("none")).is_err());
    }

    #[test]
    fn a_few_names_stand_for_many() {
        assert_eq!(some_names(&["a", "b", "c"]), "a, b, c");
        assert_eq!(some_names(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }
}
