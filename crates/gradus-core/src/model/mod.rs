//! Models: a network and everything that its predictions depend on. They are what is saved, and what
//! predicts.
//!
//! [`Model`] is the whole; [`Classifier`] and [`Regressor`] are views of it. [`Predictor`] is its form
//! for many single predictions, [`Explanation`] what one prediction comes from, [`Provenance`] how it
//! was trained, [`Intervals`] how far its values are from the truth, [`InputKind`] which raw values it takes. `forward.rs` takes samples through the network, for these and for training's
//! validation; `shared.rs` shares them among ranks.
//!
//! About columns of tables: [`Importances`] says how much worse predictions are without one, [`PartialDependence`] how they
//! change along it, [`Contributions`] what each adds to one prediction.

mod classifier;
mod contributions;
mod explain;
mod forward;
mod importance;
mod inputs;
mod intervals;
mod labels;
mod outputs;
mod partial_dependence;
mod parts;
mod predictor;
mod provenance;
mod regressor;
mod shared;
mod slopes;

pub use classifier::{Classifier, Predictions};
pub use contributions::Contributions;
pub use explain::Explanation;
pub use importance::{ColumnImportance, Importance, ImportanceSettings, Importances, Score};
pub use inputs::{InputKind, ValueRange};
pub use intervals::Intervals;
pub use labels::LabelResults;
pub use outputs::Outputs;
pub use partial_dependence::{DependenceSettings, PartialDependence};
pub use parts::{Check, MOST_MEMBERS, Model};
pub use predictor::Predictor;
pub use provenance::{Provenance, SampleCounts};
pub use regressor::{PredictedValues, Regressor};

use crate::engine::cpu::{Density, kernels};
use crate::samples::Subset;
use crate::transform::Transform;

/// Whether training on these inputs skips the zeros of the first layer's product instead of
/// multiplying by them: this is so for bytes, floats that were bytes, and sparse rows, if at least half
/// of them are 0.
pub fn skips_zeros<'a>(transform: &Transform, data: impl Into<Subset<'a>>) -> bool {
    let data = data.into();
    kernels().is_ok_and(|kernels| Density::for_training(kernels, transform, &data, 1).0.is_sparse())
}
