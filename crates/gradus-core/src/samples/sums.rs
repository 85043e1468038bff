//! What a normalization is fitted to: samples in, part after part, sums over them out.
//!
//! Sums are left folds in the order of the samples, so that parts of a set of any size give the bits of the whole. They
//! are kept in the index of shards: nothing has to be read again to fit a normalization to data beyond memory.

use serde::{Deserialize, Serialize};

use super::{Dataset, Inputs, Rows, Subset};
use crate::error::{Error, Result};

/// Sums over the inputs of samples, in their order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// Number of samples.
    pub samples: usize,
    /// How often each of the 256 bytes occurs; empty for other values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) levels: Vec<u64>,
    /// The sums of each feature; empty for images of bytes, whose pixels share one normalization.
    #[serde(default, skip_serializing_if = "Moments::is_empty")]
    pub(crate) features: Moments,
    /// Over all values of images of floats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) image: Option<ImageSums>,
}

/// Sums by feature.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Moments {
    /// What is subtracted from the values of doubles before they are summed: the first sample. Empty for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) origin: Vec<f64>,
    pub(crate) min: Vec<f64>,
    pub(crate) max: Vec<f64>,
    pub(crate) sum: Vec<f64>,
    pub(crate) squares: Vec<f64>,
}

/// Sums over the pixels of images of floats.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImageSums {
    /// Whether all are grey levels from 0 to 1.
    pub(crate) are_shares: bool,
    pub(crate) sum: f64,
    pub(crate) squares: f64,
}

impl Moments {
    fn is_empty(&self) -> bool {
        self.sum.is_empty()
    }

    fn resize(&mut self, features: usize) {
        self.min.resize(features, f64::INFINITY);
        self.max.resize(features, f64::NEG_INFINITY);
        self.sum.resize(features, 0.0);
        self.squares.resize(features, 0.0);
    }

    /// Adds a value whose distance to the origin is `distance`.
    #[inline]
    fn add(&mut self, at: usize, value: f64, distance: f64) {
        self.min[at] = value.min(self.min[at]);
        self.max[at] = value.max(self.max[at]);
        self.sum[at] += distance;
        self.squares[at] += distance * distance;
    }

    fn add_rows<T: Copy + Into<f64>>(&mut self, rows: &[T]) {
        let features = self.sum.len();
        for row in rows.chunks_exact(features) {
            for (at, &value) in row.iter().enumerate() {
                let value = value.into();
                self.add(at, value, value);
            }
        }
    }

    fn is_sound(&self, features: usize) -> bool {
        let columns = [&self.min, &self.max, &self.sum, &self.squares];
        columns
            .iter()
            .all(|column| column.len() == features && column.iter().all(|value| value.is_finite()))
            && (self.origin.is_empty() || self.origin.len() == features)
    }
}

