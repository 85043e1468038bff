//! Recognizes files and folders, as far as options depend on their kind: a path or the first bytes in, a
//! kind out. It mirrors what `gradus::data` reads and does not check the content.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use gradus::data::csv::is_packed_table;
use gradus::data::{FolderKind, folder_kind, training_table};
use gradus::files::magic::Magic;
use gradus::files::reading;

/// The kind of a file or folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileKind {
    /// Text, perhaps packed: a table such as a CSV file; or a folder of tables.
    Table,
    /// A zip archive of arrays.
    Npz,
    /// One NumPy array.
    Npy,
    /// One IDX array, plain or gzip.
    Idx,
    /// A PNG or JPEG file.
    Image,
    /// A folder of IDX files.
    IdxFolder,
    /// A folder with a sub-folder of images for each class.
    ImageFolder,
    /// A folder of shards.
    Shards,
    /// A missing, unreadable or empty file, whose problem is reported when it is read; a pipe or device.
    Unknown,
}

impl FileKind {
    /// The kind of the file or folder at `path`.
    pub(crate) fn of(path: &Path) -> FileKind {
        if path.is_dir() {
            return FileKind::of_folder(path);
        }
        if reading::is_special(path) {
            // What is read of a pipe does not come a second time.
            return FileKind::Unknown;
        }
        let mut start = Vec::new();
        let read = File::open(path)
            .and_then(|file| file.take(Magic::LENGTH as u64).read_to_end(&mut start));
        match read {
            Ok(_) if File::open(path).is_ok_and(is_packed_table) => FileKind::Table,
            Ok(_) => FileKind::of_start(&start),
            // Several files that a pattern stands for are one table.
            Err(_) if training_table(path).is_some() => FileKind::Table,
            Err(_) => FileKind::Unknown,
        }
    }

    /// The kind of a file with this content.
    pub(crate) fn of_bytes(bytes: &[u8]) -> FileKind {
        match is_packed_table(Cursor::new(bytes)) {
            true => FileKind::Table,
            false => FileKind::of_start(bytes),
        }
    }

    /// The kind of a file with these first bytes that is not a packed table.
    fn of_start(start: &[u8]) -> FileKind {
        match Magic::of(start) {
            Magic::Empty => FileKind::Unknown,
            Magic::Zip => FileKind::Npz,
            Magic::Npy => FileKind::Npy,
            Magic::Gzip | Magic::Idx => FileKind::Idx,
            it if it.is_image() => FileKind::Image,
            _ => FileKind::Table,
        }
    }

    fn of_folder(folder: &Path) -> FileKind {
        match folder_kind(folder) {
            FolderKind::Idx => FileKind::IdxFolder,
            FolderKind::Tables => FileKind::Table,
            FolderKind::Images => FileKind::ImageFolder,
            FolderKind::Shards => FileKind::Shards,
            FolderKind::Unknown => FileKind::Unknown,
        }
    }

    /// The kind in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            FileKind::Table => "a table",
            FileKind::Npz => "an .npz archive of arrays",
            FileKind::Npy => "an .npy array",
            FileKind::Idx => "an IDX file",
            FileKind::Image => "an image",
            FileKind::IdxFolder => "a folder of IDX files",
            FileKind::ImageFolder => "a folder of images",
            FileKind::Shards => "a folder of shards",
            FileKind::Unknown => "of an unknown kind",
        }
    }
}
