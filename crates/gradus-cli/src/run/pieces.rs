//! Samples beyond memory: a folder of shards or an array in a file in, one piece of samples after the other out, while the
//! next one is read.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use gradus::classifier::{Model, ValueRange};
use gradus::data::shards::{Shards, is_shards};
use gradus::data::{Columns, Dataset, Inputs, RowFile, RowKind, Values, emnist, image_shape};
use gradus::exchange::Ranks;
use gradus::{Error, ErrorKind, Result};

use crate::run::output::{shape, warn};

/// Bytes of a piece.
const PIECE: usize = 16 << 20;

/// What to do about ranks with different samples.
const REMEDY: &str = "give all ranks the same data";

/// Samples of a piece are a multiple of this.
const BLOCK: usize = 512;

/// Samples that are read piece by piece.
pub(crate) struct Pieces {
    source: Source,
    /// Whether grey levels are divided, for a model of numbers from 0 to 1.
    divides: bool,
}

enum Source {
    Shards(Box<Shards>),
    /// The rows of an array.
    Rows(RowFile),
}

impl Pieces {
    /// The samples at `path` for a model, if they can be read piece by piece: a folder of shards, or an array whose rows
    /// become inputs of the model one by one. Of other arrays, all values decide whether they are grey levels.
    ///
    /// # Errors
    /// If the shards or the array are damaged, or do not have the model's samples.
    pub(crate) fn of(path: &Path, model: &Model) -> Result<Option<Pieces>> {
        if is_shards(path) {
            return Pieces::of_shards(Shards::open(path)?, model).map(Some);
        }
        if !RowFile::is_one(path) || emnist::is_name(path) {
            return Ok(None);
        }
        // What is wrong with a file is reported when it is read whole.
        let rows = RowFile::open(path).ok().filter(|rows| is_row_by_row(rows, model));
        Ok(rows.map(|rows| Pieces { source: Source::Rows(rows), divides: false }))
    }

    /// The samples of a folder of shards for a model.
    ///
    /// # Errors
    /// If they are not the model's samples.
    pub(crate) fn of_shards(shards: Shards, model: &Model) -> Result<Pieces> {
        let folder = shards.folder().display();
        let invalid = |message: String| Err(Error::new(ErrorKind::InvalidData, message));
        if shards.features() != model.features() {
            return invalid(format!(
                "{folder}: its samples are {}, but the model takes {}: use data like the training data",
                shape(shards.sample_shape()),
                shape(&model.sample_shape)
            ));
        }
        let names = |columns: Option<&Columns>| {
            let names = columns?.feature_names()?;
            Some(names.into_iter().map(str::to_owned).collect::<Vec<_>>())
        };
        // Unlike those of a table in text, the columns of shards are not put in order.
        if let (Some(found), Some(wanted)) =
            (names(shards.columns()), names(model.columns.as_ref()))
            && let Some((found, wanted)) =
                found.iter().zip(&wanted).find(|(one, other)| one != other)
        {
            return invalid(format!(
                "{folder}: it has the column '{found}' where the model takes '{wanted}': pack the columns of the training data in \
                 their order"
            ));
        }
        let (is_image, range) = (model.image_size().is_some(), shards.sums().range());
        let is_bytes = shards.type_name() == "uint8";
        if is_image && !is_bytes && model.inputs.values == ValueRange::Bytes && range.1 <= 1.0 {
            return invalid(format!(
                "{folder}: its images have numbers from 0 to 1, but the model was trained on grey levels from 0 to 255: \
                 pack the images as bytes"
            ));
        }
        let divides =
            is_image && is_bytes && model.inputs.values == ValueRange::Unit && range.1 > 1.0;
        if divides {
            warn(format_args!(
                "{folder}: the model was trained on numbers from 0 to 1: grey levels are divided by 255"
            ));
        }
        Ok(Pieces { source: Source::Shards(shards.into()), divides })
    }

    /// Checks that all ranks have the same samples: shards by the digest of their index, an array by the length of its file;
    /// its samples are compared when they are read ([`Self::each_inputs`]).
    ///
    /// # Errors
    /// Those of [`Ranks::compare`].
    pub(crate) fn compare(&self, ranks: &Ranks) -> Result<()> {
        let what = match &self.source {
            Source::Shards(shards) => shards.digest().all.clone(),
            Source::Rows(rows) => rows.length().to_string(),
        };
        ranks.compare(&[("samples", what.as_bytes(), REMEDY)])
    }

    /// Number of samples.
    pub(crate) fn samples(&self) -> usize {
        match &self.source {
            Source::Shards(shards) => shards.samples(),
            Source::Rows(rows) => rows.samples(),
        }
    }

