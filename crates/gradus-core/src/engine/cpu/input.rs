//! From the samples of a batch to what the first layer takes: distorted, normalised, dropped, noisy
//! and mixed as the settings say, as lists of non-zero bytes or as dense rows.
//!
//! Every number drawn here belongs to a sample of an epoch or a place in a step, so that it does
//! not matter which worker makes which part.

use std::ops::Range;

use gradus_kernels::Kernels;
use gradus_kernels::sparse::{TILE, Tile};
use gradus_kernels::threads::{SharedMatrix, Thread};
use rand_distr::{Beta, Distribution};

use crate::engine::cpu::linear::InputScale;
use crate::engine::cpu::passes::SharedTile;
use crate::engine::cpu::workspace::Workspace;
use crate::engine::cpu::{Density, fill_tile};
use crate::error::Result;
use crate::random::{Purpose, numbered_stream, step_stream};
use crate::regularization::Regularization;
use crate::samples::batches::Batches;
use crate::samples::{Dataset, Inputs, Rows};
use crate::transform::Transform;
use crate::transform::distort::{self, Distorter};

/// The samples of a run and what is done to them on their way.
pub(super) struct InputPipeline<'a> {
    pub(super) density: Density,
    data: &'a Dataset,
    /// In place of the data's floats, where these were bytes.
    bytes: Option<Vec<u8>>,
    transform: Transform,
    kernels: Kernels,
    seed: u64,
    distorter: Option<Distorter>,
    dropout: f32,
    noise: f32,
    mixup: Option<Beta<f64>>,
    tiles: Tiles,
}

/// The samples of the coming batches as lists of non-zeros; none where inputs are dense.
struct Tiles {
    /// Tiles of a batch.
    per_batch: usize,
    /// Batches whose tiles are made between two meetings: enough to give every worker one.
    batches: usize,
    /// Two rounds: one is filled while slower workers still read the other.
    slots: Vec<SharedTile>,
    /// Whether one batch is all and never changes: its tiles are there for good.
    kept: bool,
}

/// What one worker needs to make its part.
pub(super) struct InputBuffers {
    /// Distorted samples of a tile.
    bytes: Vec<u8>,
    /// One sample.
    row: Vec<f32>,
    distortion: distort::Scratch,
}

/// Which other sample of the batch is mixed into each, and how much of each stays (mixup).
#[derive(Clone, Copy)]
pub(super) struct Mix {
    /// The partner of sample `i` is sample `i + offset` of the batch.
    offset: usize,
    /// Share of the sample itself, at least one half.
    pub(super) share: f32,
}

impl Mix {
    /// Place in the batch of the partner of the sample at `row`.
    pub(super) fn partner(&self, row: usize, batch: usize) -> usize {
        (row + self.offset) % batch
    }
}

impl<'a> InputPipeline<'a> {
    pub(super) fn new(
        kernels: Kernels,
        (transform, data): (Transform, &'a Dataset),
        batches: &Batches,
        regularization: &Regularization,
        seed: u64,
        threads: usize,
    ) -> Result<InputPipeline<'a>> {
        let Regularization { input_dropout, input_noise, mixup, distortion, .. } = *regularization;
        let (density, bytes) =
            Density::for_training(kernels, &transform, data.inputs.rows(), threads);
        let density = match density {
            // Noise and mixed samples are not bytes; a dropped input is a zero byte only where that
            // stands for 0.
            _ if input_noise > 0.0 || mixup > 0.0 => Density::Dense,
            _ if input_dropout > 0.0 && matches!(data.inputs, Inputs::Sparse(_)) => Density::Dense,
            Density::Sparse(InputScale { scale, shift }) if input_dropout > 0.0 => {
                match shift == 0.0 {
                    true => {
                        Density::Sparse(InputScale { scale: scale / (1.0 - input_dropout), shift })
                    }
                    false => Density::Dense,
                }
            }
            density => density,
        };
        let distorter = match distortion.is_none() {
            true => None,
            false => Some(Distorter::for_data(distortion, data, kernels)?),
        };
        let per_batch = batches.batch_size().div_ceil(TILE);
        let kept = batches.is_full() && distorter.is_none() && input_dropout == 0.0;
        let per_round = if kept { 1 } else { threads.div_ceil(per_batch) };
        let slots = per_batch * per_round * if kept { 1 } else { 2 };
        let tiles = Tiles {
            per_batch,
            batches: per_round,
            slots: match density.is_sparse() {
                true => (0..slots).map(|_| Tile::default().into()).collect(),
                false => Vec::new(),
            },
            kept,
        };
        let mixup = match mixup > 0.0 {
            true => Beta::new(f64::from(mixup), f64::from(mixup)).ok(),
            false => None,
        };
        let (dropout, noise) = (input_dropout, input_noise);
        Ok(InputPipeline {
            density,
            data,
            bytes,
            transform,
            kernels,
            seed,
            distorter,
            dropout,
            noise,
            mixup,
            tiles,
        })
    }

