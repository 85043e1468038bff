//! Shards, written: samples in parts of any size in, a folder of shards out.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gradus_core::files::OutputFolder;
use gradus_core::samples::{DigestOfParts, Sums};
use sha2::{Digest as _, Sha256};

use super::checks::{BLOCK, BlockSums};
use super::index::{Entry, INDEX, Index, Kind, MOST_BYTE_CLASSES, Shard, TargetKind};
use super::raw::{RawWriter, TEXTS};
use super::reader::Shards;
use crate::bytes::{hex, read_up_to};
use crate::error::{Error, Result, invalid};
use crate::row_file::PIECE;
use crate::{Dataset, Inputs, Targets, npy};

/// About how many bytes of inputs a shard has unless the caller decides.
const SHARD_BYTES: usize = 256 << 20;

/// How samples are divided into shards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShardOptions {
    /// Samples of a shard; none for as many blocks of 8,192 as have about 256 MiB.
    pub shard_rows: Option<usize>,
    /// The seed by which the samples were shuffled, for the index.
    pub shuffle_seed: Option<u64>,
}

/// Writes samples as a folder of shards, which appears under its name at the end, or not at all.
#[derive(Debug)]
pub struct ShardWriter {
    folder: OutputFolder,
    options: ShardOptions,
    /// None before the first samples, whose type all others have.
    index: Option<Index>,
    /// None but for raw columns.
    raw: Option<RawWriter>,
    digest: DigestOfParts,
    sums: Sums,
    /// Those that are full.
    shards: Vec<Shard>,
    open: Option<OpenShard>,
    /// Samples of a full shard.
    rows: usize,
}

/// A shard that is being written.
#[derive(Debug)]
struct OpenShard {
    inputs: ArrayFile,
    targets: ArrayFile,
    samples: usize,
    counts: Vec<usize>,
}

impl ShardWriter {
    /// Begins the folder `path`, which must not exist.
    ///
    /// # Errors
    /// As [`OutputFolder::create`]; `InvalidArgument` for shards without rows.
    pub fn create(path: &Path, options: ShardOptions) -> Result<ShardWriter> {
        if options.shard_rows == Some(0) {
            return Err(Error::argument("a shard of 0 rows is none: expected at least 1"));
        }
        let folder = OutputFolder::create(path)?;
        Ok(ShardWriter {
            folder,
            options,
            index: None,
            raw: None,
            digest: DigestOfParts::default(),
            sums: Sums::default(),
            shards: Vec::new(),
            open: None,
            rows: 0,
        })
    }

    /// The folder that is written into, for other files that go with it.
    pub(super) fn inside(&self) -> &Path {
        self.folder.inside()
    }

    /// The error that a file in the folder could not be written or read again.
    pub(super) fn explain(&self, error: io::Error) -> Error {
        self.folder.explain(error)
    }

    /// Adds samples, which must be like those before: of the same type and shape, with targets of the same names.
    ///
    /// # Errors
    /// `InvalidArgument` for sparse rows and sample weights; `InvalidData` for samples of another form, and for more texts in
    /// raw columns than can be kept; `Io` if the operating system refuses, such as for a full disk.
    pub fn push(&mut self, part: &Dataset) -> Result<()> {
        match self.stored(part)? {
            Some(stored) => self.push_stored(part, &stored),
            None => self.push_stored(part, part),
        }
    }

    /// Raw columns as the rows of doubles that are stored; none for other samples.
    ///
    /// # Errors
    /// Those of [`RawWriter::encode`].
    pub(super) fn stored(&mut self, part: &Dataset) -> Result<Option<Dataset>> {
        let Inputs::Table(table) = &part.inputs else { return Ok(None) };
        let raw = self.raw.get_or_insert_with(|| RawWriter::new(table, part.columns.as_ref()));
        let inputs = Inputs::Doubles(raw.encode(table)?);
        let (targets, columns) = (part.targets.clone(), part.columns.clone());
        let (sample_shape, sample_weights) = (part.sample_shape.clone(), None);
        Ok(Some(Dataset { inputs, targets, sample_shape, sample_weights, columns }))
    }

    /// Adds samples that [`Self::stored`] gave, in any order; all have been asked for before.
    pub(super) fn push_again(&mut self, stored: &Dataset) -> Result<()> {
        match (&mut self.raw, &stored.inputs) {
            (Some(raw), Inputs::Doubles(rows)) => {
                let part = Dataset { inputs: raw.form().decode(rows)?, ..stored.clone() };
                self.push_stored(&part, stored)
            }
            _ => self.push_stored(stored, stored),
        }
    }

