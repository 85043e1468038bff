//! Detects the format of a path: a file or folder in, the parts of a data set out, read by the right reader.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;

use super::assemble::fit_part;
use super::bytes;
use super::csv::TableOptions;
use super::folders::{Content, is_named_table};
use super::idx_files;
use super::listing::{Listing, file_name, some_names};
use super::parts::{Part, Parts};
use super::pattern::files_matching;
use super::shards::{self, Shards};
use super::{Dataset, Inputs, Rows, Task, csv, emnist, images, npz};
use crate::error::{Error, ErrorKind, Result};
use crate::reading;

/// How to read tables and images.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ReadOptions<'a> {
    /// How a table is read, and whether targets are values instead of classes.
    pub(crate) table: TableOptions<'a>,
    /// Height and width to which images are scaled.
    pub(crate) image_size: Option<(usize, usize)>,
    /// Whether images in colour that are arrays stay so.
    pub(crate) colour: bool,
    /// Whether the inputs of shards stay in their files.
    pub(crate) streamed: bool,
}

/// The error for regression targets from a set that has classes.
pub(crate) fn no_values(what: &str) -> Error {
    Error::argument(format!(
        "{what}: its samples have classes, no values to learn; values are read from columns of a \
         .csv or the y_train of an .npz"
    ))
}

