//! The index of a folder of shards, `index.json`: what is in which file, and what must not be computed from all data again.

use std::path::Path;

use gradus_core::files::json;
use gradus_core::samples::{DataDigest, Sums};
use serde::{Deserialize, Serialize};

use super::checks::BLOCK;
use super::raw::RawIndex;
use crate::error::{Error, Result, invalid};
use crate::{Columns, Inputs, Rows, Targets, Task, reading};

/// The name of the index in its folder.
pub(super) const INDEX: &str = "index.json";

/// The most classes whose labels are bytes in files.
pub(super) const MOST_BYTE_CLASSES: usize = 256;

/// The version of the format that is written and read, ...
const VERSION: u32 = 1;

/// ... and that of shards with raw columns.
const RAW_VERSION: u32 = 2;

/// The most bytes of an index: a hundred thousand shards.
const LONGEST: u64 = 64 << 20;

/// The type of the values of the inputs, named as NumPy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Uint8,
    Float32,
    Float64,
}

impl Kind {
    /// The type of these values.
    ///
    /// # Errors
    /// `InvalidArgument` for sparse rows, and for what is not in memory.
    pub(super) fn of(inputs: &Inputs) -> Result<Kind> {
        match inputs {
            Inputs::Bytes(_) => Ok(Kind::Uint8),
            Inputs::Floats(_) => Ok(Kind::Float32),
            Inputs::Doubles(_) | Inputs::Table(_) => Ok(Kind::Float64),
            Inputs::Sparse(_) => Err(Error::argument("sparse rows cannot be packed into shards")),
            Inputs::Streamed(_) => Err(Error::argument(
                "the samples are not in memory: pack the files that they are read from",
            )),
        }
    }

    /// The type as NPY files name it.
    pub(super) fn descr(self) -> &'static str {
        match self {
            Kind::Uint8 => "|u1",
            Kind::Float32 => "<f4",
            Kind::Float64 => "<f8",
        }
    }

    /// The type as NumPy names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Uint8 => "uint8",
            Kind::Float32 => "float32",
            Kind::Float64 => "float64",
        }
    }

    /// Bytes of a value.
    pub(super) fn size(self) -> usize {
        match self {
            Kind::Uint8 => 1,
            Kind::Float32 => 4,
            Kind::Float64 => 8,
        }
    }

    /// No rows of this type.
    fn rows(self) -> Rows<'static> {
        match self {
            Kind::Uint8 => Rows::Bytes(&[]),
            Kind::Float32 => Rows::Floats(&[]),
            Kind::Float64 => Rows::Doubles(&[]),
        }
    }
}

/// What the targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum TargetKind {
    Classes,
    Labels,
    Values,
}

impl TargetKind {
    pub(super) fn task(self) -> Task {
        match self {
            TargetKind::Classes => Task::Classification,
            TargetKind::Labels => Task::MultiLabel,
            TargetKind::Values => Task::Regression,
        }
    }

    pub(super) fn of(task: Task) -> TargetKind {
        match task {
            Task::Classification => TargetKind::Classes,
            Task::MultiLabel => TargetKind::Labels,
            Task::Regression => TargetKind::Values,
        }
    }

    /// No targets of this kind.
    pub(super) fn none(self, names: Vec<String>) -> Targets {
        match self {
            TargetKind::Classes => Targets::Classes { labels: Vec::new(), names },
            TargetKind::Labels => Targets::Labels { values: Vec::new(), names },
            TargetKind::Values => Targets::Values { values: Vec::new(), names },
        }
    }
}

/// A file of a shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// Its name in the folder.
    pub(super) file: String,
    /// Its SHA-256, as 64 hexadecimal digits.
    pub(super) sha256: String,
    /// The CRC-32 of each block of 8,192 rows, and of what is left at the end; none of shards that lack them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) crc32: Vec<u32>,
}

/// A shard: a file of inputs and one of the targets of the same samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shard {
    pub(super) samples: usize,
    pub(super) inputs: Entry,
    pub(super) targets: Entry,
    /// Number of samples of each class, or with each label; empty in regression.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) counts: Vec<usize>,
}

/// The content of `index.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    /// The version of the format.
    pub(super) gradus_shards: u32,
    pub(super) samples: usize,
    /// The type of the inputs.
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    pub(super) sample_shape: Vec<usize>,
    pub(super) targets: TargetKind,
    /// The names of the classes, labels or values.
    pub(super) names: Vec<String>,
    /// The columns of the table that the samples come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) columns: Option<Columns>,
    /// What the rows mean, if they are raw columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw: Option<RawIndex>,
    /// The seed of the shuffle; none if samples have the order of their source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shuffle_seed: Option<u64>,
    /// The digest of all samples, as a set in memory has it.
    pub(super) digest: DataDigest,
    /// For normalization.
    pub(super) sums: Sums,
    pub(super) shards: Vec<Shard>,
}

