//! Samples whose inputs stay where they are, such as in files larger than memory, and are read piece by piece.
//!
//! In: a [`Source`]. Out: [`Streamed`], the inputs of a [`Dataset`] that has its targets in memory, but reads its inputs when
//! they are asked for. Training and evaluation take such a data set as any other; what needs all inputs at once refuses it.

use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use sha2::{Digest, Sha256};

use super::digest::hex;
use super::streamed::Streamed;
use super::{DataDigest, Dataset, DigestOfParts, Inputs, Rows, Subset, Sums, Targets};
use crate::error::{Error, Result, invalid};

/// Bytes that are read at a time where all samples are gone through in their order.
const PIECE_BYTES: usize = 4 << 20;

/// Where samples are read from.
pub trait Source: Send + Sync {
    /// Number of samples.
    fn samples(&self) -> usize;

    /// The samples `rows`, which are among those that there are. All of them have dense inputs of one kind, one shape, finite
    /// values, and targets of one kind.
    ///
    /// # Errors
    /// Those of reading.
    fn read(&self, rows: Range<usize>) -> Result<Dataset>;

    /// The inputs of the samples `rows`, as [`Source::read`] has them; they may be in the memory of `memory`, which is empty and of
    /// their kind.
    ///
    /// # Errors
    /// Those of reading.
    fn inputs(&self, rows: Range<usize>, memory: Inputs) -> Result<Inputs> {
        drop(memory);
        Ok(self.read(rows)?.inputs)
    }

    /// The targets of all samples.
    ///
    /// # Errors
    /// Those of reading.
    fn targets(&self) -> Result<Targets>;

    /// The digest of all samples, as [`Subset::digest`] gives it for the same samples in memory.
    fn digest(&self) -> DataDigest;

    /// The sums over the inputs of all samples.
    ///
    /// # Errors
    /// Those of reading, if they are not known.
    fn sums(&self) -> Result<Sums>;
}

/// What [`Streamed`] leads to.
struct Shared {
    source: Box<dyn Source>,
    /// The first sample: the kind and the shape of all.
    first: Dataset,
    /// What is known of some of the samples, with a digest of their numbers: a run asks for it several times.
    parts: Mutex<Vec<(String, Summary)>>,
}

/// The parts of a source of which something is kept: training, validation, and some to spare.
const MOST_PARTS: usize = 4;

/// What is known of samples that have been read once.
#[derive(Clone)]
struct Summary {
    sums: Sums,
    /// Their digest without sample weights.
    digest: DataDigest,
}

impl std::fmt::Debug for Streamed {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Streamed").field("samples", &self.samples()).finish_non_exhaustive()
    }
}

impl PartialEq for Streamed {
    fn eq(&self, other: &Streamed) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.source().digest() == other.source().digest()
    }
}

impl Dataset {
    /// The samples of a source, whose inputs are read when they are asked for. The targets are read now.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` if there is no sample, for inputs that are not dense rows of numbers, and for
    /// targets that are none.
    pub fn streamed(source: impl Source + 'static) -> Result<Dataset> {
        let samples = source.samples();
        if samples == 0 {
            return Err(invalid("no data: a source without samples"));
        }
        let inputs = Streamed::of(source)?;
        let (first, source) = (&inputs.shared().first, inputs.source());
        let targets = source.targets()?;
        targets.check()?;
        if targets.samples() != samples {
            return Err(invalid(format!("{} targets for {samples} samples", targets.samples())));
        }
        let (sample_shape, columns) = (first.sample_shape.clone(), first.columns.clone());
        let inputs = Inputs::Streamed(inputs);
        Ok(Dataset { inputs, targets, sample_shape, sample_weights: None, columns })
    }
}

impl Streamed {
    /// The inputs of the samples of a source.
    ///
    /// # Errors
    /// Those of reading the first; `InvalidData` for inputs that are neither dense rows of numbers nor raw columns.
    pub(crate) fn of(source: impl Source + 'static) -> Result<Streamed> {
        let first = source.read(0..1)?;
        if matches!(first.inputs, Inputs::Sparse(_) | Inputs::Streamed(_)) {
            return Err(invalid(format!(
                "{} cannot be read piece by piece: load them into memory",
                first.inputs.rows().kind()
            )));
        }
        Ok(Streamed(Arc::new(Shared { source: Box::new(source), first, parts: Mutex::default() })))
    }

