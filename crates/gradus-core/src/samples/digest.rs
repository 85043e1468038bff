//! What tells one data set from another: a digest of what is learned from it.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Dataset, RawColumn, Rows, Subset, Targets};
use crate::error::Result;

/// Digests of a data set, of all and part by part: SHA-256, each as 64 hexadecimal digits. Names and shapes are not
/// part of them: training does not depend on them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataDigest {
    /// Number of samples.
    pub samples: usize,
    /// Of the inputs, targets and weights.
    pub all: String,
    /// Of the inputs, sample after sample; of raw columns that of the digests of all columns.
    pub inputs: String,
    /// Of the labels, or of the values.
    pub targets: String,
    /// Of the sample weights; none if there are none.
    pub weights: Option<String>,
}

impl DataDigest {
    /// What of the data has changed, in the order in which it is looked for; none if it is unknown.
    pub(crate) fn difference(&self, now: &DataDigest) -> Option<String> {
        if self.samples != now.samples {
            return Some(format!("there were {} samples, and now {}", self.samples, now.samples));
        }
        let changed = [
            (self.inputs != now.inputs, "the values of the inputs"),
            (self.targets != now.targets, "the targets"),
            (self.weights != now.weights, "the sample weights"),
        ];
        let changed: Vec<_> = changed.into_iter().filter(|it| it.0).map(|it| it.1).collect();
        match &changed[..] {
            [] => None,
            ["the sample weights"] => Some("the sample weights have changed".into()),
            _ => Some(format!(
                "{}, or the order of the samples, have changed",
                changed.join(" and ")
            )),
        }
    }
}

impl Dataset {
    /// SHA-256 of the samples, their targets and weights, as 64 hexadecimal digits. Names and shapes are not
    /// part of it: training does not depend on them.
    pub fn sha256(&self) -> String {
        Subset::from(self).sha256()
    }
}

impl Subset<'_> {
    /// The digest of a data set of these samples alone.
    pub fn sha256(&self) -> String {
        self.digest().all
    }

    /// The digests of a data set of these samples alone.
    pub fn digest(&self) -> DataDigest {
        if let Some(streamed) = self.streamed() {
            return self.digest_of_streamed(streamed);
        }
        let mut hash = InputHash::default();
        hash.add(self);
        let mut hash = hash.finish();
        // The inputs are most of the data: they go through the hash once for both digests.
        let inputs = hash.clone();
        let (mut targets, mut weights) = (Sha256::new(), None);
        for hash in [&mut hash, &mut targets] {
            begin_targets(&self.data().targets, hash);
            self.add_targets(hash);
        }
        if let Some(values) = &self.data().sample_weights {
            let weights = weights.insert(Sha256::new());
            for sample in self.indices() {
                let bytes = values[sample].to_le_bytes();
                hash.update(bytes);
                weights.update(bytes);
            }
        }
        DataDigest {
            samples: self.len(),
            all: hex(hash),
            inputs: hex(inputs),
            targets: hex(targets),
            weights: weights.map(hex),
        }
    }

    /// The digests of targets and weights alone.
    pub(super) fn digests_of_targets_and_weights(&self) -> (String, Option<String>) {
        let (mut targets, mut weights) = (Sha256::new(), Sha256::new());
        begin_targets(&self.data().targets, &mut targets);
        self.add_targets(&mut targets);
        let given = self.data().sample_weights.as_ref();
        for sample in self.indices().filter(|_| given.is_some()) {
            weights.update(given.map_or(0.0, |values| values[sample]).to_le_bytes());
        }
        (hex(targets), given.map(|_| hex(weights)))
    }

    fn add_targets(&self, hash: &mut Sha256) {
        add_targets(&self.data().targets, self.indices(), hash);
    }
}

/// The hash of inputs that come in parts, one after the other.
#[derive(Debug, Clone, Default)]
struct InputHash {
    rows: Sha256,
    /// Of each raw column, of which a part has some rows.
    columns: Vec<Sha256>,
}