impl Index {
    /// An index without shards.
    pub(super) fn new(
        kind: Kind,
        sample_shape: Vec<usize>,
        targets: TargetKind,
        names: Vec<String>,
        columns: Option<Columns>,
    ) -> Index {
        let none = String::new;
        let digest =
            DataDigest { samples: 0, all: none(), inputs: none(), targets: none(), weights: None };
        Index {
            gradus_shards: VERSION,
            samples: 0,
            kind,
            sample_shape,
            targets,
            names,
            columns,
            raw: None,
            shuffle_seed: None,
            digest,
            sums: Sums::default(),
            shards: Vec::new(),
        }
    }

    /// The index of raw columns.
    pub(super) fn with_raw(self, raw: RawIndex) -> Index {
        Index { gradus_shards: RAW_VERSION, raw: Some(raw), ..self }
    }

    /// Reads and checks the index of a folder.
    ///
    /// # Errors
    /// `NotFound` or `Io` if the operating system refuses, `InvalidData` if the index is damaged.
    pub(super) fn read(folder: &Path) -> Result<Index> {
        let path = folder.join(INDEX);
        let bytes = reading::read_at_most(&path, Some(LONGEST))?;
        let index = Index::parse(&bytes);
        index.map_err(|error| error.context(path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Index> {
        #[derive(Deserialize)]
        struct Version {
            gradus_shards: u32,
        }
        let damaged = |error| {
            invalid(format!(
                "this is not the index of a folder of shards, or it is damaged: {error}; pack the data again"
            ))
        };
        let Version { gradus_shards: version } = json::parse(bytes).map_err(damaged)?;
        if ![VERSION, RAW_VERSION].contains(&version) {
            return Err(invalid(format!(
                "version {version} of the format of shards is not supported: expected {VERSION} or {RAW_VERSION}; use a newer gradus, or \
                 pack the data again"
            )));
        }
        let index: Index = json::parse(bytes).map_err(damaged)?;
        index.check()?;
        Ok(index)
    }

    /// Features of a sample.
    pub(super) fn features(&self) -> usize {
        self.sample_shape.iter().product()
    }

    fn check(&self) -> Result<()> {
        let wrong = |problem: String| {
            Err(invalid(format!("the index is damaged: {problem}; pack the data again")))
        };
        let features = self.sample_shape.iter().try_fold(1_usize, |all, &it| all.checked_mul(it));
        let values = features.and_then(|features| features.checked_mul(self.samples));
        if values.is_none_or(|values| values == 0) || self.sample_shape.is_empty() {
            return wrong(format!("{} samples of shape {:?}", self.samples, self.sample_shape));
        }
        if self.names.is_empty() {
            return wrong("no classes or values are named".to_owned());
        }
        let sum = self.shards.iter().try_fold(0_usize, |sum, it| sum.checked_add(it.samples));
        if sum != Some(self.samples) || self.digest.samples != self.samples {
            return wrong(format!("the shards do not make {} samples", self.samples));
        }
        for (number, shard) in self.shards.iter().enumerate() {
            if shard.samples == 0 {
                return wrong(format!("shard {number} has no samples"));
            }
            for Entry { file, sha256, crc32 } in [&shard.inputs, &shard.targets] {
                if !is_file_name(file) {
                    return wrong(format!("{file:?} is not the name of a file in this folder"));
                }
                if ![0, shard.samples.div_ceil(BLOCK)].contains(&crc32.len()) {
                    return wrong(format!("{file} has {} checksums of blocks", crc32.len()));
                }
                if sha256.len() != 64 || !sha256.bytes().all(|it| it.is_ascii_hexdigit()) {
                    return wrong(format!(
                        "the SHA-256 of {file} does not have 64 hexadecimal digits"
                    ));
                }
            }
            let counts = match self.targets {
                TargetKind::Values => 0,
                TargetKind::Classes | TargetKind::Labels => self.names.len(),
            };
            if shard.counts.len() != counts {
                return wrong(format!(
                    "shard {number} does not count the samples of {counts} classes"
                ));
            }
        }
        if (self.gradus_shards == RAW_VERSION) != self.raw.is_some() {
            let version = self.gradus_shards;
            return wrong(format!("raw columns do not go with version {version} of the format"));
        }
        match &self.raw {
            Some(raw) => {
                if self.kind != Kind::Float64 || self.sample_shape.len() != 1 {
                    return wrong("raw columns must be rows of float64".to_owned());
                }
                if !is_file_name(&raw.texts) {
                    return wrong(format!(
                        "{:?} is not the name of a file in this folder",
                        raw.texts
                    ));
                }
                raw.check(self.features()).or_else(wrong)?;
                self.sums.check_raw(self.samples)?;
            }
            None => self.sums.check(self.samples, &self.sample_shape, self.kind.rows())?,
        }
        self.columns.as_ref().map_or(Ok(()), |columns| columns.check(self.features()))
    }
}

/// Whether this is the name of a file in the folder itself.
fn is_file_name(file: &str) -> bool {
    let is_plain = Path::new(file).file_name().is_some_and(|name| name == file);
    is_plain && !file.contains(['/', '\\'])
}