    /// What one worker needs.
    pub(super) fn buffers(&self) -> InputBuffers {
        let features = self.data.features();
        let bytes = match self.changes_bytes() {
            true => TILE * features,
            false => 0,
        };
        InputBuffers {
            bytes: vec![0; bytes],
            row: vec![0.0; features],
            distortion: distort::Scratch::default(),
        }
    }

    /// Whether samples are changed before they are normalised.
    fn changes_bytes(&self) -> bool {
        self.distorter.is_some() || self.dropout > 0.0
    }

    /// Batches that are made between two meetings.
    pub(super) fn round(&self) -> usize {
        self.tiles.batches
    }

    /// Whether the tiles of an epoch must be made anew; of the `first` one that is run they must be.
    pub(super) fn is_needed(&self, first: bool) -> bool {
        !self.tiles.slots.is_empty() && (first || !self.tiles.kept)
    }

    /// The tiles of the `nth` batch of a round.
    pub(super) fn batch_tiles(&self, round: usize, nth: usize) -> &[SharedTile] {
        if self.tiles.slots.is_empty() {
            return &[];
        }
        let half = if self.tiles.kept { 0 } else { round % 2 };
        let start = (half * self.tiles.batches + nth) * self.tiles.per_batch;
        &self.tiles.slots[start..start + self.tiles.per_batch]
    }

    /// Makes this worker's share of the tiles of a round. `step` is that of the first of `batches`.
    pub(super) fn fill_tiles(
        &self,
        order: &Batches,
        (round, batches): (usize, Range<usize>),
        (epoch, step): (usize, u64),
        all: &Thread,
        buffers: &mut InputBuffers,
    ) {
        let per_batch = self.tiles.per_batch;
        let features = self.data.features();
        for at in all.share(batches.len() * per_batch) {
            let (nth, tile) = (at / per_batch, at % per_batch);
            let slot = &self.batch_tiles(round, nth)[tile];
            let batch = order.batch(batches.start + nth);
            let rows = tile_rows(tile, batch.len());
            let indices = &batch[rows.clone()];
            if self.changes_bytes() {
                let InputBuffers { bytes, row, distortion } = &mut *buffers;
                for ((&index, place), out) in
                    indices.iter().zip(rows).zip(bytes.chunks_exact_mut(features))
                {
                    self.bytes(epoch, index, out, distortion);
                    self.drop_bytes(step + nth as u64, place, row, out);
                }
                let changed = 0..indices.len() as u32;
                fill_tile(self.kernels, slot, Rows::Bytes(bytes), features, changed, true);
            } else {
                let indices = indices.iter().copied();
                fill_tile(self.kernels, slot, self.stored(), features, indices, true);
            }
            if self.tiles.kept {
                slot.write().unwrap_or_else(|poisoned| poisoned.into_inner()).shrink_to_fit();
            }
        }
    }

