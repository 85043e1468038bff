//! The data of a run: training samples, and validation samples if there are any.

use crate::samples::{DataDigest, Dataset, Subset};

/// What a run learns from and what it is validated on, borrowed for one call. Every call of a run is given
/// the same.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// The training samples.
    pub train: Subset<'a>,
    /// The validation samples.
    pub validation: Option<Subset<'a>>,
}

impl<'a> From<&'a Dataset> for Data<'a> {
    fn from(train: &'a Dataset) -> Data<'a> {
        Data { train: train.into(), validation: None }
    }
}

impl<'a> From<(&'a Dataset, Option<&'a Dataset>)> for Data<'a> {
    fn from((train, validation): (&'a Dataset, Option<&'a Dataset>)) -> Data<'a> {
        Data { train: train.into(), validation: validation.map(Subset::from) }
    }
}

impl Data<'_> {
    /// Digests of the training data and of the validation data, if there are any.
    pub(super) fn digests(&self) -> [Option<DataDigest>; 2] {
        [Some(self.train.digest()), self.validation.map(|it| it.digest())]
    }
}

/// The digest of all of a set; empty if there is none.
pub(super) fn whole(set: &Option<DataDigest>) -> String {
    set.as_ref().map(|digest| digest.all.clone()).unwrap_or_default()
}