impl InputHash {
    /// Adds the next part.
    fn add(&mut self, part: &Subset) {
        let hash = &mut self.rows;
        match part.rows() {
            Rows::Bytes(values) => part.rows_of(values).for_each(|row| hash.update(row)),
            Rows::Floats(values) => {
                part.rows_of(values).for_each(|row| update(hash, row, f32::to_le_bytes));
            }
            Rows::Doubles(values) => {
                part.rows_of(values).for_each(|row| update(hash, row, f64::to_le_bytes));
            }
            Rows::Sparse(rows) => {
                for sample in part.indices() {
                    let (columns, values) = rows.row(sample);
                    hash.update((columns.len() as u64).to_le_bytes());
                    update(hash, columns, u32::to_le_bytes);
                    update(hash, values, f32::to_le_bytes);
                }
            }
            Rows::Table(table) => {
                if self.columns.is_empty() {
                    let begin = |it: &RawColumn| Sha256::new_with_prefix(it.kind().plural());
                    self.columns = table.columns().iter().map(begin).collect();
                }
                let pairs = table.columns().iter().zip(&mut self.columns);
                pairs.for_each(|(column, hash)| add_column(column, part, hash));
            }
            // Their digest is that of the source.
            Rows::Streamed(_) => {}
        }
    }

    /// The hash of all parts.
    fn finish(self) -> Sha256 {
        let InputHash { mut rows, columns } = self;
        columns.into_iter().for_each(|column| rows.update(column.finalize()));
        rows
    }
}

/// Adds the rows of a column that are in `part`.
fn add_column(column: &RawColumn, part: &Subset, hash: &mut Sha256) {
    match column {
        RawColumn::Numbers(values) => {
            let values: Vec<f64> = part.indices().map(|sample| values[sample]).collect();
            update(hash, &values, f64::to_le_bytes);
        }
        // The numbering of the texts says nothing.
        RawColumn::Text { codes, values, .. } => {
            let mut bytes = Vec::new();
            for sample in part.indices() {
                let text = values.get(codes[sample] as usize);
                let length = text.map_or(u64::MAX, |text| text.len() as u64);
                bytes.extend(length.to_le_bytes());
                bytes.extend(text.map_or("", |text| text).bytes());
                if bytes.len() >= 1 << 16 {
                    hash.update(&bytes);
                    bytes.clear();
                }
            }
            hash.update(&bytes);
        }
        RawColumn::Times(values) => {
            let values: Vec<i64> = part.indices().map(|sample| values[sample]).collect();
            update(hash, &values, i64::to_le_bytes);
        }
    }
}

/// The digest of a data set that comes in parts, one after the other: the same as that of the whole ([`Subset::digest`]).
#[derive(Debug, Clone, Default)]
pub struct DigestOfParts {
    samples: usize,
    inputs: InputHash,
    targets: Sha256,
}

impl DigestOfParts {
    /// Adds the next part: dense values or raw columns, without sample weights.
    pub fn add(&mut self, part: &Dataset) {
        let subset = Subset::from(part);
        self.inputs.add(&subset);
        if self.samples == 0 {
            begin_targets(&part.targets, &mut self.targets);
        }
        subset.add_targets(&mut self.targets);
        self.samples += part.len();
    }

    /// The digest of all parts. It ends with all targets, which are given once more, part by part.
    ///
    /// # Errors
    /// The first of `targets`.
    pub fn finish(self, targets: impl IntoIterator<Item = Result<Targets>>) -> Result<DataDigest> {
        let inputs = self.inputs.finish();
        let mut all = inputs.clone();
        for (number, part) in targets.into_iter().enumerate() {
            let part = part?;
            if number == 0 {
                begin_targets(&part, &mut all);
            }
            let every = 0..part.samples();
            add_targets(&part, every, &mut all);
        }
        Ok(DataDigest {
            samples: self.samples,
            all: hex(all),
            inputs: hex(inputs),
            targets: hex(self.targets),
            weights: None,
        })
    }
}

