//! Data that are read piece by piece, such as for packing more of them than memory holds: what to load in, what all samples have in
//! common and the samples in pieces of a few megabytes out.
//!
//! The samples are those that reading at once gives. What follows from all of them (classes, types of columns, grey levels,
//! precision) is found out first, by reading the files once for that alone.

use std::fs;
use std::path::{Path, PathBuf};

use gradus_core::files::magic::Magic;

use super::array::{Array, Values};
use super::array_form::{ArrayForm, ArrayTraits, Colour, Light, colour_of};
use super::array_rows::ArrayRows;
use super::files::{ReadOptions, no_values};
use super::folders::Content;
use super::images::ImageFolder;
use super::label_warnings::warning_of;
use super::npz::rows::NpzRows;
use super::parts::{Part, Parts};
use super::pattern::files_matching;
use super::row_file::PIECE;
use super::shards::{self, Pieces};
use super::{Dataset, LoadOptions, Targets, bytes, csv, emnist, idx, idx_files, is_set_name};
use crate::error::{Error, Result, invalid};
use crate::reading;

/// The training part of data, or all samples if there are no parts.
pub struct FoundPieces<'a> {
    /// The samples.
    pub pieces: Pieces<'a>,
    /// No samples, but what all of them have in common.
    pub like: Dataset,
    /// The other parts of the data.
    pub others: Vec<Part>,
    /// Warnings, one line each.
    pub warnings: Vec<String>,
}

/// Finds data that can be read piece by piece: tables, arrays in `.npz` and IDX files, folders of images. None for data that have
/// to be read at once ([`find`](crate::find)): named sets, pipes, arrays in column-major order, EMNIST's files.
///
/// # Errors
/// As [`find`](crate::find).
pub fn find_pieces(options: &LoadOptions) -> Result<Option<FoundPieces<'_>>> {
    let Some(path) = options.data.as_deref().filter(|path| !is_set_name(path)) else {
        return Ok(None);
    };
    let name = path.display();
    // What is wrong with a path that does not exist is said by the reader of everything.
    if !path.exists() && !name.to_string().contains(['*', '?']) {
        return Ok(None);
    }
    of_path(path, options.reading())
}

fn of_path<'a>(path: &Path, options: ReadOptions<'a>) -> Result<Option<FoundPieces<'a>>> {
    if let Some(files) = files_matching(path)? {
        return of_tables(&files, options).map(Some);
    }
    match fs::metadata(path) {
        Ok(data) if data.is_dir() => of_folder(path, options),
        Ok(_) => of_file(path, options),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

fn of_folder<'a>(path: &Path, options: ReadOptions<'a>) -> Result<Option<FoundPieces<'a>>> {
    if shards::is_shards(path) {
        return Ok(None);
    }
    let content = Content::of(path)?;
    if options.table.values && matches!(content, Content::Idx(_) | Content::Classes) {
        return Err(no_values(&path.display().to_string()));
    }
    match content {
        Content::Within(inner) => of_folder(&inner, options),
        Content::Pieces(files) => of_tables(&files, options).map(Some),
        Content::Tables(Parts { train, validation, test })
        | Content::Folders(Parts { train, validation, test }) => {
            let others = [validation.map(|_| Part::Validation), test.map(|_| Part::Test)];
            let found = of_path(&train, options)?;
            Ok(found.map(|it| FoundPieces { others: others.into_iter().flatten().collect(), ..it }))
        }
        Content::Idx(files) => {
            let (images, labels, others) = files.training(path)?;
            let found = of_idx(&images, &labels)?;
            Ok(found.map(|it| FoundPieces { others, ..it }))
        }
        Content::Classes => {
            let mut warnings = Vec::new();
            let folder = ImageFolder::open(path, options.image_size, &mut warnings)?;
            of_images(folder, warnings).map(Some)
        }
        Content::Unknown(_) => Ok(None),
    }
}

fn of_file<'a>(path: &Path, options: ReadOptions<'a>) -> Result<Option<FoundPieces<'a>>> {
    if reading::is_special(path) {
        return Ok(None);
    }
    let mut file = reading::open(path)?;
    let start = bytes::start_of(&mut file)?;
    match Magic::of(&start) {
        Magic::Zip | Magic::Gzip if csv::is_packed_table(&file) => {}
        Magic::Zip => {
            let found = NpzRows::open(path, options.table.values)?;
            return found.map(|npz| of_npz(npz, options.table.doubles)).transpose();
        }
        Magic::Gzip | Magic::Idx if !options.table.values => {
            return match idx_files::labels_of(path) {
                Ok(labels) => of_idx(path, &labels),
                Err(_) => Ok(None),
            };
        }
        Magic::Gzip | Magic::Idx | Magic::Npy => return Ok(None),
        it if it.is_image() => return Ok(None),
        _ => {}
    }
    let mut found = of_tables(&[path.to_owned()], options)?;
    found.warnings.extend(emnist::turn_table_upright(path, &mut found.like));
    let (owned, Pieces { samples, pieces }) = (path.to_owned(), found.pieces);
    let pieces = Box::new(pieces.map(move |piece| {
        let mut piece = piece?;
        emnist::turn_table_upright(&owned, &mut piece);
        Ok(piece)
    }));
    Ok(Some(FoundPieces { pieces: Pieces { samples, pieces }, ..found }))
}

