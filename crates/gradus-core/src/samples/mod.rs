//! Samples: inputs as rows of bytes, floats or sparse values, or as typed columns, in memory or left where they are stored
//! (`stream.rs`), and the target of each sample.
//!
//! In: numbers, from a program or a reader of files. Out: a checked [`Dataset`], and how it is divided:
//! into parts ([`split`]) and into the batches of an epoch (`batches.rs`).

mod columns;
mod precision;
mod targets;
mod sparse;
mod permute;
mod table;
mod digest;
mod sums;
mod classes;
mod cells;
pub mod source;
pub mod split;
pub(crate) mod blocks;
mod deal;
pub mod stream;
mod streamed;
pub(crate) mod batches;

pub use batches::Shuffle;
pub use cells::Cell;
pub use columns::{Columns, DateOrder, GAP_SPELLINGS};
pub use deal::folds;
pub use digest::{DataDigest, DigestOfParts};
pub use precision::{Precision, blurred_targets, needs_doubles};
pub use source::{MOST_SAMPLES, Subset};
pub use sparse::SparseRows;
pub use stream::Source;
pub use streamed::Streamed;
pub use sums::Sums;
pub(crate) use table::is_infinite;
pub use table::{ColumnType, RawColumn, RawValue, TEXT_GAP, TIME_GAP, Table};
pub use targets::{Targets, Task};

use crate::error::{Result, invalid};
use targets::rows_at;

/// Samples as rows: bytes stay bytes (images), everything else is `f32`, dense or sparse.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Raw values 0..=255, `samples x features`, row-major.
    Bytes(Vec<u8>),
    /// `samples x features`, row-major.
    Floats(Vec<f32>),
    /// `samples x features`, row-major, where single precision would lose what tells samples apart
    /// ([`Inputs::of_doubles`]).
    Doubles(Vec<f64>),
    /// The values other than 0. No file is read so: they come from programs.
    Sparse(SparseRows),
    /// Raw columns of a table, each of its own type, with gaps.
    Table(Table),
    /// Rows that are not in memory: they are read when they are asked for.
    Streamed(Streamed),
}