    fn shared(&self) -> &Shared {
        match self.0.downcast_ref() {
            Some(shared) => shared,
            None => unreachable!("nothing else is made here"),
        }
    }

    /// Where the samples are read from.
    pub(crate) fn source(&self) -> &dyn Source {
        &*self.shared().source
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.source().samples()
    }

    /// Values in one sample.
    pub fn features(&self) -> usize {
        self.shared().first.features()
    }

    /// The first sample: its rows are of the kind of all.
    pub fn kind(&self) -> Rows<'_> {
        self.shared().first.inputs.rows()
    }

    /// Adds the inputs of the samples `numbers` to `inputs`, which are of the same kind or empty.
    ///
    /// # Errors
    /// Those of reading; `InvalidData` if the source gives others than were asked for.
    pub(crate) fn read(
        &self,
        numbers: impl Iterator<Item = usize>,
        inputs: &mut Inputs,
    ) -> Result<()> {
        for run in runs(numbers) {
            let wanted = run.len();
            let values = wanted * self.features();
            let fits = match inputs.is_empty() {
                // The usual case, without a copy.
                true => {
                    let memory = std::mem::replace(inputs, self.none(0));
                    let found = self.source().inputs(run.clone(), memory)?;
                    let fits = same_kind(inputs, &found) && found.len() == values;
                    *inputs = found;
                    fits
                }
                false => inputs.append(&self.source().inputs(run.clone(), self.none(0))?, values),
            };
            if !fits {
                return Err(invalid(format!(
                    "samples {} to {} are not {wanted} samples of {} {}, as the first one is",
                    run.start,
                    run.end - 1,
                    self.features(),
                    self.kind().kind()
                )));
            }
        }
        Ok(())
    }

    /// No inputs of the same kind, with room for so many samples.
    pub(crate) fn none(&self, samples: usize) -> Inputs {
        let values = samples * self.features();
        match self.kind() {
            Rows::Bytes(_) => Inputs::Bytes(Vec::with_capacity(values)),
            Rows::Doubles(_) => Inputs::Doubles(Vec::with_capacity(values)),
            Rows::Table(table) => Inputs::Table(table.without_rows()),
            _ => Inputs::Floats(Vec::with_capacity(values)),
        }
    }

    /// As [`Streamed::none`], in memory that held others of the same kind.
    pub(crate) fn none_in(&self, memory: Option<Inputs>, samples: usize) -> Inputs {
        match memory {
            Some(Inputs::Bytes(mut values)) => {
                values.clear();
                Inputs::Bytes(values)
            }
            // Reading others takes other memory anyway.
            _ => self.none(samples),
        }
    }

    /// Some of the samples, in another order: they are read when they are asked for. There are no more than can be
    /// numbered.
    pub(crate) fn pick(&self, numbers: &[usize]) -> Streamed {
        let numbers = numbers.iter().map(|&number| number as u32).collect();
        let first = self.shared().first.clone();
        let source = Box::new(Part { whole: self.clone(), numbers, summary: OnceLock::new() });
        Streamed(Arc::new(Shared { source, first, parts: Mutex::default() }))
    }

    /// The values of a sample; NaN if they cannot be read.
    pub(crate) fn row(&self, sample: usize) -> Vec<f32> {
        let mut inputs = self.none(1);
        match (self.read(std::iter::once(sample), &mut inputs), inputs) {
            (Ok(()), Inputs::Bytes(values)) => values.iter().map(|&value| value.into()).collect(),
            (Ok(()), Inputs::Floats(values)) => values,
            (Ok(()), Inputs::Doubles(values)) => values.iter().map(|&it| it as f32).collect(),
            (Ok(()), Inputs::Table(table)) => table.row_as_numbers(0),
            _ => vec![f32::NAN; self.features()],
        }
    }
}

