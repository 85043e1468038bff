//! Packing: samples in pieces in, a folder of shards out, in the order of the source, shuffled, or sorted by class.
//!
//! Shuffled samples are dealt to buckets, files of which each fits into memory: each sample to any bucket with the same
//! probability. Then each bucket is shuffled in memory, one after the other. Each order of all samples is equally probable
//! (Rao 1961, Sandelius 1962), as if all were shuffled in memory; the memory that is needed does not depend on the number
//! of samples.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::thread;

use gradus_core::random::ChaCha8Rng;
use rand::RngExt;
use rand::seq::SliceRandom;

use super::writer::{ShardOptions, ShardWriter};
use crate::error::{Error, ErrorKind, Result};
use crate::random::{Purpose, numbered_stream};
use crate::row_file::PIECE;
use crate::{Dataset, Inputs, Targets, Task};

/// About how many bytes of samples a bucket has.
const BUCKET: usize = 48 << 20;

/// The most bytes of all buckets that wait in memory to be written.
const WAITING: usize = 64 << 20;

/// The order of packed samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// That of the source.
    Source,
    /// Any, each with the same probability; the seed decides.
    Shuffled(u64),
    /// Class after class, within a class that of the source.
    Sorted,
}

/// How samples are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackOptions {
    /// The order of the samples.
    pub order: Order,
    /// Samples of a shard; none for as many blocks of 8,192 as have about 256 MiB.
    pub shard_rows: Option<usize>,
}

impl Default for PackOptions {
    /// Shuffled with seed 0.
    fn default() -> Self {
        PackOptions { order: Order::Shuffled(0), shard_rows: None }
    }
}

/// Packs the samples that `pieces` gives, `samples` in all, as the folder `path`, which must not exist. It appears under
/// its name at the end, or not at all. A piece is made while the one before is packed. `progress` hears how many bytes of
/// inputs and targets have been read and written; packing ends with an error when it says `false`.
///
/// # Errors
/// The first of `pieces`; those of [`ShardWriter`]; `InvalidArgument` for an order that the samples cannot have;
/// `InvalidData` if there is another number of samples.
pub fn pack(
    path: &Path,
    samples: usize,
    pieces: impl IntoIterator<Item = Result<Dataset>, IntoIter: Send>,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<()> {
    let mut pieces = pieces.into_iter();
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        scope.spawn(move || {
            // Nobody waits for more where packing has failed.
            while pieces.next().is_some_and(|piece| sender.send(piece).is_ok()) {}
        });
        pack_pieces(path, samples, receiver.into_iter(), options, progress)
    })
}

/// As [`pack`], with the pieces as they come.
fn pack_pieces(
    path: &Path,
    samples: usize,
    mut pieces: impl Iterator<Item = Result<Dataset>>,
    options: &PackOptions,
    progress: &mut dyn FnMut(u64) -> bool,
) -> Result<()> {
    let shuffle_seed = match options.order {
        Order::Shuffled(seed) => Some(seed),
        Order::Source | Order::Sorted => None,
    };
    let shard_options = ShardOptions { shard_rows: options.shard_rows, shuffle_seed };
    let mut writer = ShardWriter::create(path, shard_options)?;
    let (mut found, mut done) = (0, 0);
    let mut go_on = |bytes: usize| {
        done += bytes as u64;
        match progress(done) {
            true => Ok(()),
            false => Err(Error::new(ErrorKind::Io, "packing was stopped; nothing was written")),
        }
    };
    match options.order {
        Order::Source => {
            for piece in pieces {
                let piece = piece?;
                found += piece.len();
                writer.push(&piece)?;
                go_on(piece.len() * Form::of(&piece)?.row())?;
            }
        }
        Order::Shuffled(_) | Order::Sorted => {
            let Some(first) = pieces.next() else { return writer.finish() };
            let first = first?;
            let first = writer.stored(&first)?.unwrap_or(first);
            let form = Form::of(&first)?;
            let mut buckets = Buckets::new(writer.inside(), &first, &form, samples, options.order)?;
            for piece in std::iter::once(Ok(first)).chain(pieces) {
                let piece = piece?;
                let piece = writer.stored(&piece)?.unwrap_or(piece);
                found += piece.len();
                buckets.deal(&piece, &form).map_err(|error| writer.explain(error))?;
                go_on(piece.len() * form.row())?;
            }
            buckets.flush().map_err(|error| writer.explain(error))?;
            let (form, buckets) = (&form, &buckets);
            thread::scope(|scope| {
                let (sender, receiver) = sync_channel(1);
                // A piece of a bucket is put in order while the one before is written.
                scope.spawn(move || {
                    buckets.each_piece(form, options.order, |piece| sender.send(piece).is_ok());
                });
                for piece in receiver {
                    let piece = piece.map_err(|error| writer.explain(error))??;
                    writer.push_again(&piece)?;
                    go_on(piece.len() * form.row())?;
                }
                Ok::<(), Error>(())
            })?;
        }
    }
    if found != samples {
        return Err(crate::invalid(format!("{found} samples were read, but {samples} promised")));
    }
    writer.finish()
}