fn of_tables<'a>(files: &[PathBuf], options: ReadOptions<'a>) -> Result<FoundPieces<'a>> {
    let (table, mut warnings) = csv::survey(files, &options.table)?;
    let (like, samples) = (table.like.clone(), table.samples);
    if let Targets::Classes { names, .. } = &like.targets {
        let warning = warning_of(samples, names, &vec![true; names.len()]);
        let name = files.first().map(|it| it.display().to_string()).unwrap_or_default();
        warnings.extend(warning.map(|warning| format!("{name}: {warning}")));
    }
    let pieces = Pieces { samples, pieces: Box::new(table.pieces()) };
    Ok(FoundPieces { pieces, like, others: Vec::new(), warnings })
}

fn of_images<'a>(folder: ImageFolder, warnings: Vec<String>) -> Result<FoundPieces<'a>> {
    let like = folder.read(0..1)?.subset(&[]);
    let samples = folder.labels().len();
    let each = PIECE / folder.row_bytes().max(1);
    let pieces = Pieces::new(samples, each, move |rows| folder.read(rows));
    Ok(FoundPieces { pieces, like, others: Vec::new(), warnings })
}

fn of_idx<'a>(images: &Path, labels: &Path) -> Result<Option<FoundPieces<'a>>> {
    // Their images are turned, and their classes are in another file.
    if emnist::is_name(images) {
        return Ok(None);
    }
    let (targets, place) = (idx_files::targets_in(labels)?, images.display().to_string());
    let mut found = of_array(|| idx::rows_of(images), targets, false, place)?;
    found.warnings.iter_mut().for_each(|it| *it = format!("{}: {it}", images.display()));
    Ok(Some(found))
}

fn of_npz<'a>(npz: NpzRows, doubles: bool) -> Result<FoundPieces<'a>> {
    let found = of_array(|| npz.rows(), npz.targets.clone(), doubles, npz.place())?;
    let of_array = found.warnings.into_iter().map(|it| format!("{}: {it}", npz.path.display()));
    let warnings = of_array.chain(npz.warnings).collect();
    Ok(FoundPieces { warnings, others: npz.others, ..found })
}

/// The samples in the rows of an array, which `open` gives from the first one on; `place` is where it is found.
fn of_array<'a>(
    open: impl Fn() -> Result<ArrayRows>,
    targets: Targets,
    doubles: bool,
    place: String,
) -> Result<FoundPieces<'a>> {
    let found = array_pieces(open, targets, doubles, &place);
    found.map_err(|error| error.context(&place))
}

fn array_pieces<'a>(
    open: impl Fn() -> Result<ArrayRows>,
    targets: Targets,
    doubles: bool,
    place: &str,
) -> Result<FoundPieces<'a>> {
    let mut rows = open()?;
    let samples = rows.shape().first().copied().unwrap_or(0);
    if samples != targets.samples() {
        return Err(invalid(format!(
            "{samples} samples but {} labels or targets: they do not belong together, or one of them is truncated",
            targets.samples()
        )));
    }
    let (colour, form) = form_of(&mut rows, doubles)?;
    let colour_warning = colour.map(|colour| colour.conversion()).transpose()?;
    let mut warnings = Vec::from_iter(colour_warning);
    let form = move |array: Array, targets: Targets| {
        let values = match colour {
            Some(colour) => colour.to_grey(array.values),
            None => array.values,
        };
        Dataset::with_targets(form.inputs(values), targets, form.sample_shape.clone())
    };
    let Some(first) = open()?.next(1)? else {
        return Err(invalid("no data: there are no samples"));
    };
    let like = form(first, targets.rows(0..1))?.subset(&[]);
    if let Targets::Classes { labels, names } = &targets {
        let mut is_used = vec![false; names.len()];
        labels.iter().for_each(|&label| is_used[label as usize] = true);
        warnings.extend(warning_of(samples, names, &is_used));
    }
    let (mut rows, mut done, place) = (open()?, 0, place.to_owned());
    let each = rows_of_piece(&rows);
    let pieces = std::iter::from_fn(move || {
        let piece = rows.next(each).transpose()?.and_then(|array| {
            let first = done;
            done += array.samples();
            form(array, targets.rows(first..done))
        });
        Some(piece.map_err(|error| error.context(&place)))
    });
    let pieces = Pieces { samples, pieces: Box::new(pieces) };
    Ok(FoundPieces { pieces, like, others: Vec::new(), warnings })
}

fn rows_of_piece(rows: &ArrayRows) -> usize {
    (PIECE / rows.row_bytes().max(1)).max(1)
}

/// The form of the samples in an array, and whether they are images in colour, which become grey.
fn form_of(rows: &mut ArrayRows, doubles: bool) -> Result<(Option<Colour>, ArrayForm)> {
    let shape = rows.shape().to_vec();
    let (colour, mut light) = (colour_of(&shape), Light::default());
    let mut traits = ArrayTraits::of_parts(&shape)?;
    let mut add = |values: &Values| {
        if colour.is_some() {
            light.add(values);
        }
        traits.add(values);
    };
    match rows.are_bytes() && shape.len() > 2 {
        // Bytes that are no rows need not be looked at.
        true => add(&Values::U8(Vec::new())),
        false => {
            let each = rows_of_piece(rows);
            while let Some(array) = rows.next(each)? {
                add(&array.values);
            }
        }
    }
    match colour.filter(|_| light.is_intensity()) {
        Some(colour) => {
            let grey = ArrayTraits::of_samples(&[shape[0], colour.height, colour.width])?;
            Ok((Some(colour), grey.form(false)))
        }
        None => Ok((None, traits.form(doubles))),
    }
}
