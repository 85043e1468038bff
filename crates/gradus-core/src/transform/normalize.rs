//! Normalisation: each raw value shifted and scaled, by numbers fitted to the training data.

use crate::samples::{Inputs, Subset};

/// Which normalisation is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Raw values.
    None,
    /// To [0, 1]: bytes over 255; other values from their smallest to their largest, by feature.
    Unit,
    /// Mean 0 and standard deviation 1: over all pixels of byte images, else by feature.
    Standard,
}

impl Normalization {
    /// All of them.
    pub const ALL: [Normalization; 3] =
        [Normalization::None, Normalization::Unit, Normalization::Standard];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Normalization::None => "none",
            Normalization::Unit => "unit",
            Normalization::Standard => "standard",
        }
    }

    /// The normalisation of this name.
    pub fn from_name(name: &str) -> Option<Normalization> {
        Normalization::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// `x' = (x - mean) / std`, fitted to training data. Files call the standard deviation `deviation`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affine {
    /// The same for every value.
    Scalar {
        /// Subtracted.
        mean: f32,
        /// Divided by; never 0.
        #[serde(rename = "deviation")]
        std: f32,
    },
    /// One pair for each feature.
    PerFeature {
        /// Subtracted.
        means: Vec<f32>,
        /// Divided by; never 0.
        #[serde(rename = "deviations")]
        stds: Vec<f32>,
    },
}

impl Affine {
    /// Leaves values as they are.
    pub const IDENTITY: Affine = Affine::Scalar { mean: 0.0, std: 1.0 };

    /// Fits `kind` to training data. A feature that never changes is only shifted.
    pub fn fit<'a>(kind: Normalization, data: impl Into<Subset<'a>>) -> Affine {
        let data = data.into();
        let image = data.data().sample_shape.len() > 1;
        match (kind, &data.data().inputs) {
            (Normalization::None, _) => Affine::IDENTITY,
            (Normalization::Unit, Inputs::Bytes(_)) => Affine::Scalar { mean: 0.0, std: 255.0 },
            (Normalization::Standard, Inputs::Bytes(values)) if image => {
                let mut counts = [0u64; 256];
                for row in data.rows_of(values) {
                    row.iter().for_each(|&value| counts[value as usize] += 1);
                }
                let total = data.values().max(1) as f64;
                let mean = |power: i32| {
                    let sum = |(v, &n): (usize, &u64)| (v as f64).powi(power) * n as f64;
                    counts.iter().enumerate().map(sum).sum::<f64>() / total
                };
                let variance = mean(2) - mean(1) * mean(1);
                Affine::Scalar { mean: mean(1) as f32, std: not_zero(variance.sqrt()) }
            }
            (kind, _) => by_feature(kind, &data),
        }
    }

    /// `out = (row - mean) / std` for one sample of bytes.
    pub fn apply_bytes(&self, row: &[u8], out: &mut [f32]) {
        out.iter_mut().zip(row).for_each(|(out, &byte)| *out = byte.into());
        self.apply(out);
    }

    /// `out = (row - mean) / std` for one sample of floats.
    pub fn apply_floats(&self, row: &[f32], out: &mut [f32]) {
        out.copy_from_slice(row);
        self.apply(out);
    }

    /// The same for a sample of which only `values` at the features `columns` are other than 0.
    pub(crate) fn apply_sparse(&self, (columns, values): (&[u32], &[f32]), out: &mut [f32]) {
        out.fill(0.0);
        for (&column, &value) in columns.iter().zip(values) {
            out[column as usize] = value;
        }
        self.apply(out);
    }

    /// `row = (row - mean) / std`
    fn apply(&self, row: &mut [f32]) {
        match self {
            Affine::Scalar { mean, std } => {
                row.iter_mut().for_each(|x| *x = (*x - mean) / std);
            }
            Affine::PerFeature { means, stds } => {
                for ((x, mean), std) in row.iter_mut().zip(means).zip(stds) {
                    *x = (*x - mean) / std;
                }
            }
        }
    }
}

fn not_zero(std: f64) -> f32 {
    if std > 0.0 && std.is_finite() { std as f32 } else { 1.0 }
}

