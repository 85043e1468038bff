//! A folder of shards, read: a path in, any of its samples out, read at their places.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use gradus_core::samples::{DataDigest, Source, Sums};

use super::checks;
use super::index::{Entry, INDEX, Index, Kind, MOST_BYTE_CLASSES, TargetKind};
use super::raw::RawForm;
use crate::array::Values;
use crate::bytes::hex;
use crate::error::{Error, Result};
use crate::row_file::RowFile;
use crate::{ColumnType, Columns, Dataset, Inputs, Targets, Task};

/// A folder of shards. The samples stay in their files.
#[derive(Debug)]
pub struct Shards {
    folder: PathBuf,
    index: Index,
    shards: Vec<Shard>,
    /// What the rows mean, if they are raw columns.
    raw: Option<RawForm>,
}

/// The files of a shard.
#[derive(Debug)]
struct Shard {
    /// The number of its first sample.
    first: usize,
    inputs: RowFile,
    targets: RowFile,
    /// The checksums of their blocks.
    sums: [Vec<u32>; 2],
}

/// Whether `path` is a folder of shards, be it damaged or not.
pub fn is_shards(path: &Path) -> bool {
    // Other data may have an index of this name.
    let says_so = || {
        let mut start = Vec::new();
        let file = File::open(path.join(INDEX)).ok()?;
        file.take(1024).read_to_end(&mut start).ok()?;
        Some(start.windows(MARK.len()).any(|it| it == MARK))
    };
    path.is_dir() && (path.join(FIRST).is_file() || says_so() == Some(true))
}

/// The name of the first file.
const FIRST: &str = "shard-00000.npy";

/// What an index begins with.
const MARK: &[u8] = b"\"gradus_shards\"";

impl Shards {
    /// Opens a folder of shards: the index and the size of each file are checked; the content is, block by block, when it is
    /// read, and as a whole by [`Shards::verify`].
    ///
    /// # Errors
    /// `NotFound` or `Io` if a file cannot be read, `InvalidData` if the index is damaged or a file does not have the size
    /// and the type that the index promises. Each names the file.
    pub fn open(folder: &Path) -> Result<Shards> {
        let index = Index::read(folder)?;
        let (mut shards, mut first) = (Vec::new(), 0);
        for entry in &index.shards {
            let open = |file: &Entry| {
                let path = folder.join(&file.file);
                let found = RowFile::open(&path);
                found.map_err(|error| match path.exists() {
                    true => error,
                    false => Error::not_found(format!(
                        "{}: this shard is missing; the index of its folder lists it: copy the folder again",
                        path.display()
                    )),
                })
            };
            let (inputs, targets) = (open(&entry.inputs)?, open(&entry.targets)?);
            let expected = (entry.samples, &index.sample_shape[..], index.kind.size());
            check_file(&inputs, expected, &index)?;
            let (outputs, size) = (index.names.len(), target_size(&index));
            let shape = match index.targets {
                TargetKind::Classes => &[][..],
                TargetKind::Labels | TargetKind::Values => &[outputs],
            };
            check_file(&targets, (entry.samples, shape, size), &index)?;
            let sums = [entry.inputs.crc32.clone(), entry.targets.crc32.clone()];
            shards.push(Shard { first, inputs, targets, sums });
            first += entry.samples;
        }
        let bytes = shards.iter().map(Shard::bytes).sum();
        for shard in &mut shards {
            shard.inputs.set_bytes_in_all(bytes);
            shard.targets.set_bytes_in_all(bytes);
        }
        let raw = index.raw.as_ref().map(|raw| RawForm::read(folder, raw)).transpose()?;
        Ok(Shards { folder: folder.to_owned(), index, shards, raw })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.index.samples
    }

    /// Number of shards.
    pub fn count(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of all files but the index.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(Shard::bytes).sum()
    }

    /// Shape of one sample.
    pub fn sample_shape(&self) -> &[usize] {
        &self.index.sample_shape
    }

    /// Values in one sample.
    pub fn features(&self) -> usize {
        self.index.features()
    }

    /// The types of raw columns, which are stored as rows of doubles; none for other samples.
    pub fn raw_types(&self) -> Option<&[ColumnType]> {
        self.index.raw.as_ref().map(|raw| &raw.types[..])
    }