impl Sums {
    /// The sums over all samples of `data`.
    pub fn of<'a>(data: impl Into<Subset<'a>>) -> Sums {
        let mut sums = Sums::default();
        sums.add_subset(&data.into());
        sums
    }

    /// Adds the samples of a part that follows those added before. All parts have values of one kind and one shape.
    pub fn add(&mut self, part: &Dataset) {
        self.add_subset(&part.into());
    }

    /// The smallest and the largest value.
    pub fn range(&self) -> (f64, f64) {
        let levels = || (0..self.levels.len()).filter(|&level| self.levels[level] > 0);
        match (levels().next(), levels().next_back()) {
            (Some(least), Some(most)) => (least as f64, most as f64),
            _ => (
                self.features.min.iter().copied().fold(f64::INFINITY, f64::min),
                self.features.max.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ),
        }
    }

    /// The mean of all values of samples of so many features.
    pub fn mean(&self, features: usize) -> f64 {
        let samples = self.samples as f64;
        let sum: f64 = match self.levels.is_empty() {
            true => {
                let origins = self.features.origin.iter().map(|origin| samples * origin);
                self.features.sum.iter().sum::<f64>() + origins.sum::<f64>()
            }
            false => self.levels.iter().enumerate().map(|(at, &n)| at as f64 * n as f64).sum(),
        };
        sum / (samples * features as f64)
    }

    /// How many of the values are 0; none if they are not counted, as for floats.
    pub fn zeros(&self) -> Option<u64> {
        self.levels.first().copied()
    }

    fn add_subset(&mut self, data: &Subset) {
        let (features, is_image) = (data.features(), data.data().sample_shape.len() > 1);
        let is_first = self.samples == 0;
        self.samples += data.len();
        match &data.data().inputs {
            Inputs::Bytes(values) => {
                self.levels.resize(256, 0);
                data.rows_of(values).for_each(|rows| count_levels(rows, &mut self.levels));
                if !is_image {
                    self.features.resize(features);
                    data.rows_of(values).for_each(|rows| self.features.add_rows(rows));
                }
            }
            Inputs::Floats(values) => {
                self.features.resize(features);
                data.rows_of(values).for_each(|rows| self.features.add_rows(rows));
                if is_image {
                    let start = ImageSums { are_shares: true, sum: 0.0, squares: 0.0 };
                    let image = self.image.get_or_insert(start);
                    for &value in data.rows_of(values).flatten() {
                        image.are_shares &= (0.0..=1.0).contains(&value);
                        let value = f64::from(value);
                        image.sum += value;
                        image.squares += value * value;
                    }
                }
            }
            // Squares of distances keep the digits that squares of values far from 0 lose.
            Inputs::Doubles(values) => {
                self.features.resize(features);
                if is_first && let Some(rows) = data.rows_of(values).next() {
                    self.features.origin = rows[..features].to_vec();
                }
                for row in data.rows_of(values).flat_map(|rows| rows.chunks_exact(features)) {
                    for (at, &value) in row.iter().enumerate() {
                        self.features.add(at, value, value - self.features.origin[at]);
                    }
                }
            }
            Inputs::Sparse(rows) => {
                self.features.resize(features);
                let mut kept = vec![0; features];
                for sample in data.indices() {
                    let (columns, values) = rows.row(sample);
                    for (&column, &value) in columns.iter().zip(values) {
                        kept[column as usize] += 1;
                        self.features.add(column as usize, value.into(), value.into());
                    }
                }
                // Zeros change no sum, only the range.
                let with_zeros = (0..features).filter(|&at| kept[at] < data.len());
                with_zeros.for_each(|at| self.features.add(at, 0.0, 0.0));
            }
            // Raw columns have a schema, and streamed samples are read before.
            Inputs::Table(_) | Inputs::Streamed(_) => {}
        }
    }

    /// Checks that these can be the sums of so many samples of this shape and kind of values: they may come from a file.
    ///
    /// # Errors
    /// `InvalidData` if not.
    pub fn check(&self, samples: usize, sample_shape: &[usize], rows: Rows) -> Result<()> {
        let (features, is_image) = (sample_shape.iter().product(), sample_shape.len() > 1);
        let levels_are_sound = match rows {
            Rows::Bytes(_) => {
                let values = self.levels.iter().try_fold(0_u64, |sum, &it| sum.checked_add(it));
                self.levels.len() == 256 && values == Some(samples as u64 * features as u64)
            }
            _ => self.levels.is_empty(),
        };
        let features_are_sound = match (rows, is_image) {
            (Rows::Bytes(_), true) => self.features.is_empty(),
            (Rows::Doubles(_), _) => {
                self.features.is_sound(features) && self.features.origin.len() == features
            }
            _ => self.features.is_sound(features),
        };
        let image_is_sound = self.image.is_some() == (is_image && matches!(rows, Rows::Floats(_)));
        match samples == self.samples && levels_are_sound && features_are_sound && image_is_sound {
            true => Ok(()),
            false => Err(Error::new(
                crate::error::ErrorKind::InvalidData,
                format!("the sums are not those of {samples} samples of shape {sample_shape:?}"),
            )),
        }
    }

    /// The same for raw columns, which have a schema in place of sums.
    ///
    /// # Errors
    /// `InvalidData` if these are sums, or of another number of samples.
    pub fn check_raw(&self, samples: usize) -> Result<()> {
        match *self == (Sums { samples, ..Sums::default() }) {
            true => Ok(()),
            false => Err(Error::new(
                crate::error::ErrorKind::InvalidData,
                format!("there are no sums of the raw columns of {samples} samples"),
            )),
        }
    }
}

