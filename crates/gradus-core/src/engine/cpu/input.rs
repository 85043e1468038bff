//! The input pipeline: from the samples of a batch to what the first layer takes, distorted, normalized,
//! dropped, noisy and mixed as the settings say.
//!
//! In: samples by number. Out: tiles of non-zeros ([`InputPipeline::fill_tiles`]) for sparse inputs, rows of
//! numbers ([`InputPipeline::fill_rows`]) for dense ones. Every random number drawn here belongs to a sample
//! of an epoch or to a place in a step, so that it does not matter which thread makes which part.

use std::ops::Range;

use gradus_kernels::Kernels;
use gradus_kernels::sparse::{TILE, Tile};
use gradus_kernels::threads::{SharedMatrix, Thread};
use rand_distr::{Beta, Distribution};

use crate::engine::Settings;
use crate::engine::cpu::passes::SharedTile;
use crate::engine::cpu::portion::Portion;
use crate::engine::cpu::windows::{Stored, Window};
use crate::engine::cpu::workspace::Workspace;
use crate::engine::cpu::{Density, fill_tile};
use crate::error::Result;
use crate::random::{Purpose, numbered_stream, step_stream};
use crate::regularization::Regularization;
use crate::samples::batches::Batches;
use crate::samples::{Rows, Shuffle, Subset};
use crate::transform::Transform;
use crate::transform::distort::{self, Distorter};

/// What is done to samples on their way into the network.
pub(super) struct InputPipeline {
    pub(super) density: Density,
    features: usize,
    /// In place of the samples' floats, if these were bytes: in the order of the training samples.
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

/// The samples of the coming batches as lists of non-zeros; none for dense inputs.
struct Tiles {
    /// Tiles of a batch.
    per_batch: usize,
    /// Batches whose tiles are made between two barriers: enough to give every thread a tile to make.
    batches: usize,
    /// Two rounds: threads that are done with a round fill the other half while slower ones still read
    /// this one, so that one barrier a round is enough.
    slots: Vec<SharedTile>,
    /// Whether one batch is all and never changes: its tiles are made once.
    cached: bool,
}

/// The batches whose tiles are made together.
pub(super) struct Round {
    /// Counted from 0 in an epoch.
    pub(super) number: usize,
    pub(super) batches: Range<usize>,
    pub(super) epoch: usize,
    /// The step of the first batch.
    pub(super) step: u64,
}

/// Some samples of a batch that go through the network together.
#[derive(Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) epoch: usize,
    pub(super) step: u64,
    /// The whole batch, as numbers of training samples.
    pub(super) batch: &'a [u32],
    /// Place of the first of these samples in the batch.
    pub(super) first: usize,
    /// How many they are.
    pub(super) count: usize,
    /// The inputs of the whole batch, if the samples are not in memory.
    pub(super) stored: Option<Stored<'a>>,
}

/// The memory that one thread needs to make its part.
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

impl InputPipeline {
    /// `data` are the samples that every epoch will be given; `dense` if the network does not take their zeros as they
    /// are.
    ///
    /// # Errors
    /// `InvalidArgument` for distortions of samples that are not images.
    pub(super) fn new(
        kernels: Kernels,
        transform: Transform,
        data: &Subset,
        batches: &Batches,
        settings: &Settings,
        dense: bool,
    ) -> Result<InputPipeline> {
        let Settings { regularization, seed, threads, .. } = settings;
        let Regularization { input_dropout, input_noise, mixup, distortion, .. } = *regularization;
        let (density, bytes) = match dense {
            true => (Density::Dense, None),
            false if settings.shuffle == Shuffle::Blocks => {
                (Density::of_all(&transform, data)?, None)
            }
            false => Density::for_training(kernels, &transform, data, *threads),
        };
        let density = density.after(regularization, &data.data().inputs);
        let distorter = match distortion.is_none() {
            true => None,
            false => Some(Distorter::for_data(distortion, data.data(), kernels)?),
        };
        let per_batch = batches.batch_size().div_ceil(TILE);
        let in_memory = data.streamed().is_none();
        let cached = batches.is_full() && distorter.is_none() && input_dropout == 0.0 && in_memory;
        let per_round = if cached { 1 } else { threads.div_ceil(per_batch) };
        let seed = *seed;
        let slots = match density.is_sparse() {
            true => per_batch * per_round * if cached { 1 } else { 2 },
            false => 0,
        };
        let slots = (0..slots).map(|_| Tile::default().into()).collect();
        Ok(InputPipeline {
            bytes: bytes.filter(|_| density.is_sparse()),
            density,
            features: data.features(),
            transform,
            kernels,
            seed,
            distorter,
            dropout: input_dropout,
            noise: input_noise,
            // Of no distribution for an alpha of 0: samples are not mixed then.
            mixup: Beta::new(f64::from(mixup), f64::from(mixup)).ok(),
            tiles: Tiles { per_batch, batches: per_round, slots, cached },
        })
    }

