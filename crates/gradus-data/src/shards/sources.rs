//! What samples are packed from, in pieces of a few megabytes: data in memory, arrays in files beyond memory, drawn digits
//! and distorted images without end.

use std::ops::Range;
use std::path::Path;

use gradus_core::transform::distort::{Distorter, Scratch};
use rayon::prelude::*;

use super::reader::Shards;
use crate::array::{Array, Values, image_or_row};
use crate::digits;
use crate::error::{Error, Result, invalid};
use crate::labels::{Classes, Labels};
use crate::row_file::{PIECE, RowFile};
use crate::{Dataset, Inputs, Targets, npy, reading};

/// Samples in pieces.
pub struct Pieces<'a> {
    /// Number of samples in all pieces.
    pub samples: usize,
    /// The pieces, one after the other.
    pub pieces: Box<dyn Iterator<Item = Result<Dataset>> + Send + 'a>,
}

impl<'a> Pieces<'a> {
    /// Samples of which `read` gives any, `each` at a time.
    pub(crate) fn new(
        samples: usize,
        each: usize,
        read: impl Fn(Range<usize>) -> Result<Dataset> + Send + 'a,
    ) -> Pieces<'a> {
        let each = each.max(1);
        let starts = (0..samples).step_by(each);
        let pieces = starts.map(move |start| read(start..(start + each).min(samples)));
        Pieces { samples, pieces: Box::new(pieces) }
    }

    /// The samples of a set in memory.
    pub fn of_dataset(data: &'a Dataset) -> Pieces<'a> {
        let each = PIECE / (4 * data.features()).max(1);
        Pieces::new(data.len(), each, |rows| Ok(data.subset(&rows.collect::<Vec<_>>())))
    }

    /// The samples of other shards.
    pub fn of_shards(shards: &'a Shards) -> Pieces<'a> {
        let each = PIECE / shards.row_bytes().max(1);
        Pieces::new(shards.samples(), each, |rows| shards.read(rows))
    }

    /// Digits that are drawn for it, as those that are built in are ([`digits::generate`]): a sample depends on the seed and
    /// its number alone. Those of seed 0 begin with the built-in training part.
    pub fn of_digits(samples: usize, seed: u64) -> Pieces<'static> {
        let read = move |rows: Range<usize>| digits::generate_rows(rows, seed, digits::Part::Train);
        Pieces::new(samples, digits::RUN * 1000, read)
    }

    /// Distorted images: sample `i` is image `i % n` of `n`, distorted as training distorts it in epoch `i / n`; it depends
    /// on the seed and its number alone.
    ///
    /// # Errors
    /// `InvalidArgument` for anything but bytes.
    pub fn of_distorted(
        images: &'a Dataset,
        distorter: &'a Distorter,
        seed: u64,
        samples: usize,
    ) -> Result<Pieces<'a>> {
        let Inputs::Bytes(bytes) = &images.inputs else {
            return Err(Error::argument("only images of bytes can be distorted"));
        };
        let (count, features) = (images.len(), images.features());
        let read = move |rows: Range<usize>| {
            let numbers: Vec<usize> = rows.clone().map(|sample| sample % count).collect();
            let mut pixels = vec![0; rows.len() * features];
            pixels.par_chunks_mut(features).zip(rows).for_each_init(
                Scratch::default,
                |scratch, (out, sample)| {
                    let (image, version) = (sample % count, (sample / count) as u64);
                    let original = &bytes[image * features..][..features];
                    distorter.distort(seed, version, image as u64, original, out, scratch);
                },
            );
            let (targets, shape) = (images.targets.subset(&numbers), images.sample_shape.clone());
            Dataset::with_targets(Inputs::Bytes(pixels), targets, shape)
        };
        Ok(Pieces::new(samples, PIECE / features.max(1), read))
    }

    /// The rows of an array in a file beyond memory, and their labels, or values if `values`, in another; these are read
    /// into memory. Unsigned bytes stay bytes; other numbers become single-precision floats.
    ///
    /// # Errors
    /// As [`RowFile::open`]; `InvalidData` if the labels are none, or are not as many.
    pub fn of_array(inputs: &Path, labels: &Path, values: bool) -> Result<Pieces<'static>> {
        let file = RowFile::open(inputs)?;
        let targets =
            targets_of(labels, values).map_err(|error| error.context(labels.display()))?;
        if targets.samples() != file.samples() {
            return Err(invalid(format!(
                "{} holds {} samples, but {} has labels for {}: they do not belong together",
                inputs.display(),
                file.samples(),
                labels.display(),
                targets.samples()
            )));
        }
        if file.sample_shape().is_empty() {
            return Err(Error::data(
                inputs,
                "a list of numbers holds no samples: expected one row for each",
            ));
        }
        let each = PIECE / file.row_bytes().max(1);
        // What tells images from tables.
        let first = file.read(0..each.max(1).min(file.samples()))?;
        let sample_shape = image_or_row(&first);
        let samples = file.samples();
        let read = move |rows: Range<usize>| {
            let Array { values, .. } = file.read(rows.clone())?;
            let inputs = match values {
                Values::U8(bytes) => Inputs::Bytes(bytes),
                other => Inputs::Floats(other.to_f32()),
            };
            let targets = targets.rows(rows);
            let data = Dataset::with_targets(inputs, targets, sample_shape.clone());
            data.map_err(|error| error.context(file.path().display()))
        };
        Ok(Pieces::new(samples, each, read))
    }
}

/// The labels or values in an NPY or IDX file.
fn targets_of(path: &Path, values: bool) -> Result<Targets> {
    let bytes = reading::read(path)?;
    let content = match bytes.starts_with(b"\x93NUMPY") {
        true => npy::into_content(bytes)?,
        false => npy::Content::Numbers(crate::idx::parse_idx(&bytes)?),
    };
    match (values, content) {
        (false, content) => {
            let (labels, classes) = Classes::of_training(Labels::of(content)?)?;
            Ok(Targets::Classes { labels, names: classes.names })
        }
        (true, npy::Content::Numbers(array)) => {
            let names = crate::assemble::value_names(&array)?;
            Ok(Targets::Values { values: array.values.to_f32(), names })
        }
        (true, npy::Content::Texts(_)) => {
            Err(invalid("texts are no values to learn: expected numbers"))
        }
    }
}