/// What comes before the targets, so that no labels look like values.
fn begin_targets(targets: &Targets, hash: &mut Sha256) {
    match targets {
        Targets::Classes { .. } => {}
        Targets::Labels { .. } => hash.update(b"labels"),
        Targets::Values { .. } => hash.update(b"values"),
    }
}

/// Adds the targets of the samples at `indices`.
fn add_targets(targets: &Targets, indices: impl Iterator<Item = usize>, hash: &mut Sha256) {
    match targets {
        Targets::Classes { labels, .. } => {
            let labels: Vec<u32> = indices.map(|sample| labels[sample]).collect();
            update(hash, &labels, u32::to_le_bytes);
        }
        Targets::Labels { values, names } => {
            for sample in indices {
                hash.update(&values[sample * names.len()..][..names.len()]);
            }
        }
        Targets::Values { values, names } => {
            for sample in indices {
                let values = &values[sample * names.len()..][..names.len()];
                update(hash, values, f32::to_le_bytes);
            }
        }
    }
}

pub(super) fn hex(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn update<T: Copy, const N: usize>(hash: &mut Sha256, values: &[T], bytes: impl Fn(T) -> [u8; N]) {
    for part in values.chunks(4096) {
        let bytes: Vec<u8> = part.iter().flat_map(|&value| bytes(value)).collect();
        hash.update(&bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Inputs;

    #[test]
    fn samples_answers_and_weights_count_and_names_do_not() {
        let set = |inputs: Vec<u8>, labels: Vec<u32>, names: [&str; 2]| {
            let names = names.map(String::from).to_vec();
            Dataset::new(Inputs::Bytes(inputs), labels, vec![2], names).unwrap()
        };
        let first = set(vec![1, 2, 3, 4], vec![0, 1], ["a", "b"]);
        // sha256 of the bytes 1 2 3 4, 0 0 0 0, 1 0 0 0.
        let expected = "56f607df01df60d37420c77623fa0c62613fdb394f5389bdaa719a6a286cd7a5";
        assert_eq!(first.sha256(), expected);
        assert_eq!(set(vec![1, 2, 3, 4], vec![0, 1], ["c", "d"]).sha256(), expected);
        assert_ne!(set(vec![1, 2, 4, 3], vec![0, 1], ["a", "b"]).sha256(), expected);
        assert_ne!(set(vec![1, 2, 3, 4], vec![1, 0], ["a", "b"]).sha256(), expected);
        let weighted = first.with_sample_weights(vec![1.0, 2.0]).unwrap();
        assert_ne!(weighted.sha256(), expected);
        for indices in [&[1][..], &[1, 0, 1]] {
            let subset = Subset::new(&weighted, indices).unwrap();
            assert_eq!(subset.sha256(), subset.to_dataset().sha256());
        }
    }

    #[test]
    fn parts_have_the_digest_of_the_whole() {
        let targets = [
            Targets::Classes { labels: vec![0, 1, 1, 0, 1], names: vec!["a".into(), "b".into()] },
            Targets::Labels { values: vec![0, 1, 1, 0, 1], names: vec!["a".into()] },
            Targets::Values { values: vec![0.5, 1.0, 1.5, 0.0, 1.0], names: vec!["a".into()] },
        ];
        for targets in targets {
            let inputs = Inputs::Floats((0..10).map(|at| at as f32).collect());
            let whole = Dataset::with_targets(inputs, targets, vec![2]).unwrap();
            let parts = [vec![0], vec![1, 2, 3], vec![4]].map(|part| whole.subset(&part));
            let mut digest = DigestOfParts::default();
            parts.iter().for_each(|part| digest.add(part));
            let targets = parts.iter().map(|part| Ok(part.targets.clone()));
            assert_eq!(digest.finish(targets).unwrap(), Subset::from(&whole).digest());
        }
    }
}