fn by_feature(kind: Normalization, data: &Subset) -> Affine {
    let features = data.features();
    let mut stats = vec![(f64::INFINITY, f64::NEG_INFINITY, 0.0, 0.0); features];
    let mut add = |at: usize, value: f64| {
        let (min, max, sum, squares) = &mut stats[at % features];
        *min = value.min(*min);
        *max = value.max(*max);
        *sum += value;
        *squares += value * value;
    };
    match &data.data().inputs {
        Inputs::Bytes(values) => {
            for row in data.rows_of(values) {
                row.iter().enumerate().for_each(|(i, &value)| add(i, f64::from(value)));
            }
        }
        Inputs::Floats(values) => {
            for row in data.rows_of(values) {
                row.iter().enumerate().for_each(|(i, &value)| add(i, f64::from(value)));
            }
        }
        Inputs::Sparse(rows) => {
            let mut kept = vec![0; features];
            for sample in data.indices() {
                let (columns, values) = rows.row(sample);
                for (&column, &value) in columns.iter().zip(values) {
                    kept[column as usize] += 1;
                    add(column as usize, f64::from(value));
                }
            }
            // Zeros change no sum.
            let with_zeros = (0..features).filter(|&at| kept[at] < data.len());
            with_zeros.for_each(|at| add(at, 0.0));
        }
    }
    let samples = data.len() as f64;
    let (means, stds) = stats
        .iter()
        .map(|&(min, max, sum, squares)| match kind {
            Normalization::Standard => {
                let mean = sum / samples;
                let variance = (squares / samples - mean * mean).max(0.0);
                // What is left of a constant column by rounding is no standard deviation.
                let constant = max <= min;
                (mean as f32, if constant { 1.0 } else { not_zero(variance.sqrt()) })
            }
            _ => (min as f32, not_zero(max - min)),
        })
        .unzip();
    Affine::PerFeature { means, stds }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, SparseRows};

    fn set(inputs: Inputs, shape: Vec<usize>) -> Dataset {
        let samples = inputs.len() / shape.iter().product::<usize>();
        Dataset::new(inputs, vec![0; samples], shape, vec!["a".into()]).unwrap()
    }

    #[test]
    fn byte_images_share_one_mean_and_std() {
        let data = set(Inputs::Bytes(vec![0, 0, 0, 200, 0, 0, 100, 100]), vec![2, 2]);
        assert_eq!(
            Affine::fit(Normalization::Unit, &data),
            Affine::Scalar { mean: 0.0, std: 255.0 }
        );
        let Affine::Scalar { mean, std } = Affine::fit(Normalization::Standard, &data) else {
            panic!("not scalar");
        };
        assert_eq!(mean, 50.0);
        assert!((std - (60_000f32 / 8.0 - 2500.0).sqrt()).abs() < 1e-3);
    }

    #[test]
    fn columns_of_a_table_get_their_own() {
        let values = vec![1.0, 10.0, 7.0, 3.0, 30.0, 7.0, 5.0, 20.0, 7.0];
        let data = set(Inputs::Floats(values), vec![3]);
        let mut out = [0.0; 3];
        Affine::fit(Normalization::Unit, &data).apply_floats(&[5.0, 20.0, 7.0], &mut out);
        assert_eq!(out, [1.0, 0.5, 0.0]);
        Affine::fit(Normalization::Standard, &data).apply_floats(&[3.0, 30.0, 8.0], &mut out);
        assert_eq!(out[0], 0.0);
        assert!((out[1] - 1.5f32.sqrt()).abs() < 1e-6);
        assert_eq!(out[2], 1.0);
    }

    #[test]
    fn sparse_rows_are_normalised_as_dense_ones() {
        let dense = vec![0.0, 0.0, -7.0, 3.0, 0.0, -6.0, 0.0, 0.0, -5.0];
        let (columns, values) = (vec![2, 0, 2, 2], vec![-7.0, 3.0, -6.0, -5.0]);
        let sparse = SparseRows::new(3, vec![0, 1, 3, 4], columns, values).unwrap();
        let dense = set(Inputs::Floats(dense), vec![3]);
        let data = set(Inputs::Sparse(sparse.clone()), vec![3]);
        for kind in Normalization::ALL {
            let affine = Affine::fit(kind, &data);
            assert_eq!(affine, Affine::fit(kind, &dense));
            for sample in 0..3 {
                let (mut found, mut expected) = ([9.0; 3], [0.0; 3]);
                affine.apply_sparse(sparse.row(sample), &mut found);
                affine.apply_floats(&dense.sample(sample), &mut expected);
                assert_eq!(found, expected);
            }
        }
    }
}
