//! The data of a run: training samples, and validation samples if there are any.

use crate::samples::{Dataset, Subset};

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
    /// SHA-256 of the training data and of the validation data, empty if there are none.
    pub(super) fn digests(&self) -> [String; 2] {
        [self.train.sha256(), self.validation.map(|it| it.sha256()).unwrap_or_default()]
    }
}