/// The bytes of a bucket; none if no sample was dealt to it.
fn read_bucket(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        other => other,
    }
}

/// How a sample lies in a bucket: its inputs, then its targets.
struct Form {
    /// No samples, but all that they have in common.
    like: Dataset,
    /// Bytes of the inputs of a sample.
    inputs: usize,
    /// Bytes of its targets.
    targets: usize,
}

impl Form {
    fn of(data: &Dataset) -> Result<Form> {
        let size = super::index::Kind::of(&data.inputs)?.size();
        let (outputs, like) = (data.targets.outputs(), data.subset(&[]));
        let targets = match &data.targets {
            Targets::Classes { .. } => 4,
            Targets::Labels { .. } => outputs,
            Targets::Values { .. } => 4 * outputs,
        };
        Ok(Form { like, inputs: size * data.features(), targets })
    }

    /// Bytes of a sample.
    fn row(&self) -> usize {
        self.inputs + self.targets
    }

    /// Samples that are read or written at a time.
    fn rows_of_piece(&self) -> usize {
        (PIECE / self.row()).max(1)
    }

    /// Adds the bytes of a sample.
    fn write(&self, data: &Dataset, sample: usize, bytes: &mut Vec<u8>) {
        let features = data.features();
        let values = sample * features..(sample + 1) * features;
        match &data.inputs {
            Inputs::Bytes(all) => bytes.extend_from_slice(&all[values]),
            Inputs::Floats(all) => {
                all[values].iter().for_each(|it| bytes.extend_from_slice(&it.to_le_bytes()));
            }
            Inputs::Doubles(all) => {
                all[values].iter().for_each(|it| bytes.extend_from_slice(&it.to_le_bytes()));
            }
            // `Kind::of` has refused them.
            _ => {}
        }
        match &data.targets {
            Targets::Classes { labels, .. } => bytes.extend(labels[sample].to_le_bytes()),
            Targets::Labels { values, names } => {
                bytes.extend_from_slice(&values[sample * names.len()..][..names.len()]);
            }
            Targets::Values { values, names } => {
                let row = &values[sample * names.len()..][..names.len()];
                bytes.extend(row.iter().flat_map(|it| it.to_le_bytes()));
            }
        }
    }

    /// The samples at these rows of the bytes of a bucket.
    fn samples(&self, bytes: &[u8], rows: impl Iterator<Item = usize>) -> Result<Dataset> {
        let row = |at: usize| bytes[at * self.row()..][..self.row()].split_at(self.inputs);
        let mut data = self.like.clone();
        for (inputs, targets) in rows.map(row) {
            match &mut data.inputs {
                Inputs::Bytes(all) => all.extend_from_slice(inputs),
                Inputs::Floats(all) => all.extend(numbers(inputs, f32::from_le_bytes)),
                Inputs::Doubles(all) => all.extend(numbers(inputs, f64::from_le_bytes)),
                _ => {}
            }
            match &mut data.targets {
                Targets::Classes { labels, .. } => {
                    labels.extend(numbers(targets, u32::from_le_bytes));
                }
                Targets::Labels { values, .. } => values.extend_from_slice(targets),
                Targets::Values { values, .. } => {
                    values.extend(numbers(targets, f32::from_le_bytes));
                }
            }
        }
        Ok(data)
    }
}

/// The numbers that every `N` bytes are.
fn numbers<T, const N: usize>(bytes: &[u8], convert: fn([u8; N]) -> T) -> impl Iterator<Item = T> {
    bytes.as_chunks::<N>().0.iter().map(move |&chunk| convert(chunk))
}

