//! Data: the name of a data set or a path goes in, a training and a test [`Dataset`] come out.
//!
//! The map, starting with the file to read first:
//!
//! | file | what it does |
//! |---|---|
//! | load.rs, load_options.rs | [`load`]: the one entry point; finds a named set or a path, splits off a test part |
//! | find_set.rs | a named set, on this machine or downloaded |
//! | files.rs | detects the format of a path from its content and calls the reader |
//! | folders.rs | what a folder holds: files of one format, parts, classes |
//! | listing.rs, pattern.rs, parts.rs, idx_files.rs, emnist.rs | what names in a folder mean: clutter, patterns, parts, IDX files, EMNIST's |
//! | memory.rs, direct.rs | how much memory there is, and reads past the page cache for files that have more |
//! | row_file.rs | any rows of an array in a file that may be larger than memory |
//! | pieces.rs, array_rows.rs | data of any kind, piece by piece |
//! | shards/ | a folder of shards: data beyond memory, packed and read |
//! | idx.rs, npz.rs, npz_names.rs, npy/, zip.rs, csv/, images/ | the readers |
//! | label_warnings.rs | labels that are probably not what they were meant to be |
//! | assemble.rs, array.rs, array_form.rs, labels.rs | arrays and labels become samples: checks, bytes or floats, shapes, classes |
//! | bytes.rs | sizes are checked before memory is allocated |
//! | interned.rs | texts, each different one kept once |
//! | sets.rs, search_path.rs, named.rs | the named sets, where they may be on this machine, whether files are genuine |
//! | fetch.rs, http.rs | downloads into the cache |
//! | digits/ | the built-in digits |
//! | weights.rs | weights of samples from a file |
#![forbid(unsafe_code)]

#[cfg(test)]
mod testing;
mod bytes;
mod interned;
mod listing;
mod pattern;
mod array;
mod array_rows;
mod array_form;
mod parts;
pub mod idx;
pub mod npy;
mod memory;
mod direct;
mod row_file;
pub mod zip;
pub mod csv;
mod labels;
mod assemble;
mod npz_names;
pub mod npz;
pub mod images;
pub mod digits;
pub mod shards;
mod label_warnings;
mod weights;
mod sets;
mod search_path;
mod named;
pub mod emnist;
mod idx_files;
mod http;
mod fetch;
mod folders;
mod files;
mod load_options;
mod find_set;
mod pieces;
mod load;

pub use array::{Array, Values};
pub use fetch::FetchProgress;
pub use find_set::{fetch, is_set_name, sets_at_hand};
pub use folders::{FolderKind, folder_kind, training_table};
pub use load::{find, held_out, load, load_matching, load_single, load_validation, note_on_name};
pub use load_options::{ColumnKinds, Found, LoadOptions, Loaded, SampleOrder};
pub use parts::{Part, Parts};
pub use pieces::{FoundPieces, find_pieces};
pub use row_file::{RowFile, RowKind};
pub use sets::set_names;
pub use weights::read_sample_weights;

pub(crate) use gradus_core::error::{self, invalid};
pub(crate) use gradus_core::files::reading;
pub(crate) use gradus_core::random;
pub(crate) use gradus_core::samples::image_shape;
pub use gradus_core::samples::{
    ColumnType, Columns, Dataset, Inputs, RawColumn, Rows, Source, SparseRows, Streamed, Sums,
    Table, Targets, Task, needs_doubles, split,
};
