//! Normalization: each raw value shifted and scaled, by numbers fitted to the training data.

use super::robust;
use crate::error::{Error, Result};
use crate::samples::{Rows, Subset, Sums};

/// Which normalization is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalization {
    /// Raw values.
    None,
    /// To [0, 1]: bytes over 255; images from 0 to 1 as they are; other values from their smallest to their
    /// largest, by feature.
    Unit,
    /// Mean 0 and standard deviation 1: over all pixels of images of bytes or of numbers from 0 to 1, else by feature.
    Standard,
    /// By feature median 0 and a distance of 1 between the quartiles, then smoothly clipped to (-3, 3): robust against
    /// outliers (Holzmüller et al. 2024).
    Robust,
}

impl Normalization {
    /// All of them.
    pub const ALL: [Normalization; 4] =
        [Normalization::None, Normalization::Unit, Normalization::Standard, Normalization::Robust];

    /// The name used in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Normalization::None => "none",
            Normalization::Unit => "unit",
            Normalization::Standard => "standard",
            Normalization::Robust => "robust",
        }
    }

    /// The normalization of this name.
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
    /// One pair for each feature, some of whose means are so large beside their standard deviations that they
    /// must be subtracted in double precision.
    PerFeatureDouble {
        /// Subtracted, rounded to single precision.
        means: Vec<f32>,
        /// What rounding took from the means; subtracted, too.
        rests: Vec<f32>,
        /// Divided by; never 0.
        #[serde(rename = "deviations")]
        stds: Vec<f32>,
    },
}

impl Affine {
    /// Leaves values as they are.
    pub const IDENTITY: Affine = Affine::Scalar { mean: 0.0, std: 1.0 };

    /// Fits `kind` to training data. A feature that never changes is only shifted; for [`Normalization::Robust`] it
    /// becomes 0.
    pub fn fit<'a>(kind: Normalization, data: impl Into<Subset<'a>>) -> Affine {
        let data = data.into();
        match (kind, data.data().inputs.kind()) {
            (Normalization::None, _) => Affine::IDENTITY,
            (Normalization::Robust, _) => {
                let (centres, scales) = robust::fit(&data);
                Affine::of_doubles(&centres, scales)
            }
            (Normalization::Unit, Rows::Bytes(_)) => Affine::Scalar { mean: 0.0, std: 255.0 },
            // Of what cannot be read there are no sums, which no model takes: training reads them before and says why.
            (Normalization::Unit | Normalization::Standard, _) => {
                of_sums(kind, &data.sums().unwrap_or_default())
            }
        }
    }

    /// Fits `kind` to the sums over training data: the bits of [`Affine::fit`].
    ///
    /// # Errors
    /// `InvalidArgument` for [`Normalization::Robust`], which needs the quartiles of all values.
    pub fn of_sums(kind: Normalization, sums: &Sums) -> Result<Affine> {
        match kind {
            Normalization::None => Ok(Affine::IDENTITY),
            Normalization::Unit | Normalization::Standard => Ok(of_sums(kind, sums)),
            Normalization::Robust => Err(Error::setting(
                "normalize",
                kind.name(),
                "none, unit or standard for data that are not in memory: medians and quartiles need all values at once",
            )),
        }
    }

    /// `(x - mean) / std` by feature, with means in double precision if single precision would blur them.
    pub fn of_doubles(means: &[f64], stds: Vec<f32>) -> Affine {
        let rounded: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
        let rests: Vec<f32> =
            means.iter().zip(&rounded).map(|(mean, &it)| (mean - f64::from(it)) as f32).collect();
        // Less than that is the rounding of the arithmetic that the means come from.
        let is_blurred = |((rest, std), mean): ((&f32, &f32), &f32)| {
            rest.abs() > PRECISION * std.abs() && rest.abs() > NOISE * mean.abs()
        };
        match rests.iter().zip(&stds).zip(&rounded).any(is_blurred) {
            true => Affine::PerFeatureDouble { means: rounded, rests, stds },
            false => Affine::PerFeature { means: rounded, stds },
        }
    }

    /// Mean and standard deviation of the first feature.
    pub(super) fn of_first(&self) -> (f64, f32) {
        match self {
            Affine::Scalar { mean, std } => (f64::from(*mean), *std),
            Affine::PerFeature { means, stds } => (f64::from(means[0]), stds[0]),
            Affine::PerFeatureDouble { means, rests, stds } => {
                (f64::from(means[0]) + f64::from(rests[0]), stds[0])
            }
        }
    }

    /// `out = (row - mean) / std` for one sample of doubles: rounded once the mean has been subtracted.
    pub fn apply_doubles(&self, row: &[f64], out: &mut [f32]) {
        match self {
            Affine::Scalar { mean, std } => {
                let single = row.iter().map(|&x| x as f32);
                out.iter_mut().zip(single).for_each(|(out, x)| *out = (x - mean) / std);
            }
            Affine::PerFeature { means, stds } => {
                for (((out, x), mean), std) in out.iter_mut().zip(row).zip(means).zip(stds) {
                    *out = (x - f64::from(*mean)) as f32 / std;
                }
            }
            Affine::PerFeatureDouble { means, rests, stds } => {
                let means =
                    means.iter().zip(rests).map(|(&it, &rest)| f64::from(it) + f64::from(rest));
                for (((out, x), mean), std) in out.iter_mut().zip(row).zip(means).zip(stds) {
                    *out = (x - mean) as f32 / std;
                }
            }
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
            Affine::PerFeatureDouble { means, rests, stds } => {
                let both = means.iter().zip(rests);
                for ((x, (mean, rest)), std) in row.iter_mut().zip(both).zip(stds) {
                    *x = ((*x - mean) - rest) / std;
                }
            }
        }
    }
}