/// Samples as rows, borrowed: the whole of [`Inputs`] or values from elsewhere.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rows<'a> {
    /// Raw values 0..=255, row-major.
    Bytes(&'a [u8]),
    /// Row-major.
    Floats(&'a [f32]),
    /// Row-major.
    Doubles(&'a [f64]),
    /// The values other than 0.
    Sparse(&'a SparseRows),
    /// Raw columns.
    Table(&'a Table),
    /// Rows that are not in memory.
    Streamed(&'a Streamed),
}

impl<'a> From<&'a Inputs> for Rows<'a> {
    fn from(inputs: &'a Inputs) -> Rows<'a> {
        inputs.rows()
    }
}

impl Rows<'_> {
    /// Number of values, zeros counted.
    pub fn len(&self) -> usize {
        match self {
            Rows::Bytes(values) => values.len(),
            Rows::Floats(values) => values.len(),
            Rows::Doubles(values) => values.len(),
            // More than can be counted are too many for any set.
            Rows::Sparse(rows) => rows.len().saturating_mul(rows.features()),
            Rows::Table(table) => table.rows().saturating_mul(table.columns().len()),
            Rows::Streamed(rows) => rows.samples().saturating_mul(rows.features()),
        }
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first value that is NaN or infinite (in typed columns NaN is a gap), its sample and its feature, of `features` each.
    pub fn not_finite(&self, features: usize) -> Option<(f64, (usize, usize))> {
        match self {
            Rows::Bytes(_) => None,
            Rows::Floats(values) => {
                let at = first_not_finite(values, |value| value.is_finite())?;
                Some((values[at].into(), (at / features, at % features)))
            }
            Rows::Doubles(values) => {
                // What is not finite in single precision cannot be computed with.
                let at = first_not_finite(values, |value| (value as f32).is_finite())?;
                Some((values[at], (at / features, at % features)))
            }
            Rows::Sparse(rows) => {
                let at = first_not_finite(rows.values(), |value| value.is_finite())?;
                Some((rows.values()[at].into(), rows.place(at)))
            }
            // Gaps are no error there.
            Rows::Table(table) => table.not_finite(),
            // They are checked when they are read.
            Rows::Streamed(_) => None,
        }
    }

    /// What the values are, in the plural.
    pub fn kind(&self) -> &'static str {
        match self {
            Rows::Bytes(_) => "bytes",
            Rows::Floats(_) => "floats",
            Rows::Doubles(_) => "double-precision floats",
            Rows::Sparse(_) => "values in sparse rows",
            Rows::Table(_) => "values in typed columns",
            Rows::Streamed(rows) => rows.kind().kind(),
        }
    }

    /// Bytes of a value, as far as the order of blocks is concerned: it does not tell doubles from floats.
    pub(crate) fn bytes_of_value(&self) -> usize {
        match self {
            Rows::Bytes(_) => 1,
            Rows::Streamed(rows) => rows.kind().bytes_of_value(),
            _ => 4,
        }
    }
}

/// Place of the first value that is NaN or infinite.
fn first_not_finite<T: Copy>(values: &[T], is_finite: impl Fn(T) -> bool) -> Option<usize> {
    // No way out within a block, so that the compiler can take many values at a time.
    let sound = |block: &[T]| block.iter().fold(true, |all, &value| all & is_finite(value));
    let block = values.chunks(256).position(|block| !sound(block))?;
    let at = values[block * 256..].iter().position(|&value| !is_finite(value))?;
    Some(block * 256 + at)
}

/// Samples and their targets: what every reader produces and everything else consumes.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// `samples x features`, row-major.
    pub inputs: Inputs,
    /// What is to be predicted for each sample.
    pub targets: Targets,
    /// Shape of one sample: `[28, 28]` for an image, `[features]` for a table.
    pub sample_shape: Vec<usize>,
    /// Factor of each sample's training loss; none for 1. [`Dataset::with_sample_weights`] sets it.
    pub sample_weights: Option<Vec<f32>>,
    /// The columns of the table that the samples come from; none for anything but tables.
    pub columns: Option<Columns>,
}

impl Dataset {
    /// Checks the lengths and labels and builds a set of samples in classes.
    ///
    /// # Errors
    /// As [`Dataset::with_targets`].
    pub fn new(
        inputs: Inputs,
        labels: Vec<u32>,
        sample_shape: Vec<usize>,
        class_names: Vec<String>,
    ) -> Result<Self> {
        let targets = Targets::Classes { labels, names: class_names };
        Dataset::with_targets(inputs, targets, sample_shape)
    }

    /// Checks the lengths and targets and builds the set.
    ///
    /// # Errors
    /// `InvalidData` if the inputs are not `targets.samples() x product(sample_shape)`, a label
    /// is out of range, a float is not finite, or there is no sample, class or value.
    pub fn with_targets(
        inputs: Inputs,
        targets: Targets,
        sample_shape: Vec<usize>,
    ) -> Result<Self> {
        let features: usize = sample_shape.iter().product();
        let (samples, outputs) = (targets.samples(), targets.outputs());
        if samples == 0 || outputs == 0 || features == 0 {
            let with_outputs = targets.task().with(outputs);
            return Err(invalid(format!(
                "no data: {samples} samples of {features} values {with_outputs}"
            )));
        }
        let found = inputs.len();
        if samples.checked_mul(features) != Some(found) {
            return Err(invalid(format!(
                "{found} values do not make {samples} samples of shape {sample_shape:?}"
            )));
        }
        targets.check()?;
        if let Some((value, (sample, _))) = inputs.rows().not_finite(features) {
            return Err(invalid(format!(
                "value {value} in sample {sample} is not a finite number"
            )));
        }
        Ok(Dataset { inputs, targets, sample_shape, sample_weights: None, columns: None })
    }

    /// The same samples, their training losses multiplied by these factors.
    ///
    /// # Errors
    /// `InvalidData` if there is not one factor for each sample, one is negative or not finite,
    /// or all are 0.
    pub fn with_sample_weights(mut self, weights: Vec<f32>) -> Result<Self> {
        let (found, samples) = (weights.len(), self.len());
        if found != samples {
            return Err(invalid(format!(
                "{found} sample weights for {samples} samples; expected one for each"
            )));
        }
        if let Some(at) = weights.iter().position(|&w| !w.is_finite() || w < 0.0) {
            let weight = weights[at];
            return Err(invalid(format!(
                "the weight of sample {at} is {weight}; expected a finite number of at least 0"
            )));
        }
        if weights.iter().all(|&weight| weight == 0.0) {
            return Err(invalid("all sample weights are 0: there is nothing to learn from"));
        }
        self.sample_weights = Some(weights);
        Ok(self)
    }

    /// The same samples, of a table with these columns.
    ///
    /// # Errors
    /// `InvalidArgument` if the columns do not make the samples' number of features.
    pub fn with_columns(mut self, columns: Columns) -> Result<Self> {
        columns.check(self.features())?;
        self.columns = Some(columns);
        Ok(self)
    }

    /// The samples at `indices`, in that order.
    pub fn subset(&self, indices: &[usize]) -> Dataset {
        Dataset {
            inputs: self.inputs.subset(self.features(), indices),
            targets: self.targets.subset(indices),
            sample_shape: self.sample_shape.clone(),
            sample_weights: self
                .sample_weights
                .as_ref()
                .map(|weights| indices.iter().map(|&i| weights[i]).collect()),
            columns: self.columns.clone(),
        }
    }

    /// The class of each sample; empty where targets are values.
    pub fn labels(&self) -> &[u32] {
        match &self.targets {
            Targets::Classes { labels, .. } => labels,
            Targets::Labels { .. } | Targets::Values { .. } => &[],
        }
    }

    /// The names of the classes; empty where targets are values.
    pub fn class_names(&self) -> &[String] {
        match &self.targets {
            Targets::Classes { names, .. } => names,
            Targets::Labels { .. } | Targets::Values { .. } => &[],
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.targets.samples()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The raw values of one sample; of typed columns the index of a text, the seconds of a time, NaN for a gap; NaN for what
    /// cannot be read from where it is. Panics where there is no such sample.
    pub fn sample(&self, index: usize) -> Vec<f32> {
        let range = index * self.features()..(index + 1) * self.features();
        match &self.inputs {
            Inputs::Bytes(values) => values[range].iter().map(|&byte| byte.into()).collect(),
            Inputs::Floats(values) => values[range].to_vec(),
            Inputs::Doubles(values) => values[range].iter().map(|&value| value as f32).collect(),
            Inputs::Sparse(rows) => rows.dense_row(index),
            Inputs::Table(table) => table.row_as_numbers(index),
            Inputs::Streamed(rows) => rows.row(index),
        }
    }

    /// Values in one sample.
    pub fn features(&self) -> usize {
        self.sample_shape.iter().product()
    }
}

impl Inputs {
    /// Samples of `features` numbers: floats, unless single precision would blur them. A column whose values
    /// lie close together and far from 0, such as seconds since 1970, is kept in double precision with all
    /// others, so that its mean can be taken off before it is rounded.
    pub fn of_doubles(values: Vec<f64>, features: usize) -> Inputs {
        match precision::needs_doubles(&values, features) {
            true => Inputs::Doubles(values),
            false => Inputs::Floats(values.into_iter().map(|value| value as f32).collect()),
        }
    }

    /// All of them, borrowed.
    pub fn rows(&self) -> Rows<'_> {
        match self {
            Inputs::Bytes(values) => Rows::Bytes(values),
            Inputs::Floats(values) => Rows::Floats(values),
            Inputs::Doubles(values) => Rows::Doubles(values),
            Inputs::Sparse(rows) => Rows::Sparse(rows),
            Inputs::Table(table) => Rows::Table(table),
            Inputs::Streamed(rows) => Rows::Streamed(rows),
        }
    }

    /// Adds other dense rows or raw columns of the same kind, and says whether they are of it and have so many values.
    pub(crate) fn append(&mut self, other: &Inputs, values: usize) -> bool {
        match (self, other) {
            (Inputs::Bytes(all), Inputs::Bytes(more)) => all.extend_from_slice(more),
            (Inputs::Floats(all), Inputs::Floats(more)) => all.extend_from_slice(more),
            (Inputs::Doubles(all), Inputs::Doubles(more)) => all.extend_from_slice(more),
            (Inputs::Table(all), Inputs::Table(more)) => {
                return other.len() == values && all.append(more);
            }
            _ => return false,
        }
        other.len() == values
    }

    /// Rows of the same kind: of those that are not in memory the first one.
    pub(crate) fn kind(&self) -> Rows<'_> {
        match self {
            Inputs::Streamed(rows) => rows.kind(),
            _ => self.rows(),
        }
    }

    /// The samples at `indices`, in that order, of samples of so many features.
    pub fn subset(&self, features: usize, indices: &[usize]) -> Inputs {
        match self {
            Inputs::Bytes(values) => Inputs::Bytes(rows_at(values, features, indices)),
            Inputs::Floats(values) => Inputs::Floats(rows_at(values, features, indices)),
            Inputs::Doubles(values) => Inputs::Doubles(rows_at(values, features, indices)),
            Inputs::Sparse(rows) => Inputs::Sparse(rows.subset(indices)),
            Inputs::Table(table) => Inputs::Table(table.subset(indices)),
            Inputs::Streamed(rows) => Inputs::Streamed(rows.pick(indices)),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// From this side length on, a table of bytes whose width is a square is a table of images.
const MIN_IMAGE_SIDE: usize = 8;

/// The shape of an image for samples of this shape: `[side, side]` for a row of `side * side`
/// values with `side` at least 8, the shape itself where it has two dimensions or more.
pub fn image_shape(sample_shape: &[usize]) -> Option<Vec<usize>> {
    match *sample_shape {
        [features] => {
            let side = features.isqrt();
            (side >= MIN_IMAGE_SIDE && side * side == features).then(|| vec![side, side])
        }
        _ => Some(sample_shape.to_vec()),
    }
}