    /// Adds samples, which are stored as `stored`.
    fn push_stored(&mut self, part: &Dataset, stored: &Dataset) -> Result<()> {
        let kind = Kind::of(&part.inputs)?;
        if part.sample_weights.is_some() {
            return Err(Error::argument("sample weights cannot be packed into shards"));
        }
        let target_kind = TargetKind::of(part.targets.task());
        let index = self.index.get_or_insert_with(|| {
            let (shape, names) = (part.sample_shape.clone(), part.targets.names().to_vec());
            Index::new(kind, shape, target_kind, names, part.columns.clone())
        });
        let is_alike = (index.kind, &index.sample_shape, index.targets, &index.names[..])
            == (kind, &part.sample_shape, target_kind, part.targets.names());
        if !is_alike || self.raw.is_some() != matches!(part.inputs, Inputs::Table(_)) {
            return Err(invalid(format!(
                "samples of type {} and shape {:?} follow others of type {} and shape {:?}, or with other classes: all \
                 shards must have samples of one form",
                kind.name(),
                part.sample_shape,
                index.kind.name(),
                index.sample_shape
            )));
        }
        let row_bytes = kind.size() * part.features();
        self.rows = self
            .options
            .shard_rows
            // A multiple of blocks, so that a block of a shuffled epoch lies in one file.
            .unwrap_or_else(|| (SHARD_BYTES / (BLOCK * row_bytes).max(1)).max(1) * BLOCK);
        index.samples += part.len();
        let ShardWriter { folder, open, rows, shards, sums, digest, .. } = self;
        // The digest of all samples takes as long as writing them.
        let (written, ()) = rayon::join(
            || write_part(stored, folder, index, *rows, open, shards),
            || {
                sums.add(part);
                digest.add(part);
            },
        );
        written
    }

    /// Writes the index and gives the folder its name.
    ///
    /// # Errors
    /// `InvalidData` if there were no samples; `Io` if the operating system refuses.
    pub fn finish(mut self) -> Result<()> {
        let Some(mut index) = self.index.take() else {
            return Err(invalid("no data: there are no samples to pack"));
        };
        if let Some(open) = self.open.take() {
            let closed = open.close().map_err(|error| self.folder.explain(error))?;
            self.shards.push(closed);
        }
        (index.shards, index.sums) = (self.shards, self.sums);
        index.shuffle_seed = self.options.shuffle_seed;
        index.digest.samples = index.samples;
        let inside = self.folder.inside().to_owned();
        if let Some(raw) = self.raw {
            let (texts, raw) = raw.finish()?;
            let write = || {
                let mut file = File::create(inside.join(TEXTS))?;
                file.write_all(&texts)?;
                file.sync_all()
            };
            write().map_err(|error| self.folder.explain(error))?;
            index = index.with_raw(raw);
        }
        let write = |index: &Index| {
            let text = serde_json::to_vec_pretty(index).map_err(io::Error::other)?;
            let mut file = File::create(inside.join(INDEX))?;
            file.write_all(&text)?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        // The targets are read once more for the digest, which has them after all inputs.
        write(&index).map_err(|error| self.folder.explain(error))?;
        let shards = Shards::open(&inside)?;
        let targets = (0..shards.samples())
            .step_by(PIECE)
            .map(|first| shards.targets_of(first..(first + PIECE).min(shards.samples())));
        index.digest = self.digest.finish(targets)?;
        write(&index).map_err(|error| self.folder.explain(error))?;
        self.folder.commit()
    }
}

/// Adds samples to the open shard, and to as many more as they fill.
fn write_part(
    part: &Dataset,
    folder: &OutputFolder,
    index: &Index,
    rows: usize,
    open: &mut Option<OpenShard>,
    shards: &mut Vec<Shard>,
) -> Result<()> {
    let explain = |error| folder.explain(error);
    let mut from = 0;
    while from < part.len() {
        let shard = match open {
            Some(shard) => shard,
            None => {
                let created = OpenShard::create(folder.inside(), shards.len(), rows, index);
                open.insert(created.map_err(explain)?)
            }
        };
        let count = (rows - shard.samples).min(part.len() - from);
        shard.push(part, from..from + count).map_err(explain)?;
        from += count;
        if shard.samples == rows
            && let Some(full) = open.take()
        {
            shards.push(full.close().map_err(explain)?);
        }
    }
    Ok(())
}

impl OpenShard {
    fn create(folder: &Path, number: usize, rows: usize, index: &Index) -> io::Result<OpenShard> {
        let (outputs, classes) = (index.names.len(), index.names.len() <= MOST_BYTE_CLASSES);
        let (descr, size, shape, counts) = match index.targets {
            TargetKind::Classes if classes => ("|u1", 1, vec![], outputs),
            TargetKind::Classes => ("<u4", 4, vec![], outputs),
            TargetKind::Labels => ("|u1", 1, vec![outputs], outputs),
            TargetKind::Values => ("<f4", 4, vec![outputs], 0),
        };
        let create = |ending: &str, descr: &'static str, size: usize, shape: Vec<usize>| {
            let name = format!("shard-{number:05}{ending}.npy");
            let row_bytes = size * shape.iter().product::<usize>();
            ArrayFile::create(folder.join(&name), name, descr, rows, shape, row_bytes)
        };
        let kind = index.kind;
        Ok(OpenShard {
            inputs: create("", kind.descr(), kind.size(), index.sample_shape.clone())?,
            targets: create(".targets", descr, size, shape)?,
            samples: 0,
            counts: vec![0; counts],
        })
    }