    /// Bytes of the file, if it is a single one.
    pub(crate) fn file_length(&self) -> Option<u64> {
        match &self.source {
            Source::Shards(_) => None,
            Source::Rows(rows) => Some(rows.length()),
        }
    }

    /// Hands the inputs of all samples to `take`, piece by piece; those of an array once all ranks have read the same.
    ///
    /// # Errors
    /// Those of reading, of [`Ranks::compare`] and of `take`.
    pub(crate) fn each_inputs(
        &self,
        model: &Model,
        ranks: &Ranks,
        mut take: impl FnMut(Inputs) -> Result<()>,
    ) -> Result<()> {
        let (read, row_bytes): (&(dyn Fn(Range<usize>) -> Result<Inputs> + Sync), _) =
            match &self.source {
                Source::Shards(shards) => (&|rows| shards.inputs(rows), shards.row_bytes()),
                Source::Rows(file) => (
                    &|rows| {
                        Ok(match file.read(rows)?.values {
                            Values::U8(bytes) => Inputs::Bytes(bytes),
                            other => Inputs::Floats(other.to_f32()),
                        })
                    },
                    file.row_bytes(),
                ),
            };
        let is_array = matches!(self.source, Source::Rows(_));
        each(self.samples(), row_bytes, read, &mut |inputs| {
            if is_array && !ranks.is_alone() {
                ranks.compare(&[("samples", &bytes_of(&inputs), REMEDY)])?;
            }
            take(self.scaled(inputs, model)?)
        })
    }

    /// Hands all samples of shards with their targets to `take`, piece by piece.
    ///
    /// # Errors
    /// Those of reading and of `take`; `InvalidArgument` for an array, which has no targets.
    pub(crate) fn each_samples(
        &self,
        model: &Model,
        mut take: impl FnMut(Dataset) -> Result<()>,
    ) -> Result<()> {
        let Source::Shards(shards) = &self.source else {
            return Err(Error::argument("an array has no targets"));
        };
        let read = |rows| shards.read(rows);
        each(self.samples(), shards.row_bytes(), read, &mut |mut data| {
            data.inputs = self.scaled(data.inputs, model)?;
            take(data)
        })
    }

    fn scaled(&self, inputs: Inputs, model: &Model) -> Result<Inputs> {
        match inputs {
            Inputs::Bytes(levels) if self.divides => model.inputs.image(levels),
            inputs => Ok(inputs),
        }
    }
}

/// What inputs of an array are compared by.
fn bytes_of(inputs: &Inputs) -> Cow<'_, [u8]> {
    match inputs {
        Inputs::Bytes(bytes) => bytes.into(),
        Inputs::Floats(values) => values.iter().flat_map(|it| it.to_le_bytes()).collect(),
        // An array becomes nothing else.
        _ => Cow::default(),
    }
}

/// Reads samples of `row_bytes` bytes piece by piece, each while `take` has the one before.
///
/// # Errors
/// Those of reading and of `take`.
pub(crate) fn each<T: Send>(
    samples: usize,
    row_bytes: usize,
    read: impl Fn(Range<usize>) -> Result<T> + Sync,
    take: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let rows = (PIECE / row_bytes.max(1) / BLOCK).max(1) * BLOCK;
    thread::scope(|scope| {
        // One piece waits, one is being read, one is being used.
        let (sender, receiver) = sync_channel(1);
        let read = &read;
        scope.spawn(move || {
            for first in (0..samples).step_by(rows) {
                let piece = read(first..(first + rows).min(samples));
                let is_last = piece.is_err();
                // Nobody waits for more where one piece could not be used.
                if sender.send(piece).is_err() || is_last {
                    return;
                }
            }
        });
        receiver.into_iter().try_for_each(|piece| take(piece?))
    })
}

/// Whether the rows of an array become inputs of the model one by one, whatever the others are.
fn is_row_by_row(rows: &RowFile, model: &Model) -> bool {
    let is_whole = rows.sample_shape().iter().product::<usize>() == model.features()
        && !rows.sample_shape().is_empty();
    let takes_shares = model.inputs.values == ValueRange::Unit && model.image_size().is_some();
    is_whole
        && model.transform.schema().is_none()
        && match rows.kind() {
            // Whether they are grey levels or only 0 and 1.
            RowKind::Bytes => !takes_shares,
            RowKind::Floats => {
                model.image_size().is_none() && image_shape(rows.sample_shape()).is_none()
            }
            RowKind::Others => false,
        }
}
