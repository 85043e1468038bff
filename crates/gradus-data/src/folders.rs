//! What a folder holds, by the names in it: a folder in; its kind, the files of its parts, or the table to learn from out.

use std::path::{Path, PathBuf};

use super::idx_files::IdxFiles;
use super::listing::{Listing, file_name};
use super::parts::{self, Parts};
use super::pattern::files_matching;
use super::{images, shards};
use crate::error::{Error, Result};

/// What a folder holds, as far as readers are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderKind {
    /// IDX files.
    Idx,
    /// Tables: one for each part, or one in several files.
    Tables,
    /// Images in folders that are their classes.
    Images,
    /// Shards.
    Shards,
    /// Something else, or it cannot be read.
    Unknown,
}

/// The kind of a folder. Its files are not read.
pub fn folder_kind(path: &Path) -> FolderKind {
    if shards::is_shards(path) {
        return FolderKind::Shards;
    }
    match Content::of(path) {
        Ok(Content::Idx(_)) => FolderKind::Idx,
        Ok(Content::Tables(_) | Content::Pieces(_)) => FolderKind::Tables,
        Ok(Content::Within(inner)) => folder_kind(&inner),
        Ok(Content::Folders(parts)) => folder_kind(&parts.train),
        Ok(Content::Classes) => FolderKind::Images,
        Ok(Content::Unknown(_)) | Err(_) => FolderKind::Unknown,
    }
}

/// The table to learn from at a path: the file itself, the training part of a folder of tables, or the first file of several
/// that are one table.
pub fn training_table(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_owned());
    }
    if let Some(files) = files_matching(path).ok()? {
        return files.into_iter().next();
    }
    match Content::of(path).ok()? {
        Content::Tables(parts) => Some(parts.train),
        Content::Pieces(files) => files.into_iter().next(),
        Content::Within(inner) => training_table(&inner),
        Content::Folders(parts) => training_table(&parts.train),
        Content::Idx(_) | Content::Classes | Content::Unknown(_) => None,
    }
}

/// The content of a folder, by the names in it.
pub(crate) enum Content {
    Idx(IdxFiles),
    /// One folder for each part.
    Folders(Parts<PathBuf>),
    /// One table for each part.
    Tables(Parts<PathBuf>),
    /// One table in several files, sorted by name.
    Pieces(Vec<PathBuf>),
    /// Everything is in this folder.
    Within(PathBuf),
    /// One sub-folder of images for each class.
    Classes,
    Unknown(Listing),
}

impl Content {
    /// What the folder at `path` holds; of files only the names are read.
    pub(crate) fn of(path: &Path) -> Result<Content> {
        let listing = Listing::of(path)?;
        let in_folder = |error: Error| error.context(path.display());
        let idx = IdxFiles::of(path, &listing)?;
        if !idx.is_empty() {
            return Ok(Content::Idx(idx));
        }
        for raw in ["raw", "MNIST/raw"].map(|raw| path.join(raw)) {
            if raw.is_dir() && !IdxFiles::of(&raw, &Listing::of(&raw)?)?.is_empty() {
                return Ok(Content::Within(raw));
            }
        }
        let whole = |name: &str| Some(name.to_owned());
        if let Some(parts) = parts::find(&listing.folders, whole).map_err(in_folder)? {
            return Ok(Content::Folders(parts));
        }
        if let Some(parts) = parts::find(&listing.files, table_stem).map_err(in_folder)? {
            return Ok(Content::Tables(parts));
        }
        match &listing.folders[..] {
            // An archive that was unpacked into a folder of its name, or a training part alone.
            [only] if is_around_data(only) => Ok(Content::Within(only.clone())),
            [] => Ok(match pieces_of(&listing) {
                files if files.len() > 1 => Content::Pieces(files),
                _ => Content::Unknown(listing),
            }),
            _ => Ok(Content::Classes),
        }
    }
}

/// Whether a folder is no class itself: it holds no images, but data in some form below.
fn is_around_data(folder: &Path) -> bool {
    let Ok(listing) = Listing::of(folder) else { return false };
    match Content::of(folder) {
        Ok(Content::Unknown(_)) => false,
        _ => !listing.files.iter().any(|path| images::is_read_image(path)),
    }
}

/// The tables in a folder without parts. Text files may say something about them.
fn pieces_of(listing: &Listing) -> Vec<PathBuf> {
    let is_table = |path: &&PathBuf| is_named_table(&file_name(path));
    listing.files.iter().filter(is_table).cloned().collect()
}

/// Whether a name is one of tables only.
pub(crate) fn is_named_table(name: &str) -> bool {
    table_stem(name).is_some() && !name.to_lowercase().ends_with(".txt")
}

/// The name of a table without its ending.
fn table_stem(name: &str) -> Option<String> {
    let name = name.to_lowercase();
    let unpacked = [".gz", ".zip"].iter().find_map(|ending| name.strip_suffix(ending));
    let name = unpacked.unwrap_or(&name);
    let endings = [".csv", ".tsv", ".txt", ".data", ".parquet", ".arrow", ".feather"];
    let stem = endings.iter().find_map(|it| name.strip_suffix(it));
    stem.map(str::to_owned)
}