    /// The memory that one thread needs.
    pub(super) fn buffers(&self) -> InputBuffers {
        let features = self.features;
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

    /// Whether samples are changed before they are normalized.
    fn changes_bytes(&self) -> bool {
        self.distorter.is_some() || self.dropout > 0.0
    }

    /// Batches whose tiles are made between two barriers.
    pub(super) fn round(&self) -> usize {
        self.tiles.batches
    }

    /// Whether an epoch makes its tiles; the `first` one that is run does always.
    pub(super) fn is_needed(&self, first: bool) -> bool {
        !self.tiles.slots.is_empty() && (first || !self.tiles.cached)
    }

    /// The tiles of the `nth` batch of a round.
    pub(super) fn batch_tiles(&self, round: usize, nth: usize) -> &[SharedTile] {
        if self.tiles.slots.is_empty() {
            return &[];
        }
        let half = if self.tiles.cached { 0 } else { round % 2 };
        let start = (half * self.tiles.batches + nth) * self.tiles.per_batch;
        &self.tiles.slots[start..start + self.tiles.per_batch]
    }

    /// Makes this thread's share of the tiles of a round: those of this rank's micro-batches.
    pub(super) fn fill_tiles(
        &self,
        data: &Subset,
        (order, portion): (&Batches, &Portion),
        (round, window): (&Round, Option<&Window>),
        all: &Thread,
        buffers: &mut InputBuffers,
    ) {
        let per_batch = portion.most_tiles(self.tiles.per_batch);
        for at in all.share(round.batches.len() * per_batch) {
            let (nth, place) = (at / per_batch, at % per_batch);
            let batch = order.batch(round.batches.start + nth);
            let own = portion.tiles(batch.len().div_ceil(TILE));
            let tile = own.start + place;
            if tile >= own.end {
                continue;
            }
            let slot = &self.batch_tiles(round.number, nth)[tile];
            let rows = tile_rows(tile, batch.len());
            let (epoch, step) = (round.epoch, round.step + nth as u64);
            let stored = window.map(|window| window.batch(round.batches.start + nth, order));
            let (first, count) = (rows.start, rows.len());
            let chunk = Chunk { epoch, step, batch, first, count, stored };
            if self.changes_bytes() {
                self.fill_changed_tile(data, slot, chunk, buffers);
            } else {
                let samples = rows.map(|place| self.sample(data, &chunk, place));
                fill_tile(self.kernels, slot, self.features, samples, true);
            }
            if self.tiles.cached {
                // It stays for the whole run.
                slot.write().unwrap_or_else(|poisoned| poisoned.into_inner()).shrink_to_fit();
            }
        }
    }

    /// Makes a tile of bytes that are distorted or dropped first.
    fn fill_changed_tile(
        &self,
        data: &Subset,
        slot: &SharedTile,
        chunk: Chunk,
        buffers: &mut InputBuffers,
    ) {
        let InputBuffers { bytes, row, distortion } = buffers;
        let places = chunk.first..chunk.first + chunk.count;
        for (place, out) in places.zip(bytes.chunks_exact_mut(self.features)) {
            self.bytes(data, &chunk, place, out, distortion);
            self.drop_bytes(chunk.step, place, row, out);
        }
        let changed = (0..chunk.count).map(|row| (Rows::Bytes(bytes), row));
        fill_tile(self.kernels, slot, self.features, changed, true);
    }

    /// The rows that hold the sample at a place of the batch, and which of them it is; as bytes if it is or was bytes.
    fn sample<'a>(
        &'a self,
        data: &Subset<'a>,
        chunk: &Chunk<'a>,
        place: usize,
    ) -> (Rows<'a>, usize) {
        match (&self.bytes, chunk.stored) {
            (_, Some(stored)) => stored.sample(place),
            (Some(bytes), None) => (Rows::Bytes(bytes), chunk.batch[place] as usize),
            (None, None) => (data.rows(), data.index(chunk.batch[place] as usize)),
        }
    }