impl Subset<'_> {
    /// The inputs of the samples, if they are read piece by piece.
    pub(crate) fn streamed(&self) -> Option<&Streamed> {
        match &self.data().inputs {
            Inputs::Streamed(streamed) => Some(streamed),
            _ => None,
        }
    }

    /// A copy of the samples at these places of the subset, in this order.
    ///
    /// # Errors
    /// Those of reading samples that are not in memory.
    pub fn read(&self, places: impl Iterator<Item = usize>) -> Result<Dataset> {
        let numbers: Vec<usize> = places.map(|place| self.index(place)).collect();
        let Some(streamed) = self.streamed() else { return Ok(self.data().subset(&numbers)) };
        let mut inputs = streamed.none(numbers.len());
        streamed.read(numbers.iter().copied(), &mut inputs)?;
        let data = self.data();
        let weights = data.sample_weights.as_ref();
        Ok(Dataset {
            inputs,
            targets: data.targets.subset(&numbers),
            sample_shape: data.sample_shape.clone(),
            sample_weights: weights.map(|it| numbers.iter().map(|&at| it[at]).collect()),
            columns: data.columns.clone(),
        })
    }

    /// Hands all samples to `take`, a few megabytes at a time, in their order.
    ///
    /// # Errors
    /// Those of reading and of `take`.
    pub(crate) fn each_piece(&self, mut take: impl FnMut(Dataset) -> Result<()>) -> Result<()> {
        let piece = (PIECE_BYTES / self.row_bytes().max(1)).max(1);
        for start in (0..self.len()).step_by(piece) {
            take(self.read(start..(start + piece).min(self.len()))?)?;
        }
        Ok(())
    }

    /// The sums over the inputs. Those over all samples of a source are known; for a part of them they are read.
    ///
    /// # Errors
    /// Those of reading.
    pub fn sums(&self) -> Result<Sums> {
        let Some(streamed) = self.streamed() else { return Ok(Sums::of(*self)) };
        match self.is_whole() {
            true => streamed.source().sums(),
            false => Ok(self.summary(streamed)?.sums),
        }
    }

    /// What is known of a part of the samples, which is read once for it.
    fn summary(&self, streamed: &Streamed) -> Result<Summary> {
        let key = digest_of(&[], self.indices());
        let mut kept = streamed.shared().parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, summary)) = kept.iter().find(|(of, _)| *of == key) {
            return Ok(summary.clone());
        }
        let summary = summary_of(|take| self.each_piece(take))?;
        if kept.len() == MOST_PARTS {
            kept.remove(0);
        }
        kept.push((key, summary.clone()));
        Ok(summary)
    }

    /// The digests of streamed samples, as if they were in memory: those of the source for all of them; a part of them is read.
    /// Where that fails, as training on them will, they are made of the source's and of their numbers.
    pub(super) fn digest_of_streamed(&self, streamed: &Streamed) -> DataDigest {
        let source = match self.is_whole() {
            true => Ok(streamed.source().digest()),
            false => self.summary(streamed).map(|summary| summary.digest),
        };
        let is_known = source.is_ok();
        let source = source.unwrap_or_else(|_| streamed.source().digest());
        let inputs = match is_known {
            true => source.inputs,
            false => digest_of(&[&source.inputs], self.indices()),
        };
        let (targets, weights) = self.digests_of_targets_and_weights();
        let all = match is_known && targets == source.targets && weights == source.weights {
            true => source.all,
            false => {
                let weights = weights.as_deref().unwrap_or_default();
                digest_of(&[&inputs, &targets, weights], std::iter::empty())
            }
        };
        DataDigest { samples: self.len(), all, inputs, targets, weights }
    }
}

/// What is known of samples, which `each_piece` hands over.
fn summary_of(
    each_piece: impl FnOnce(&mut dyn FnMut(Dataset) -> Result<()>) -> Result<()>,
) -> Result<Summary> {
    let (mut sums, mut digest, mut targets) = (Sums::default(), DigestOfParts::default(), None);
    each_piece(&mut |part| {
        sums.add(&part);
        digest.add(&part);
        match &mut targets {
            None => targets = Some(part.targets),
            Some(all) => all.append(&part.targets),
        }
        Ok(())
    })?;
    Ok(Summary { sums, digest: digest.finish(targets.map(Ok))? })
}