/// Reads the data at `path`; adds to `warnings`, one line each.
pub(crate) fn read_path(
    path: &Path,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    if let Some(files) = files_matching(path)? {
        return read_pieces(&files, options, warnings);
    }
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => read_folder(path, options, warnings),
        Ok(_) => read_file(path, options, warnings),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Reads the files of one table.
fn read_pieces(
    files: &[PathBuf],
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let (data, of_the_tables) = csv::read_tables(files, &options.table)?;
    warnings.extend(of_the_tables);
    Ok(Parts::only(data))
}

fn read_file(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    let table = |warnings: &mut Vec<String>| {
        let (mut data, of_the_table) = csv::read_table(path, &options.table)?;
        warnings.extend(of_the_table);
        warnings.extend(emnist::turn_table_upright(path, &mut data));
        Ok(Parts::only(data))
    };
    if reading::is_special(path) {
        // A look at its first bytes would take them away from the reader.
        return table(warnings);
    }
    let mut start = [0; 16];
    let mut file = reading::open(path)?;
    let count =
        bytes::read_up_to(&mut file, &mut start).map_err(|error| Error::io("read", path, error))?;
    let start = &start[..count];
    let has_no_label = |what: &str| {
        Error::data(
            path,
            format!(
                "{what} has no labels; expected a folder of IDX files, an .npz with x_train and \
                 y_train, a .csv, or a folder with one sub-folder of images per class"
            ),
        )
    };
    match Magic::of(start) {
        Magic::Zip | Magic::Gzip if csv::is_packed_table(&file) => table(warnings),
        Magic::Zip => {
            let TableOptions { values, doubles, .. } = options.table;
            let colour = options.colour;
            npz::read_parts(path, npz::NpzOptions { values, doubles, colour }, warnings)
        }
        Magic::Gzip | Magic::Idx if options.table.values => {
            Err(no_values(&path.display().to_string()))
        }
        Magic::Gzip | Magic::Idx => idx_files::read_single(path, warnings),
        Magic::Npy => Err(has_no_label("a single .npy array")),
        it if it.is_image() => Err(has_no_label("a single image")),
        _ => table(warnings),
    }
}

/// Reads a folder of shards, with targets of the kind that is wanted: into memory, or only what is needed to read them later.
fn read_shards(path: &Path, values: bool, streamed: bool) -> Result<Dataset> {
    let shards = Shards::open(path)?;
    match (values, shards.task()) {
        (true, Task::Classification) => Err(no_values(&path.display().to_string())),
        (false, task @ (Task::Regression | Task::MultiLabel)) => Err(Error::argument(format!(
            "{}: its samples have {}, no classes; choose a `loss` for {}",
            path.display(),
            task.outputs(),
            task.name()
        ))),
        _ if streamed => Dataset::streamed(shards),
        _ => shards.load(),
    }
}

fn read_folder(path: &Path, options: ReadOptions, warnings: &mut Vec<String>) -> Result<Parts> {
    if shards::is_shards(path) {
        return read_shards(path, options.table.values, options.streamed).map(Parts::only);
    }
    let content = Content::of(path)?;
    if options.table.values && matches!(content, Content::Idx(_) | Content::Classes) {
        return Err(no_values(&path.display().to_string()));
    }
    match content {
        Content::Idx(files) => files.read(path, warnings),
        Content::Within(inner) => read_folder(&inner, options, warnings),
        Content::Folders(parts) => {
            let others = others(&Listing::of(path)?.folders, &parts, |_| true);
            warnings.extend(others.map(|line| format!("{}: {line}", path.display())));
            read_parts(path, parts, options, warnings)
        }
        Content::Tables(parts) => {
            let others = others(&Listing::of(path)?.files, &parts, is_named_table);
            warnings.extend(others.map(|line| format!("{}: {line}", path.display())));
            read_parts(path, parts, options, warnings)
        }
        Content::Pieces(files) => read_pieces(&files, options, warnings),
        Content::Classes => {
            images::load_with_warnings(path, options.image_size, warnings).map(Parts::only)
        }
        Content::Unknown(listing) => {
            let files =
                match some_names(&listing.files.iter().map(|it| file_name(it)).collect::<Vec<_>>())
                {
                    names if names.is_empty() => "no files".to_owned(),
                    names => names,
                };
            Err(Error::data(
                path,
                format!(
                    "expected IDX files (train-images-idx3-ubyte ...), tables called train.csv and \
                     test.csv or several of equal columns, or one sub-folder of images per class; the folder \
                     holds {files}; for a single file give its path"
                ),
            ))
        }
    }
}

/// A line about files or folders that could be data, but belong to no part.
fn others(
    all: &[PathBuf],
    parts: &Parts<PathBuf>,
    is_data: impl Fn(&str) -> bool,
) -> Option<String> {
    let used = [Some(&parts.train), parts.validation.as_ref(), parts.test.as_ref()];
    let names = all.iter().filter(|path| !used.contains(&Some(path))).map(|path| file_name(path));
    let names: Vec<_> = names.filter(|name| is_data(name)).collect();
    (!names.is_empty())
        .then(|| format!("read the parts by their names and passed over: {}", some_names(&names)))
}

/// Reads the parts in files or folders of their own. One without classes or targets is passed over with a
/// warning: it is meant to be predicted.
fn read_parts(
    path: &Path,
    parts: Parts<PathBuf>,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Parts> {
    let Parts { train, validation, test } = parts;
    let train = read_path(&train, options, warnings)?.train;
    let mut read = |part: Part, place: Option<PathBuf>| {
        let Some(place) = place else { return Ok(None) };
        let passed_over = |why: &str| {
            format!(
                "{} has no {} part: {} was passed over, since {why}",
                path.display(),
                part.name(),
                file_name(&place)
            )
        };
        if has_only_images(&place) {
            warnings
                .push(passed_over("its images are in no folders, which would be their classes"));
            return Ok(None);
        }
        let is_table = place.is_file();
        match read_matching(&place, part, &train, options, warnings) {
            Ok(data) => Ok(Some(data)),
            // The only argument about a table here is its target.
            Err(error) if is_table && error.kind() == ErrorKind::InvalidArgument => {
                warnings.push(passed_over(&error.to_string()));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    };
    let validation = read(Part::Validation, validation)?;
    let test = read(Part::Test, test)?;
    Ok(Parts { train, validation, test })
}

/// Whether a folder holds images and no folders.
fn has_only_images(path: &Path) -> bool {
    let Ok(Listing { files, folders }) = Listing::of(path) else { return false };
    folders.is_empty() && files.iter().any(|path| images::is_read_image(path))
}

/// Reads the data at `path` to test or validate a model that is trained on `train`: images are scaled to
/// its size, classes have its order, tables its columns, and values its type. Of several parts `wanted` is taken
/// if there is one.
///
/// # Errors
/// As [`read_path`], and `InvalidData` if the samples do not fit those of `train` or are of a class that it
/// lacks.
pub(crate) fn read_matching(
    path: &Path,
    wanted: Part,
    train: &Dataset,
    options: ReadOptions,
    warnings: &mut Vec<String>,
) -> Result<Dataset> {
    let mut reading = options;
    reading.image_size = size_of(train).or(options.image_size);
    reading.table.doubles |= match &train.inputs {
        Inputs::Doubles(_) => true,
        Inputs::Streamed(rows) => matches!(rows.kind(), Rows::Doubles(_)),
        _ => false,
    };
    reading.colour |= train.sample_shape.len() == 3;
    let types = match &train.inputs {
        Inputs::Table(table) => Some(table.types()),
        Inputs::Streamed(rows) => match rows.kind() {
            Rows::Table(table) => Some(table.types()),
            _ => None,
        },
        _ => None,
    };
    if let Some(columns) = &train.columns {
        // Of a table like the training data, which may have its columns in another order.
        reading.table =
            TableOptions { label_column: None, drop: &[], columns: Some(columns), ..reading.table };
        let names = &[];
        reading.table = TableOptions {
            categorical: names,
            numeric: names,
            dates: names,
            types: types.as_deref(),
            ..reading.table
        };
    }
    let data = read_path(path, reading, warnings)?.for_measuring(wanted);
    fit_part(train, data).map_err(|error| error.context(path.display()))
}

/// Height and width of the images of `data`.
pub(crate) fn size_of(data: &Dataset) -> Option<(usize, usize)> {
    match data.sample_shape[..] {
        [height, width] => Some((height, width)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