    /// Adds these samples.
    fn push(&mut self, data: &Dataset, rows: std::ops::Range<usize>) -> io::Result<()> {
        let features = data.features();
        let values = rows.start * features..rows.end * features;
        match &data.inputs {
            Inputs::Bytes(all) => self.inputs.write(&all[values])?,
            Inputs::Floats(all) => self.inputs.write_all(&all[values], f32::to_le_bytes)?,
            Inputs::Doubles(all) => self.inputs.write_all(&all[values], f64::to_le_bytes)?,
            // `Kind::of` has refused them.
            Inputs::Sparse(_) | Inputs::Table(_) | Inputs::Streamed(_) => {}
        }
        self.samples += rows.len();
        match &data.targets {
            Targets::Classes { labels, names } => {
                let labels = &labels[rows];
                labels.iter().for_each(|&label| self.counts[label as usize] += 1);
                match names.len() <= MOST_BYTE_CLASSES {
                    true => self.targets.write_all(labels, |label| [label as u8]),
                    false => self.targets.write_all(labels, u32::to_le_bytes),
                }
            }
            Targets::Labels { values, names } => {
                let values = &values[rows.start * names.len()..rows.end * names.len()];
                for row in values.chunks_exact(names.len()) {
                    let pairs = self.counts.iter_mut().zip(row);
                    pairs.for_each(|(count, &value)| *count += usize::from(value));
                }
                self.targets.write(values)
            }
            Targets::Values { values, names } => {
                let values = &values[rows.start * names.len()..rows.end * names.len()];
                self.targets.write_all(values, f32::to_le_bytes)
            }
        }
    }

    fn close(self) -> io::Result<Shard> {
        let OpenShard { inputs, targets, samples, counts } = self;
        Ok(Shard {
            samples,
            inputs: inputs.close(samples)?,
            targets: targets.close(samples)?,
            counts,
        })
    }
}

/// An NPY file that is being written, and its SHA-256 so far.
#[derive(Debug)]
struct ArrayFile {
    file: File,
    name: String,
    path: PathBuf,
    hash: Sha256,
    sums: BlockSums,
    descr: &'static str,
    row_shape: Vec<usize>,
    /// The rows that the header promises.
    promised: usize,
}

impl ArrayFile {
    fn create(
        path: PathBuf,
        name: String,
        descr: &'static str,
        promised: usize,
        row_shape: Vec<usize>,
        row_bytes: usize,
    ) -> io::Result<ArrayFile> {
        let file = File::create_new(&path)?;
        let (hash, sums) = (Sha256::new(), BlockSums::new(row_bytes));
        let mut created = ArrayFile { file, name, path, hash, sums, descr, row_shape, promised };
        let header = created.header(promised);
        created.file.write_all(&header)?;
        created.hash.update(&header);
        Ok(created)
    }

    fn header(&self, rows: usize) -> Vec<u8> {
        let shape: Vec<usize> =
            std::iter::once(rows).chain(self.row_shape.iter().copied()).collect();
        npy::header(self.descr, &shape)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        // Each piece is hashed while it is still in the cache of the processor.
        for piece in bytes.chunks(1 << 18) {
            self.file.write_all(piece)?;
            self.hash.update(piece);
            self.sums.add(piece);
        }
        Ok(())
    }

    fn write_all<T: Copy, const N: usize>(
        &mut self,
        values: &[T],
        bytes: impl Fn(T) -> [u8; N],
    ) -> io::Result<()> {
        for piece in values.chunks(1 << 16) {
            let bytes: Vec<[u8; N]> = piece.iter().map(|&value| bytes(value)).collect();
            self.write(bytes.as_flattened())?;
        }
        Ok(())
    }

    /// Forces the file to the disk. The header gets the right number of rows, which only the last shard's lacks: then the
    /// file is hashed again.
    fn close(mut self, rows: usize) -> io::Result<Entry> {
        if rows != self.promised {
            let header = self.header(rows);
            self.file.seek(SeekFrom::Start(0))?;
            self.file.write_all(&header)?;
            let (mut file, mut piece) = (File::open(&self.path)?, vec![0; PIECE]);
            self.hash = Sha256::new();
            loop {
                let count = read_up_to(&mut Read::by_ref(&mut file), &mut piece)?;
                if count == 0 {
                    break;
                }
                self.hash.update(&piece[..count]);
            }
        }
        self.file.sync_all()?;
        let (sha256, crc32) = (hex(&self.hash.finalize().into()), self.sums.finish());
        Ok(Entry { file: self.name, sha256, crc32 })
    }
}
