//! The source files of a crate: the name of its folder in, paths out.

use std::fs;
use std::path::{Path, PathBuf};

/// The folder `src` of a crate, named by its path from the workspace's root: `crates/gradus-core`.
pub(crate) fn source_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name).join("src")
}

/// All `.rs` files below `folder`, in order of their paths. Panics if there is none.
pub(crate) fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    assert!(!files.is_empty(), "there is no source in {}", folder.display());
    files.sort();
    files
}
