//! Whether all ranks train the same model: what the bits of a run depend on, compared before its first step.

use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::model::Model;
use crate::training::config::TrainConfig;
use crate::training::data::{Data, whole};

/// Compares this rank with the others; `begun` are the epochs that the run has made, with `model`.
///
/// # Errors
/// `InvalidArgument` with the number of the first rank that differs from rank 0, in what, and what to do; it is the same on
/// all ranks.
pub(super) fn check(
    ranks: &Ranks,
    config: &TrainConfig,
    data: &Data,
    (model, begun): (&Model, usize),
) -> Result<()> {
    if ranks.is_alone() {
        return Ok(());
    }
    // The number of threads changes no result.
    let settings = TrainConfig { threads: None, ..config.clone() };
    let settings =
        serde_json::to_string(&settings).map_err(|error| Error::argument(error.to_string()))?;
    let [train, validation] = data.digests();
    let parameters = model.network.parameters().iter().flat_map(|value| value.to_le_bytes());
    let start: Vec<u8> = parameters.chain(begun.to_le_bytes()).collect();
    let (train, validation) = (whole(&train), whole(&validation));
    ranks.compare(&[
        ("settings", settings.as_bytes(), "start all ranks with the same command"),
        ("training data", train.as_bytes(), "give all ranks the same data"),
        ("validation data", validation.as_bytes(), "give all ranks the same validation data"),
        ("network or checkpoint to begin with", &start, "give all ranks the same file"),
    ])
}
