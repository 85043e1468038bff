//! The two kinds of input of the first layer: sparse, whose zeros are skipped, and dense.
//!
//! In: samples as bytes, floats or sparse rows, and their normalisation. Out: which kind they are
//! ([`Density`]), and single samples in the form that the kind takes.

use std::sync::atomic::{AtomicBool, Ordering};

use gradus_kernels::Kernels;
use gradus_kernels::threads::in_parts;

use crate::engine::cpu::linear::InputScale;
use crate::engine::cpu::passes::SharedTile;
use crate::samples::Rows;
use crate::transform::Transform;

/// Share of zeros from which it is worth skipping them in training.
const SPARSE_FROM: f64 = 0.5;

/// How the first layer takes its inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Density {
    /// Bytes and sparse rows, normalised inside the product, which skips their zeros.
    Sparse(InputScale),
    /// Everything else, normalised beforehand.
    Dense,
}

impl Density {
    /// The way for predictions. It depends on the kind of inputs alone, so that the result for a
    /// sample does not depend on those beside it.
    pub(crate) fn of(transform: &Transform, inputs: Rows) -> Density {
        match (transform.as_scalar(), inputs) {
            (Some((mean, std)), Rows::Bytes(_) | Rows::Sparse(_)) => {
                Density::Sparse(InputScale::new(mean, std))
            }
            _ => Density::Dense,
        }
    }

    /// The faster way for training on these inputs; with bytes that are to be taken in their place
    /// where they are floats that were bytes, which up to `threads` threads find out.
    pub(crate) fn for_training(
        kernels: Kernels,
        transform: &Transform,
        inputs: Rows,
        threads: usize,
    ) -> (Density, Option<Vec<u8>>) {
        match (transform.as_scalar(), inputs) {
            (_, Rows::Bytes(values)) if share_of_zeros(values) >= SPARSE_FROM => {
                (Density::of(transform, inputs), None)
            }
            (_, Rows::Sparse(rows)) => {
                let kept = rows.values().len() as f64 / inputs.len().max(1) as f64;
                let density = if 1.0 - kept >= SPARSE_FROM {
                    Density::of(transform, inputs)
                } else {
                    Density::Dense
                };
                (density, None)
            }
            (Some((mean, std)), Rows::Floats(values)) if share_of_zeros(values) >= SPARSE_FROM => {
                match were_bytes(kernels, values, threads) {
                    Some((bytes, steps)) => {
                        let scale = InputScale::new(mean * steps, std * steps);
                        (Density::Sparse(scale), Some(bytes))
                    }
                    None => (Density::Dense, None),
                }
            }
            _ => (Density::Dense, None),
        }
    }

    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self, Density::Sparse(_))
    }
}

/// The bytes that floats once were, and how many steps of a byte make 1: 1 for raw bytes, 255 for bytes
/// divided by 255. None where they were no bytes.
fn were_bytes(kernels: Kernels, values: &[f32], threads: usize) -> Option<(Vec<u8>, f32)> {
    [1.0, 255.0].into_iter().find_map(|steps| {
        let (mut bytes, sound) = (vec![0; values.len()], AtomicBool::new(true));
        in_parts(threads, values, &mut bytes, |values, bytes| {
            if !kernels.to_bytes(values, steps, bytes) {
                sound.store(false, Ordering::Relaxed);
            }
        });
        sound.into_inner().then_some((bytes, steps))
    })
}

/// Share of zeros in a sample of at most some 100,000 values.
fn share_of_zeros<T: Copy + Default + PartialEq>(values: &[T]) -> f64 {
    // An odd step meets every column of an image in turn.
    let step = (values.len() / 100_000).max(1) | 1;
    let (mut zeros, mut seen) = (0u64, 0u64);
    for &value in values.iter().step_by(step) {
        zeros += u64::from(value == T::default());
        seen += 1;
    }
    zeros as f64 / seen.max(1) as f64
}

/// Fills `tile` with the samples `indices` of bytes or sparse rows, `sorted` where a gradient will
/// follow.
pub(crate) fn fill_tile(
    kernels: Kernels,
    tile: &SharedTile,
    inputs: Rows,
    features: usize,
    indices: impl ExactSizeIterator<Item = u32> + Clone,
    sorted: bool,
) {
    let mut tile = tile.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    match inputs {
        Rows::Bytes(values) => {
            let row = |index: u32| &values[index as usize * features..][..features];
            tile.fill(kernels, features, indices.map(row), sorted);
        }
        Rows::Sparse(rows) => {
            tile.fill_pairs(features, indices.map(|index| rows.row(index as usize)), sorted);
        }
        // These are dense always.
        Rows::Floats(_) => {}
    }
}