/// Counts how often each byte occurs. Equal bytes that follow each other, such as the background of images, are counted in
/// different places: a place can be added to only once in several cycles.
fn count_levels(bytes: &[u8], levels: &mut [u64]) {
    let mut counts = [[0_u64; 256]; 4];
    let (fours, rest) = bytes.as_chunks::<4>();
    for four in fours {
        for (counts, &byte) in counts.iter_mut().zip(four) {
            counts[usize::from(byte)] += 1;
        }
    }
    rest.iter().for_each(|&byte| counts[0][usize::from(byte)] += 1);
    for counts in &counts {
        levels.iter_mut().zip(counts).for_each(|(level, count)| *level += count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(inputs: Inputs, shape: &[usize]) -> Dataset {
        let samples = inputs.len() / shape.iter().product::<usize>();
        Dataset::new(inputs, vec![0; samples], shape.to_vec(), vec!["a".into()]).unwrap()
    }

    #[test]
    fn parts_give_the_bits_of_the_whole() {
        let floats: Vec<f32> = (0..600).map(|at| (at as f32 * 0.37).sin() + 0.1).collect();
        let sets = [
            (Inputs::Bytes((0..600).map(|at| (at * 7 % 251) as u8).collect()), vec![2, 3]),
            (Inputs::Bytes((0..600).map(|at| (at * 7 % 251) as u8).collect()), vec![6]),
            (Inputs::Floats(floats.clone()), vec![6]),
            (Inputs::Floats(floats.clone()), vec![3, 2]),
            (Inputs::Doubles(floats.iter().map(|&it| f64::from(it) + 1.7e9).collect()), vec![6]),
        ];
        for (inputs, shape) in sets {
            let whole = set(inputs, &shape);
            let expected = Sums::of(&whole);
            let mut found = Sums::default();
            for part in [0..1, 1..40, 40..41, 41..100] {
                let part: Vec<usize> = part.collect();
                found.add(&whole.subset(&part));
            }
            assert_eq!(found, expected);
            expected.check(100, &shape, whole.inputs.rows()).unwrap();
            assert!(expected.check(99, &shape, whole.inputs.rows()).is_err());
            let text = serde_json::to_string(&expected).unwrap();
            assert_eq!(serde_json::from_str::<Sums>(&text).unwrap(), expected);
        }
    }

    #[test]
    fn sums_are_those_of_a_plain_loop() {
        let sums = Sums::of(&set(Inputs::Floats(vec![1.0, -2.0, 3.0, 5.0]), &[2]));
        assert_eq!((&sums.features.min, &sums.features.max), (&vec![1.0, -2.0], &vec![3.0, 5.0]));
        assert_eq!(
            (&sums.features.sum, &sums.features.squares),
            (&vec![4.0, 3.0], &vec![10.0, 29.0])
        );
        let sums = Sums::of(&set(Inputs::Doubles(vec![10.0, 12.0, 13.0]), &[1]));
        assert_eq!((sums.features.sum[0], sums.features.squares[0]), (5.0, 13.0));
        assert_eq!((sums.range(), sums.zeros()), ((10.0, 13.0), None));
        assert!((sums.mean(1) - 35.0 / 3.0).abs() < 1e-12);
        let sums = Sums::of(&set(Inputs::Bytes(vec![0, 7, 7, 255]), &[2, 2]));
        assert_eq!((sums.levels[0], sums.levels[7], sums.levels[255]), (1, 2, 1));
        assert!(sums.features.is_empty());
        assert_eq!((sums.range(), sums.mean(4), sums.zeros()), ((0.0, 255.0), 67.25, Some(1)));
    }
}