    /// The type of the stored inputs as NumPy names it.
    pub fn type_name(&self) -> &'static str {
        self.index.kind.name()
    }

    /// Bytes of the inputs of a sample.
    pub fn row_bytes(&self) -> usize {
        self.index.kind.size() * self.features()
    }

    /// What kind of targets the samples have.
    pub fn task(&self) -> Task {
        self.index.targets.task()
    }

    /// The names of the classes, labels or values.
    pub fn output_names(&self) -> &[String] {
        &self.index.names
    }

    /// Number of samples of each class, or with each label; empty in regression.
    pub fn class_counts(&self) -> Vec<usize> {
        let mut counts = Vec::new();
        for shard in &self.index.shards {
            counts.resize(shard.counts.len(), 0);
            counts.iter_mut().zip(&shard.counts).for_each(|(sum, count)| *sum += count);
        }
        counts
    }

    /// The columns of the table that the samples come from, if they come from one.
    pub fn columns(&self) -> Option<&Columns> {
        self.index.columns.as_ref()
    }

    /// The seed that the samples were shuffled by; none if they have the order of their source.
    pub fn shuffle_seed(&self) -> Option<u64> {
        self.index.shuffle_seed
    }

    /// The digest that the samples have as a set in memory, from the index.
    pub fn digest(&self) -> DataDigest {
        self.index.digest.clone()
    }

    /// The sums over all inputs, from the index.
    pub fn sums(&self) -> &Sums {
        &self.index.sums
    }

    /// The samples `rows`, read at their places.
    ///
    /// # Errors
    /// `Io` if the operating system refuses; `InvalidData` if a file has been truncated since the folder was opened, a block of
    /// 8,192 rows that is read as a whole does not have its checksum, or there are values that are not allowed. Panics for
    /// samples beyond the last.
    pub fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        let inputs = self.inputs(rows.clone())?;
        let targets = self.targets_of(rows)?;
        let data = Dataset::with_targets(inputs, targets, self.index.sample_shape.clone());
        let data = data.and_then(|data| match &self.index.columns {
            Some(columns) => data.with_columns(columns.clone()),
            None => Ok(data),
        });
        data.map_err(|error| error.context(self.folder.display()))
    }

    /// The inputs of the samples `rows` alone.
    ///
    /// # Errors
    /// As [`Shards::read`].
    pub fn inputs(&self, rows: Range<usize>) -> Result<Inputs> {
        self.inputs_in(rows, Vec::new())
    }

    /// As [`Shards::inputs`]; bytes may be in the memory of `memory`.
    fn inputs_in(&self, rows: Range<usize>, mut memory: Vec<u8>) -> Result<Inputs> {
        let features = self.features();
        let mut inputs = match self.index.kind {
            Kind::Uint8 => Inputs::Bytes(Vec::with_capacity(rows.len() * features)),
            Kind::Float32 => Inputs::Floats(Vec::with_capacity(rows.len() * features)),
            Kind::Float64 => Inputs::Doubles(Vec::with_capacity(rows.len() * features)),
        };
        for (shard, part) in self.parts(rows) {
            let memory = std::mem::take(&mut memory);
            match (&mut inputs, shard.read(&shard.inputs, &shard.sums[0], part, memory)?) {
                (Inputs::Bytes(all), Values::U8(values)) if all.is_empty() => *all = values,
                (Inputs::Bytes(all), Values::U8(values)) => all.extend(values),
                (Inputs::Floats(all), Values::F32(values)) if all.is_empty() => *all = values,
                (Inputs::Floats(all), Values::F32(values)) => all.extend(values),
                (Inputs::Doubles(all), Values::F64(values)) if all.is_empty() => *all = values,
                (Inputs::Doubles(all), Values::F64(values)) => all.extend(values),
                (_, values) => return Err(self.other_type(&shard.inputs, values.type_name())),
            }
        }
        match (&self.raw, &inputs) {
            (Some(raw), Inputs::Doubles(rows)) if rows.is_empty() => raw.none(),
            (Some(raw), Inputs::Doubles(rows)) => {
                raw.decode(rows).map_err(|error| error.context(self.folder.display()))
            }
            _ => Ok(inputs),
        }
    }

    /// The targets of all samples.
    ///
    /// # Errors
    /// As [`Shards::read`].
    pub fn targets(&self) -> Result<Targets> {
        self.targets_of(0..self.samples())
    }

    /// All samples in memory. The digest of each file is checked.
    ///
    /// # Errors
    /// As [`Shards::verify`] and [`Shards::read`].
    pub fn load(&self) -> Result<Dataset> {
        self.verify(&mut |_| {})?;
        self.read(0..self.samples())
    }

    /// Reads every file and compares its SHA-256 with that in the index; `progress` hears how many bytes have been read.
    ///
    /// # Errors
    /// `InvalidData` naming the first file that is another one than was packed.
    pub fn verify(&self, progress: &mut dyn FnMut(u64)) -> Result<()> {
        let mut done = 0;
        for (shard, entry) in self.shards.iter().zip(&self.index.shards) {
            for (file, entry) in [(&shard.inputs, &entry.inputs), (&shard.targets, &entry.targets)]
            {
                let found = file.sha256(|count| {
                    done += count as u64;
                    progress(done);
                })?;
                if hex(&found) != entry.sha256.to_ascii_lowercase() {
                    return Err(Error::data(
                        file.path(),
                        format!(
                            "this shard is damaged, or was swapped with another file: its SHA-256 is {}, but the index \
                             has {}; copy it again",
                            hex(&found),
                            entry.sha256
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    /// The targets of the samples `rows`.
    ///
    /// # Errors
    /// As [`Shards::read`]; values are not checked.
    pub fn targets_of(&self, rows: Range<usize>) -> Result<Targets> {
        let mut targets = self.index.targets.none(self.index.names.clone());
        for (shard, part) in self.parts(rows) {
            let values = shard.read(&shard.targets, &shard.sums[1], part, Vec::new())?;
            match (&mut targets, values) {
                (Targets::Classes { labels, .. }, Values::U8(values)) => {
                    labels.extend(values.into_iter().map(u32::from));
                }
                // From unsigned ones, which are all positive; others are no classes.
                (Targets::Classes { labels, .. }, Values::I64(values)) => {
                    labels
                        .extend(values.into_iter().map(|it| u32::try_from(it).unwrap_or(u32::MAX)));
                }
                (Targets::Labels { values: all, .. }, Values::U8(values)) => all.extend(values),
                (Targets::Values { values: all, .. }, Values::F32(values)) => all.extend(values),
                (_, values) => return Err(self.other_type(&shard.targets, values.type_name())),
            }
        }
        Ok(targets)
    }

    /// The shards that have these samples, and which of their rows these are.
    fn parts(&self, rows: Range<usize>) -> impl Iterator<Item = (&Shard, Range<usize>)> {
        assert!(rows.end <= self.samples(), "samples {rows:?} of {}", self.samples());
        let from = self.shards.partition_point(|it| it.first + it.inputs.samples() <= rows.start);
        let touched = self.shards[from..].iter().take_while(move |it| it.first < rows.end);
        let Range { start, end } = rows;
        touched.map(move |shard| {
            let last = (shard.first + shard.inputs.samples()).min(end);
            (shard, start.max(shard.first) - shard.first..last - shard.first)
        })
    }

    fn other_type(&self, file: &RowFile, found: &str) -> Error {
        let of = match self.index.targets {
            TargetKind::Classes => "whole numbers for classes",
            TargetKind::Labels => "bytes for labels",
            TargetKind::Values => "float32 for values",
        };
        Error::data(
            file.path(),
            format!(
                "the file holds {found}, which is not what the index says: expected {} for inputs and {of}; pack the \
                 data again",
                self.index.kind.name()
            ),
        )
    }
}

impl Shard {
    /// Bytes of its files.
    fn bytes(&self) -> u64 {
        self.inputs.length() + self.targets.length()
    }

    /// The values in these rows of one of its files; bytes are in the memory of `memory`. Blocks that are read as a whole are
    /// checked.
    fn read(
        &self,
        file: &RowFile,
        sums: &[u32],
        rows: Range<usize>,
        memory: Vec<u8>,
    ) -> Result<Values> {
        let bytes = file.bytes(rows.clone(), memory)?;
        checks::check(sums, file.samples(), rows, &bytes).map_err(|block| {
            Error::data(
                file.path(),
                format!(
                    "this shard is damaged, or was swapped with another file: its rows {} to {} do not have the checksum \
                     in the index; copy it again",
                    block.start,
                    block.end - 1
                ),
            )
        })?;
        file.decode(bytes)
    }
}

/// Bytes of the target of a sample in one column.
fn target_size(index: &Index) -> usize {
    match index.targets {
        TargetKind::Classes if index.names.len() <= MOST_BYTE_CLASSES => 1,
        TargetKind::Labels => 1,
        TargetKind::Classes | TargetKind::Values => 4,
    }
}

/// Checks the shape of an array, and how many bytes its values have.
fn check_file(file: &RowFile, expected: (usize, &[usize], usize), index: &Index) -> Result<()> {
    let (samples, shape, size) = expected;
    let features = shape.iter().product::<usize>();
    let found = file.sample_shape().iter().product::<usize>();
    if (file.samples(), found, file.row_bytes()) == (samples, features, features * size) {
        return Ok(());
    }
    let whole = |samples: usize, shape: &[usize]| -> Vec<usize> {
        std::iter::once(samples).chain(shape.iter().copied()).collect()
    };
    Err(Error::data(
        file.path(),
        format!(
            "the file holds an array of shape {:?} with {} bytes a row, but the index of its folder ({} samples in {} \
             shards) promises {:?} with {} bytes a row: it belongs to other data; copy the folder again",
            whole(file.samples(), file.sample_shape()),
            file.row_bytes(),
            index.samples,
            index.shards.len(),
            whole(samples, shape),
            features * size
        ),
    ))
}

/// Training and evaluation read shards piece by piece.
impl Source for Shards {
    fn samples(&self) -> usize {
        self.samples()
    }

    fn read(&self, rows: Range<usize>) -> Result<Dataset> {
        self.read(rows)
    }

    fn inputs(&self, rows: Range<usize>, memory: Inputs) -> Result<Inputs> {
        match memory {
            Inputs::Bytes(memory) => self.inputs_in(rows, memory),
            // Their values have to be checked, too.
            _ => Ok(self.read(rows)?.inputs),
        }
    }

    fn targets(&self) -> Result<Targets> {
        self.targets()
    }

    fn digest(&self) -> DataDigest {
        self.digest()
    }

    fn sums(&self) -> Result<Sums> {
        Ok(self.sums().clone())
    }
}
