//! Whether all ranks train the same model: what the bits of a run depend on, compared before its first step.

use sha2::{Digest, Sha256};

use crate::engine::cpu::kernels;
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
    let compared: [(&str, Vec<u8>, &str); 6] = [
        (
            "version of gradus",
            env!("CARGO_PKG_VERSION").into(),
            "install the same version everywhere",
        ),
        (
            "instruction set",
            kernels()?.isa().name().into(),
            "set the environment variable GRADUS_ISA=avx2 (the one that all machines have) on all ranks",
        ),
        ("settings", settings.into(), "start all ranks with the same command"),
        ("training data", whole(&train).into(), "give all ranks the same data"),
        ("validation data", whole(&validation).into(), "give all ranks the same validation data"),
        (
            "network or checkpoint to begin with",
            parameters.chain(begun.to_le_bytes()).collect(),
            "give all ranks the same file",
        ),
    ];
    let own: Vec<u8> = compared.iter().flat_map(|(_, value, _)| Sha256::digest(value)).collect();
    let all = ranks.gather(&own)?;
    let (first, length) = (&all[..own.len()], own.len() / compared.len());
    for (rank, other) in all.chunks_exact(own.len()).enumerate() {
        for (at, (what, _, remedy)) in compared.iter().enumerate() {
            let place = at * length..(at + 1) * length;
            if first[place.clone()] != other[place] {
                return Err(Error::argument(format!(
                    "rank {rank} does not have the {what} of rank 0: {remedy}"
                )));
            }
        }
    }
    Ok(())
}