    /// All samples, as bytes where they are or were bytes.
    fn stored(&self) -> Rows<'_> {
        match &self.bytes {
            Some(bytes) => Rows::Bytes(bytes),
            None => self.data.inputs.rows(),
        }
    }

    /// The bytes of sample `index`, distorted where that is asked for.
    fn bytes(&self, epoch: usize, index: u32, out: &mut [u8], scratch: &mut distort::Scratch) {
        let Rows::Bytes(values) = self.stored() else { return };
        let sample = &values[index as usize * out.len()..][..out.len()];
        match &self.distorter {
            Some(distorter) => {
                distorter.distort(self.seed, epoch as u64, index.into(), sample, out, scratch);
            }
            None => out.copy_from_slice(sample),
        }
    }

    fn drop_bytes(&self, step: u64, place: usize, mask: &mut [f32], out: &mut [u8]) {
        if self.dropout > 0.0 {
            self.input_mask(step, place, mask);
            for (byte, &kept) in out.iter_mut().zip(&*mask) {
                if kept == 0.0 {
                    *byte = 0;
                }
            }
        }
    }

    fn input_mask(&self, step: u64, place: usize, mask: &mut [f32]) {
        let stream = step_stream(self.seed, Purpose::InputDropout, step, place as u64);
        self.kernels.dropout_mask(stream, 0, self.dropout, mask);
    }

    /// How the samples of a step are mixed.
    pub(super) fn mix(&self, step: u64, batch: usize) -> Option<Mix> {
        let mut rng = numbered_stream(self.seed, Purpose::Mixup, step);
        let share = self.mixup.as_ref()?.sample(&mut rng) as f32;
        let offset = 1 + rand::RngExt::random_range(&mut rng, 0..batch.max(2) - 1);
        Some(Mix { offset, share: share.max(1.0 - share) })
    }

    /// Makes this thread's share of the dense rows of the samples at the places `rows` of `batch`.
    pub(super) fn fill_rows(
        &self,
        matrix: &SharedMatrix,
        (batch, rows): (&[u32], Range<usize>),
        (epoch, step): (usize, u64),
        thread: &Thread,
        buffers: &mut InputBuffers,
    ) {
        let mix = self.mix(step, batch.len());
        for partition in thread.share(Workspace::loss_partitions(rows.len())) {
            let part = Workspace::loss_rows(partition, rows.len());
            let mut guard = matrix.write(partition);
            let mut values = guard.view();
            for (at, place) in part.map(|row| rows.start + row).enumerate() {
                let row = values.row_mut(at);
                self.normalized(epoch, batch[place], row, buffers);
                if let Some(mix) = mix {
                    let mut other = std::mem::take(&mut buffers.row);
                    let partner = batch[mix.partner(place, batch.len())];
                    self.normalized(epoch, partner, &mut other, buffers);
                    self.kernels.blend(row, &other, mix.share);
                    buffers.row = other;
                }
                if self.noise > 0.0 {
                    let stream = step_stream(self.seed, Purpose::InputNoise, step, place as u64);
                    self.kernels.add_normal(stream, 0, self.noise, row);
                }
                if self.dropout > 0.0 {
                    self.input_mask(step, place, &mut buffers.row);
                    self.kernels.multiply(row, &buffers.row);
                }
            }
        }
    }

    /// Sample `index`, distorted where that is asked for, and normalised.
    fn normalized(&self, epoch: usize, index: u32, row: &mut [f32], buffers: &mut InputBuffers) {
        if self.distorter.is_some() {
            let bytes = &mut buffers.bytes[..row.len()];
            self.bytes(epoch, index, bytes, &mut buffers.distortion);
            self.transform.apply_bytes(bytes, row);
        } else {
            self.transform.apply(self.data.inputs.rows(), index as usize, row);
        }
    }
}

/// The samples of tile `tile` of a batch of `samples`; none where the batch has fewer tiles.
pub(super) fn tile_rows(tile: usize, samples: usize) -> Range<usize> {
    (tile * TILE).min(samples)..((tile + 1) * TILE).min(samples)
}