/// A mean that is rounded by more than this share of the standard deviation is kept in double precision.
const PRECISION: f32 = 1.0 / 4096.0;

/// Smaller shares of a mean are noise: 256 units in the last place of a double.
const NOISE: f32 = 5e-14;

fn not_zero(std: f64) -> f32 {
    if std > 0.0 && std.is_finite() { std as f32 } else { 1.0 }
}

/// From the sums over training data to `kind`, which is unit or standard.
fn of_sums(kind: Normalization, sums: &Sums) -> Affine {
    let features = &sums.features;
    let is_standard = kind == Normalization::Standard;
    let scalar = |total: f64, sum: f64, squares: f64| {
        let mean = sum / total;
        let variance = squares / total - mean * mean;
        Affine::Scalar { mean: mean as f32, std: not_zero(variance.sqrt()) }
    };
    // Images of bytes, and floats that are the same images but for rounding.
    match &sums.image {
        _ if !sums.levels.is_empty() && !is_standard => {
            return Affine::Scalar { mean: 0.0, std: 255.0 };
        }
        _ if !sums.levels.is_empty() && features.sum.is_empty() => {
            let sum = |power: i32| {
                let of_level = |(v, &n): (usize, &u64)| (v as f64).powi(power) * n as f64;
                sums.levels.iter().enumerate().map(of_level).sum::<f64>()
            };
            let total = sums.levels.iter().sum::<u64>().max(1) as f64;
            return scalar(total, sum(1), sum(2));
        }
        Some(image) if image.are_shares && is_standard => {
            let total = (sums.samples * features.sum.len()).max(1) as f64;
            return scalar(total, image.sum, image.squares);
        }
        Some(image) if image.are_shares => return Affine::IDENTITY,
        _ => {}
    }
    let samples = sums.samples as f64;
    let of_feature = |at: usize| {
        let (min, max) = (features.min[at], features.max[at]);
        match is_standard {
            true => {
                let mean = features.sum[at] / samples;
                let variance = (features.squares[at] / samples - mean * mean).max(0.0);
                // What is left of a constant column by rounding is no standard deviation.
                let std = if max <= min { 1.0 } else { not_zero(variance.sqrt()) };
                (features.origin.get(at).map_or(mean, |origin| origin + mean), std)
            }
            false => (min, not_zero(max - min)),
        }
    };
    let (means, stds): (Vec<f64>, Vec<f32>) = (0..features.sum.len()).map(of_feature).unzip();
    match features.origin.is_empty() {
        true => {
            let means = means.into_iter().map(|mean| mean as f32).collect();
            Affine::PerFeature { means, stds }
        }
        // Single precision would blur these values, and possibly their means.
        false => Affine::of_doubles(&means, stds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Dataset, Inputs, SparseRows};

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
    fn images_from_0_to_1_get_the_inputs_of_the_same_bytes() {
        let bytes = vec![0, 0, 0, 200, 0, 0, 100, 255];
        let shares: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect();
        let of_bytes = set(Inputs::Bytes(bytes.clone()), vec![2, 2]);
        let of_shares = set(Inputs::Floats(shares.clone()), vec![2, 2]);
        for kind in [Normalization::Unit, Normalization::Standard] {
            let (mut expected, mut found) = ([0.0; 8], [0.0; 8]);
            Affine::fit(kind, &of_bytes).apply_bytes(&bytes, &mut expected);
            let fitted = Affine::fit(kind, &of_shares);
            assert!(matches!(fitted, Affine::Scalar { .. }));
            fitted.apply_floats(&shares, &mut found);
            assert!(expected.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-5), "{kind:?}");
        }
        // Rows of a table, and other numbers.
        let table = Affine::fit(Normalization::Unit, &set(Inputs::Floats(shares), vec![4]));
        assert!(matches!(table, Affine::PerFeature { .. }));
        let others =
            set(Inputs::Floats(vec![0.5; 8].into_iter().chain([-1.0; 4]).collect()), vec![2, 2]);
        let others = Affine::fit(Normalization::Unit, &others);
        assert!(matches!(others, Affine::PerFeature { .. }));
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
    fn values_far_from_0_keep_their_digits() {
        // No number of single precision is the smallest of them.
        let seconds = |i: usize| 1.7e9 + 13.0 + 60.0 * (i % 2) as f64 + (i % 7) as f64;
        let values: Vec<f64> = (0..100).flat_map(|i| [seconds(i), 0.1 * i as f64]).collect();
        let near: Vec<f32> =
            values.chunks(2).flat_map(|it| [(it[0] - 1.7e9) as f32, it[1] as f32]).collect();
        let data = set(Inputs::of_doubles(values.clone(), 2), vec![2]);
        assert!(matches!(data.inputs, Inputs::Doubles(_)));
        let near = set(Inputs::Floats(near), vec![2]);
        for kind in [Normalization::Unit, Normalization::Standard] {
            let (affine, expected) = (Affine::fit(kind, &data), Affine::fit(kind, &near));
            assert!(matches!(affine, Affine::PerFeatureDouble { .. }));
            for sample in 0..100 {
                let (mut found, mut wanted) = ([9.0; 2], [9.0; 2]);
                affine.apply_doubles(&values[2 * sample..][..2], &mut found);
                expected.apply_floats(&near.sample(sample), &mut wanted);
                for (found, wanted) in found.iter().zip(wanted) {
                    assert!((found - wanted).abs() < 1e-5, "{kind:?}: {found}, {wanted}");
                }
            }
            let subset = [3_u32, 4, 5];
            let of_subset = crate::samples::Subset::new(&data, &subset).unwrap();
            assert_eq!(Affine::fit(kind, of_subset), Affine::fit(kind, &of_subset.to_dataset()));
        }
        // Ordinary means stay in single precision, and doubles give the bits of floats.
        let ordinary = Affine::of_doubles(&[0.1, 20.0], vec![1.0, 5.0]);
        assert_eq!(ordinary, Affine::PerFeature { means: vec![0.1, 20.0], stds: vec![1.0, 5.0] });
        let (mut found, mut wanted) = ([9.0; 2], [9.0; 2]);
        ordinary.apply_doubles(&[f64::from(0.7_f32), 3.5], &mut found);
        ordinary.apply_floats(&[0.7, 3.5], &mut wanted);
        assert_eq!(found, wanted);
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