/// A digest of texts and numbers.
fn digest_of(texts: &[&str], numbers: impl Iterator<Item = usize>) -> String {
    let mut hash = Sha256::new();
    texts.iter().for_each(|text| hash.update(text.as_bytes()));
    numbers.for_each(|number| hash.update((number as u64).to_le_bytes()));
    hex(hash)
}

/// Some samples of a source.
struct Part {
    whole: Streamed,
    numbers: Vec<u32>,
    /// None if they could not be read.
    summary: OnceLock<Option<Summary>>,
}

impl Part {
    fn summary(&self) -> Result<Summary> {
        let piece = PIECE_BYTES / (self.whole.features() * self.whole.kind().bytes_of_value());
        let starts = || (0..self.samples()).step_by(piece.max(1));
        let rows = |start: usize| start..(start + piece.max(1)).min(self.samples());
        let read =
            || summary_of(|take| starts().try_for_each(|start| take(self.read(rows(start))?)));
        let mut error = None;
        let known = self.summary.get_or_init(|| read().map_err(|it| error = Some(it)).ok());
        match (known, error) {
            (Some(summary), _) => Ok(summary.clone()),
            (None, Some(error)) => Err(error),
            // It failed before.
            (None, None) => read(),
        }
    }
}

impl Source for Part {
    fn samples(&self) -> usize {
        self.numbers.len()
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        let numbers = self.numbers.get(rows.clone());
        let numbers = numbers.ok_or_else(|| Error::argument(format!("no samples {rows:?}")))?;
        let runs = runs(numbers.iter().map(|&number| number as usize));
        let mut parts = runs.into_iter().map(|run| self.whole.source().read(run));
        let mut all = parts.next().unwrap_or_else(|| Ok(self.whole.shared().first.subset(&[])))?;
        for part in parts {
            let part = part?;
            if !all.inputs.append(&part.inputs, part.inputs.len()) {
                return Err(invalid("samples of a source are not all of one kind"));
            }
            all.targets.append(&part.targets);
        }
        Ok(all)
    }

    fn targets(&self) -> Result<Targets> {
        let numbers: Vec<usize> = self.numbers.iter().map(|&number| number as usize).collect();
        Ok(self.whole.source().targets()?.subset(&numbers))
    }

    fn digest(&self) -> DataDigest {
        if let Ok(summary) = self.summary() {
            return summary.digest;
        }
        // Training on them will fail.
        let source = self.whole.source().digest();
        let of = |text: &str| digest_of(&[text], self.numbers.iter().map(|&it| it as usize));
        DataDigest {
            samples: self.numbers.len(),
            all: of(&source.all),
            inputs: of(&source.inputs),
            targets: of(&source.targets),
            weights: None,
        }
    }

    fn sums(&self) -> Result<Sums> {
        Ok(self.summary()?.sums)
    }
}

/// A data set in memory, read as if it were elsewhere.
impl Source for Dataset {
    fn samples(&self) -> usize {
        self.len()
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        if rows.end > self.len() {
            return Err(Error::argument(format!("no samples {rows:?} among {}", self.len())));
        }
        Ok(self.subset(&rows.collect::<Vec<_>>()))
    }

    fn targets(&self) -> Result<Targets> {
        Ok(self.targets.clone())
    }

    fn digest(&self) -> DataDigest {
        Subset::from(self).digest()
    }

    fn sums(&self) -> Result<Sums> {
        Ok(Sums::of(self))
    }
}

/// Whether both are of one kind.
fn same_kind(one: &Inputs, other: &Inputs) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

/// Numbers that follow each other, as ranges.
fn runs(numbers: impl Iterator<Item = usize>) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some(last) if last.end == number => last.end += 1,
            _ => runs.push(number..number + 1),
        }
    }
    runs
}