/// Files to which samples are dealt.
struct Buckets {
    folder: PathBuf,
    /// What waits to be written to each.
    waiting: Vec<Vec<u8>>,
    /// Bytes that wait before they are written.
    most: usize,
    /// Draws buckets; none where the class decides.
    draw: Option<ChaCha8Rng>,
}

impl Buckets {
    fn new(
        folder: &Path,
        first: &Dataset,
        form: &Form,
        samples: usize,
        order: Order,
    ) -> Result<Buckets> {
        let count = match order {
            Order::Sorted if first.targets.task() == Task::Classification => {
                first.targets.outputs()
            }
            Order::Sorted => {
                return Err(Error::argument(
                    "samples can be sorted by class only if each has one: leave them in their order, or shuffle them",
                ));
            }
            // Twice the bytes of a bucket are as good as impossible.
            _ => samples.saturating_mul(form.row()).div_ceil(BUCKET).max(1),
        };
        let draw = match order {
            Order::Shuffled(seed) => Some(numbered_stream(seed, Purpose::Pack, 0)),
            Order::Source | Order::Sorted => None,
        };
        // At least a sample, however long it is.
        let most = (WAITING / count).min(1 << 20).max(form.row());
        Ok(Buckets { folder: folder.to_owned(), waiting: vec![Vec::new(); count], most, draw })
    }

    fn count(&self) -> usize {
        self.waiting.len()
    }

    fn path(&self, number: usize) -> PathBuf {
        self.folder.join(format!("bucket-{number:05}"))
    }

    /// Deals the samples of a piece.
    fn deal(&mut self, piece: &Dataset, form: &Form) -> io::Result<()> {
        for sample in 0..piece.len() {
            let number = match &mut self.draw {
                Some(draw) => draw.random_range(0..self.waiting.len()),
                None => piece.labels()[sample] as usize,
            };
            form.write(piece, sample, &mut self.waiting[number]);
            if self.waiting[number].len() >= self.most {
                self.write(number)?;
            }
        }
        Ok(())
    }

    /// Writes what waits.
    fn flush(&mut self) -> io::Result<()> {
        for number in 0..self.count() {
            self.write(number)?;
            self.waiting[number] = Vec::new();
        }
        Ok(())
    }

    /// Hands the samples of all buckets to `take`, bucket after bucket, shuffled or as they were dealt, until it does not want more.
    fn each_piece(
        &self,
        form: &Form,
        order: Order,
        mut take: impl FnMut(io::Result<Result<Dataset>>) -> bool,
    ) {
        let each = form.rows_of_piece();
        for number in 0..self.count() {
            let path = self.path(number);
            let goes_on = match order {
                Order::Shuffled(seed) => match read_bucket(&path) {
                    Ok(bytes) => {
                        let mut order: Vec<u32> = (0..(bytes.len() / form.row()) as u32).collect();
                        order.shuffle(&mut numbered_stream(seed, Purpose::Pack, 1 + number as u64));
                        order.chunks(each).all(|part| {
                            take(Ok(form.samples(&bytes, part.iter().map(|&row| row as usize))))
                        })
                    }
                    Err(error) => take(Err(error)),
                },
                // Such a bucket may be larger than memory. There is none if no sample was dealt to it.
                Order::Source | Order::Sorted => match File::open(&path) {
                    Ok(mut file) => loop {
                        let mut bytes = Vec::new();
                        let most = (each * form.row()) as u64;
                        match Read::by_ref(&mut file).take(most).read_to_end(&mut bytes) {
                            Ok(0) => break true,
                            Ok(count) => {
                                if !take(Ok(form.samples(&bytes, 0..count / form.row()))) {
                                    break false;
                                }
                            }
                            Err(error) => break take(Err(error)),
                        }
                    },
                    Err(_) => true,
                },
            };
            // Its samples are in shards: the disk need not have room for all of them twice.
            let _ = fs::remove_file(&path);
            if !goes_on {
                return;
            }
        }
    }

    fn write(&mut self, number: usize) -> io::Result<()> {
        if self.waiting[number].is_empty() {
            return Ok(());
        }
        // Opened each time: there may be more buckets than files that may be open.
        let mut file = OpenOptions::new().append(true).create(true).open(self.path(number))?;
        file.write_all(&self.waiting[number])?;
        self.waiting[number].clear();
        Ok(())
    }
}