    /// The bytes of the sample at a place of the batch, distorted if the settings say so.
    fn bytes(
        &self,
        data: &Subset,
        chunk: &Chunk,
        place: usize,
        out: &mut [u8],
        scratch: &mut distort::Scratch,
    ) {
        let (Rows::Bytes(values), row) = self.sample(data, chunk, place) else { return };
        let image = &values[row * out.len()..][..out.len()];
        match &self.distorter {
            Some(distorter) => {
                let (epoch, sample) = (chunk.epoch as u64, chunk.batch[place].into());
                distorter.distort(self.seed, epoch, sample, image, out, scratch);
            }
            None => out.copy_from_slice(image),
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

    /// Makes this thread's share of the dense rows of a chunk.
    pub(super) fn fill_rows(
        &self,
        data: &Subset,
        matrix: &SharedMatrix,
        chunk: Chunk,
        thread: &Thread,
        buffers: &mut InputBuffers,
    ) {
        let mix = self.mix(chunk.step, chunk.batch.len());
        for partition in thread.share(Workspace::loss_tiles(chunk.count)) {
            let mut guard = matrix.write(partition);
            let mut values = guard.view();
            for (at, row) in Workspace::loss_rows(partition, chunk.count).enumerate() {
                self.fill_row(data, chunk, chunk.first + row, mix, values.row_mut(at), buffers);
            }
        }
    }

    /// Makes the row of the sample at one place of the batch: mixed, then noisy, then dropped.
    fn fill_row(
        &self,
        data: &Subset,
        chunk: Chunk,
        place: usize,
        mix: Option<Mix>,
        row: &mut [f32],
        buffers: &mut InputBuffers,
    ) {
        let Chunk { step, batch, .. } = chunk;
        self.normalized(data, &chunk, place, row, buffers);
        if let Some(mix) = mix {
            let mut other = std::mem::take(&mut buffers.row);
            let partner = mix.partner(place, batch.len());
            self.normalized(data, &chunk, partner, &mut other, buffers);
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

    /// The sample at a place of the batch, distorted if the settings say so, and normalized.
    fn normalized(
        &self,
        data: &Subset,
        chunk: &Chunk,
        place: usize,
        row: &mut [f32],
        buffers: &mut InputBuffers,
    ) {
        if self.distorter.is_some() {
            let bytes = &mut buffers.bytes[..row.len()];
            self.bytes(data, chunk, place, bytes, &mut buffers.distortion);
            self.transform.apply_bytes(bytes, row);
        } else {
            // Bytes in place of floats are kept for tiles alone.
            let (rows, number) = self.sample(data, chunk, place);
            self.transform.apply(rows, number, row);
        }
    }

    /// Which samples of a batch of so many are needed by those who compute `portion` of it, by their places: other samples
    /// of the batch may be mixed into its own.
    pub(super) fn needed(&self, portion: &Portion, samples: usize) -> Range<usize> {
        if self.mixup.is_some() {
            return 0..samples;
        }
        let tiles = portion.tiles(samples.div_ceil(TILE));
        tile_rows(tiles.start, samples).start..tile_rows(tiles.end, samples).start
    }
}

/// The samples of tile `tile` of a batch of `samples`; `None` if the batch has fewer tiles.
pub(super) fn tile_rows(tile: usize, samples: usize) -> Range<usize> {
    (tile * TILE).min(samples)..((tile + 1) * TILE).min(samples)
}
