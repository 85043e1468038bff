//! What training and evaluation read samples from: a data set, or some of its samples by number, without
//! a copy.
//!
//! In: a [`Dataset`] and, for a part of it, the numbers of its samples. Out: a [`Subset`], in which
//! samples are counted from 0 in the order of these numbers.

use std::borrow::Cow;

use super::{Dataset, Rows};
use crate::error::{Error, Result, invalid};

/// Most samples of a data set: batches and subsets hold their numbers as 32-bit integers.
pub const MOST_SAMPLES: usize = u32::MAX as usize;

/// Checks that samples can be numbered.
///
/// # Errors
/// `InvalidArgument` for more than [`MOST_SAMPLES`].
pub(crate) fn check_count(samples: usize) -> Result<()> {
    match samples <= MOST_SAMPLES {
        true => Ok(()),
        false => Err(Error::argument(format!(
            "{samples} samples are more than the {MOST_SAMPLES} that a run can take: use a part of \
             them"
        ))),
    }
}

/// All samples of a data set or some of them, in any order; the data are borrowed.
#[derive(Debug, Clone, Copy)]
pub struct Subset<'a> {
    data: &'a Dataset,
    /// None for all samples in their order.
    indices: Option<&'a [u32]>,
}

impl<'a> From<&'a Dataset> for Subset<'a> {
    fn from(data: &'a Dataset) -> Subset<'a> {
        Subset { data, indices: None }
    }
}

impl<'a> Subset<'a> {
    /// The samples of `data` at `indices`, in that order.
    ///
    /// # Errors
    /// `InvalidData` if there is no sample at an index, or no index at all.
    pub fn new(data: &'a Dataset, indices: &'a [u32]) -> Result<Subset<'a>> {
        let samples = data.len();
        if let Some(index) = indices.iter().find(|&&index| index as usize >= samples) {
            return Err(invalid(format!("there is no sample {index} among {samples}")));
        }
        if indices.is_empty() {
            return Err(invalid("no data: a subset without samples"));
        }
        Ok(Subset { data, indices: Some(indices) })
    }

    /// The data set. Its shape, names and kinds of values are those of the subset; its number of
    /// samples and their order are not.
    pub fn data(&self) -> &'a Dataset {
        self.data
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.indices.map_or(self.data.len(), <[u32]>::len)
    }

    /// Whether there is no sample; never so.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Values in one sample.
    pub fn features(&self) -> usize {
        self.data.features()
    }

    /// Bytes of a sample, as it lies in memory; what would be zeros counts, too.
    pub(crate) fn row_bytes(&self) -> usize {
        self.rows().bytes_of_value() * self.features()
    }

    /// Whether these are all samples in their order.
    pub(crate) fn is_whole(&self) -> bool {
        self.indices.is_none()
    }

    /// The number that sample `at` of this subset has in the data set.
    #[inline]
    pub fn index(&self, at: usize) -> usize {
        self.indices.map_or(at, |indices| indices[at] as usize)
    }

    /// The numbers of all samples in the data set, in order.
    pub fn indices(&self) -> impl ExactSizeIterator<Item = usize> + Clone + use<'a> {
        let subset = *self;
        (0..self.len()).map(move |at| subset.index(at))
    }

    /// The labels of the samples in their order; empty in regression.
    pub fn labels(&self) -> Cow<'a, [u32]> {
        let labels = self.data.labels();
        match self.indices {
            Some(_) if !labels.is_empty() => {
                self.indices().map(|index| labels[index]).collect::<Vec<_>>().into()
            }
            _ => labels.into(),
        }
    }

    /// The dense values of the samples, row after row: one slice for whole data, one for each sample of a
    /// subset. None for sparse rows, and for values of another type.
    pub(crate) fn rows_of<T>(&self, values: &'a [T]) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        let (whole, width) = (self.indices.is_none(), self.features());
        let subset = *self;
        let rows = if whole { 1 } else { self.len() };
        (0..rows).map(move |at| match whole {
            true => values,
            false => &values[subset.index(at) * width..][..width],
        })
    }

    /// Number of values, zeros counted.
    pub(crate) fn values(&self) -> usize {
        self.len().saturating_mul(self.features())
    }

    /// The rows of the data set that the samples are among.
    pub fn rows(&self) -> Rows<'a> {
        self.data.inputs.rows()
    }

    /// A data set of these samples alone, copied.
    pub fn to_dataset(&self) -> Dataset {
        match self.indices {
            None => self.data.clone(),
            Some(_) => self.data.subset(&self.indices().collect::<Vec<_>>()),
        }
    }
}
