//! The two kinds of input of the first layer: sparse, whose zeros are skipped, and dense.
//!
//! In: samples as bytes, floats or sparse rows, and their normalization. Out: which kind they are
//! ([`Density`]), and single samples in the form that the kind takes.

use std::sync::atomic::{AtomicBool, Ordering};

use gradus_kernels::Kernels;
use gradus_kernels::threads::in_parts;

use crate::engine::cpu::linear::InputScale;
use crate::engine::cpu::passes::SharedTile;
use crate::error::Result;
use crate::network::Network;
use crate::regularization::Regularization;
use crate::samples::{Inputs, Rows, Subset};
use crate::transform::Transform;

/// Share of zeros from which it is worth skipping them in training.
const SPARSE_FROM: f64 = 0.5;

/// How the first layer takes its inputs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Density {
    /// Bytes and sparse rows, normalized inside the product, which skips their zeros.
    Sparse(InputScale),
    /// Everything else, normalized beforehand.
    Dense,
}

impl Density {
    /// The way for predictions of `network`, whose columns take dense rows.
    pub(crate) fn for_predictions(
        network: &Network,
        transform: &Transform,
        inputs: Rows,
    ) -> Density {
        match network.columns() {
            Some(_) => Density::Dense,
            None => Density::of(transform, inputs),
        }
    }

    /// The way for predictions. It depends on the kind of inputs alone, so that the result for a
    /// sample does not depend on those beside it.
    fn of(transform: &Transform, inputs: Rows) -> Density {
        match (transform.as_scalar(), inputs) {
            (Some((mean, std)), Rows::Bytes(_) | Rows::Sparse(_)) => {
                Density::Sparse(InputScale::new(mean, std))
            }
            _ => Density::Dense,
        }
    }

    /// The faster kind for training on these samples. If they are floats that were bytes, which up to
    /// `threads` threads find out, it comes with the bytes to take in their place.
    pub(crate) fn for_training(
        kernels: Kernels,
        transform: &Transform,
        data: &Subset,
        threads: usize,
    ) -> (Density, Option<Vec<u8>>) {
        match (transform.as_scalar(), data.rows()) {
            (_, inputs @ Rows::Bytes(values)) if share_of_zeros(data, values) >= SPARSE_FROM => {
                (Density::of(transform, inputs), None)
            }
            (_, inputs @ Rows::Sparse(rows)) => {
                let pairs: usize = data.indices().map(|index| rows.row(index).0.len()).sum();
                let zeros = 1.0 - pairs as f64 / data.values().max(1) as f64;
                match zeros >= SPARSE_FROM {
                    true => (Density::of(transform, inputs), None),
                    false => (Density::Dense, None),
                }
            }
            (Some((mean, std)), Rows::Floats(values))
                if share_of_zeros(data, values) >= SPARSE_FROM =>
            {
                match were_bytes(kernels, data, values, threads) {
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

    /// The kind for training in an order of blocks: the same whether the samples are in memory or not, because it depends
    /// on the whole data set, whose sums are known, and floats stay floats.
    ///
    /// # Errors
    /// Those of reading samples that are not in memory.
    pub(crate) fn of_all(transform: &Transform, data: &Subset) -> Result<Density> {
        let data = Subset::from(data.data());
        let kind = data.data().inputs.kind();
        let zeros = match (data.rows(), kind) {
            (Rows::Bytes(values), _) => {
                let zeros = |row: &[u8]| row.iter().filter(|&&value| value == 0).count();
                data.rows_of(values).map(zeros).sum()
            }
            (Rows::Streamed(_), Rows::Bytes(_)) => data.sums()?.zeros().unwrap_or(0) as usize,
            (Rows::Sparse(rows), _) => {
                data.values() - data.indices().map(|index| rows.row(index).0.len()).sum::<usize>()
            }
            _ => 0,
        };
        match zeros as f64 >= SPARSE_FROM * data.values() as f64 {
            true => Ok(Density::of(transform, kind)),
            false => Ok(Density::Dense),
        }
    }

    /// What it becomes with regularization of the inputs. Noise and mixed samples leave no zeros; a
    /// dropped input is a zero byte only if that stands for 0.
    pub(crate) fn after(self, regularization: &Regularization, inputs: &Inputs) -> Density {
        let Regularization { input_dropout, input_noise, mixup, .. } = *regularization;
        match self {
            _ if input_noise > 0.0 || mixup > 0.0 => Density::Dense,
            _ if input_dropout > 0.0 && matches!(inputs, Inputs::Sparse(_)) => Density::Dense,
            Density::Sparse(InputScale { scale, shift }) if input_dropout > 0.0 => {
                match shift == 0.0 {
                    true => {
                        let scale = scale / (1.0 - input_dropout);
                        Density::Sparse(InputScale { scale, shift })
                    }
                    false => Density::Dense,
                }
            }
            density => density,
        }
    }

    pub(crate) fn is_sparse(&self) -> bool {
        matches!(self, Density::Sparse(_))
    }
}

/// The bytes that the samples' floats once were, and how many steps of a byte make 1: 1 for raw bytes, 255
/// for bytes divided by 255. None if they were not bytes.
fn were_bytes(
    kernels: Kernels,
    data: &Subset,
    values: &[f32],
    threads: usize,
) -> Option<(Vec<u8>, f32)> {
    [1.0, 255.0].into_iter().find_map(|steps| {
        let (mut bytes, sound) = (vec![0; data.values()], AtomicBool::new(true));
        let mut left = &mut bytes[..];
        for values in data.rows_of(values) {
            let (own, others) = left.split_at_mut(values.len());
            in_parts(threads, values, own, |values, bytes| {
                if !kernels.to_bytes(values, steps, bytes) {
                    sound.store(false, Ordering::Relaxed);
                }
            });
            if !sound.load(Ordering::Relaxed) {
                return None;
            }
            left = others;
        }
        Some((bytes, steps))
    })
}

/// Share of zeros in at most some 100,000 of the values.
fn share_of_zeros<T: Copy + Default + PartialEq>(data: &Subset, values: &[T]) -> f64 {
    // An odd step meets every column of an image in turn.
    let (count, features) = (data.values(), data.features());
    let step = (count / 100_000).max(1) | 1;
    let (mut zeros, mut seen) = (0u64, 0u64);
    for at in (0..count).step_by(step) {
        let value = values[data.index(at / features) * features + at % features];
        zeros += u64::from(value == T::default());
        seen += 1;
    }
    zeros as f64 / seen.max(1) as f64
}

/// Fills `tile` with samples of bytes or sparse rows, each given by the rows that hold it and its number among them; all
/// of one kind. `sorted` where a gradient will follow.
pub(crate) fn fill_tile<'a>(
    kernels: Kernels,
    tile: &SharedTile,
    features: usize,
    samples: impl ExactSizeIterator<Item = (Rows<'a>, usize)> + Clone,
    sorted: bool,
) {
    let mut tile = tile.write().unwrap_or_else(|poisoned| poisoned.into_inner());
    match samples.clone().next() {
        Some((Rows::Sparse(_), _)) => {
            let pairs = samples.map(|(rows, index)| match rows {
                Rows::Sparse(rows) => rows.row(index),
                _ => Default::default(),
            });
            tile.fill_pairs(features, pairs, sorted);
        }
        Some((Rows::Bytes(_), _)) | None => {
            let bytes = samples.map(|(rows, index)| match rows {
                Rows::Bytes(values) => &values[index * features..][..features],
                _ => Default::default(),
            });
            tile.fill(kernels, features, bytes, sorted);
        }
        // Others are dense always; raw columns are encoded beforehand.
        Some(_) => {}
    }
}
