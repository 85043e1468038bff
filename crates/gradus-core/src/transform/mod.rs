//! What happens to raw values before the network sees them: the [`Transform`], which belongs to the
//! model, and distortion, which belongs to training.

pub mod normalize;
pub mod distort;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::samples::{Rows, Subset};
use normalize::{Affine, Normalization};

/// From raw values to the network's inputs; part of the model. Everything that depends on the kind of
/// the transform asks it, so that a new kind only has to answer here.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// Each value shifted and scaled.
    Affine(Affine),
}

/// One step of a transform, for exports: one number for all features, or one for each.
#[doc(hidden)] // for the other crates of gradus
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<'a> {
    /// These are subtracted, in double precision if [`Transform::takes_doubles`].
    Subtract(&'a [f32]),
    /// Then these, too: what rounding took from the first.
    SubtractRest(&'a [f32]),
    /// Then the values are divided by these.
    Divide(&'a [f32]),
}

impl Transform {
    /// Leaves values as they are.
    pub const IDENTITY: Transform = Transform::Affine(Affine::IDENTITY);

    /// `(x - mean) / std`, the same for every value.
    pub const fn scalar(mean: f32, std: f32) -> Transform {
        Transform::Affine(Affine::Scalar { mean, std })
    }

    /// Fits `kind` to training data.
    pub fn fit<'a>(kind: Normalization, data: impl Into<Subset<'a>>) -> Transform {
        Transform::Affine(Affine::fit(kind, data))
    }

    /// Whether values stay as they are.
    pub fn is_identity(&self) -> bool {
        *self == Transform::IDENTITY
    }

    /// Mean and standard deviation if they are the same for every feature: zeros of the raw values can
    /// then be skipped in the product with the first layer's weights.
    pub fn as_scalar(&self) -> Option<(f32, f32)> {
        match self {
            Transform::Affine(Affine::Scalar { mean, std }) => Some((*mean, *std)),
            Transform::Affine(Affine::PerFeature { .. } | Affine::PerFeatureDouble { .. }) => None,
        }
    }

    /// The means and standard deviations, one for all features or one for each; means are rounded to single
    /// precision ([`Self::means`] has all their digits).
    pub fn means_and_stds(&self) -> (&[f32], &[f32]) {
        match self {
            Transform::Affine(Affine::Scalar { mean, std }) => {
                (std::slice::from_ref(mean), std::slice::from_ref(std))
            }
            Transform::Affine(
                Affine::PerFeature { means, stds } | Affine::PerFeatureDouble { means, stds, .. },
            ) => (means, stds),
        }
    }

    /// Whether raw values must come in double precision: single precision would blur them.
    pub fn takes_doubles(&self) -> bool {
        matches!(self, Transform::Affine(Affine::PerFeatureDouble { .. }))
    }

    /// The means in double precision, one for all features or one for each.
    pub fn means(&self) -> Vec<f64> {
        let (means, _) = self.means_and_stds();
        let rests = match self {
            Transform::Affine(Affine::PerFeatureDouble { rests, .. }) => &rests[..],
            _ => &[],
        };
        let rests = rests.iter().copied().chain(std::iter::repeat(0.0));
        means.iter().zip(rests).map(|(&mean, rest)| f64::from(mean) + f64::from(rest)).collect()
    }

    /// The steps in their order, without those of the same number for all that change nothing.
    #[doc(hidden)] // for the other crates of gradus
    pub fn steps(&self) -> Vec<Step<'_>> {
        let (means, stds) = self.means_and_stds();
        let per_feature = self.as_scalar().is_none();
        let subtract = (per_feature || means != [0.0]).then_some(Step::Subtract(means));
        let rest = match self {
            Transform::Affine(Affine::PerFeatureDouble { rests, .. }) => {
                Some(Step::SubtractRest(rests))
            }
            _ => None,
        };
        let divide = (per_feature || stds != [1.0]).then_some(Step::Divide(stds));
        [subtract, rest, divide].into_iter().flatten().collect()
    }

    /// The transform that maps `factor * x` to what this one maps `x` to: for raw values in other units.
    pub fn in_units_of(&self, factor: f32) -> Transform {
        let scaled = |values: &[f32]| values.iter().map(|value| value * factor).collect();
        match self {
            Transform::Affine(Affine::Scalar { mean, std }) => {
                Transform::scalar(mean * factor, std * factor)
            }
            Transform::Affine(Affine::PerFeature { means, stds }) => {
                Transform::Affine(Affine::PerFeature { means: scaled(means), stds: scaled(stds) })
            }
            Transform::Affine(Affine::PerFeatureDouble { stds, .. }) => {
                let means: Vec<f64> =
                    self.means().iter().map(|mean| mean * f64::from(factor)).collect();
                Transform::Affine(Affine::of_doubles(&means, scaled(stds)))
            }
        }
    }

    /// As a formula in `x`.
    pub fn formula(&self) -> String {
        match self {
            identity if identity.is_identity() => "x: not at all".into(),
            Transform::Affine(Affine::Scalar { mean, std }) => format!("(x - {mean}) / {std}"),
            Transform::Affine(Affine::PerFeature { .. } | Affine::PerFeatureDouble { .. }) => {
                "(x - mean) / deviation, for each feature its own".into()
            }
        }
    }

    /// Checks that it is for this many features, and that its numbers can be computed with.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is wrong.
    pub fn check(&self, features: usize) -> Result<()> {
        let wrong = |message: String| Err(Error::argument(message));
        let (means, stds) = self.means_and_stds();
        if self.as_scalar().is_none() && (means.len(), stds.len()) != (features, features) {
            return wrong(format!(
                "a normalization of {} means and {} deviations does not fit {features} inputs",
                means.len(),
                stds.len()
            ));
        }
        if let Transform::Affine(Affine::PerFeatureDouble { rests, .. }) = self
            && (rests.len() != features || rests.iter().any(|rest| !rest.is_finite()))
        {
            return wrong(format!("the normalization's rests do not fit {features} inputs"));
        }
        if let Some(mean) = means.iter().find(|mean| !mean.is_finite()) {
            return wrong(format!("the normalization has the mean {mean}, which is not finite"));
        }
        match stds.iter().find(|&&std| !std.is_finite() || std == 0.0) {
            None => Ok(()),
            Some(std) => {
                wrong(format!("the normalization divides by {std}, which must be finite and not 0"))
            }
        }
    }

    /// The network's inputs for sample `index` of `inputs`, into `row`.
    pub fn apply(&self, inputs: Rows, index: usize, row: &mut [f32]) {
        let Transform::Affine(affine) = self;
        let range = index * row.len()..(index + 1) * row.len();
        match inputs {
            Rows::Bytes(values) => affine.apply_bytes(&values[range], row),
            Rows::Floats(values) => affine.apply_floats(&values[range], row),
            Rows::Doubles(values) => affine.apply_doubles(&values[range], row),
            Rows::Sparse(rows) => affine.apply_sparse(rows.row(index), row),
        }
    }

    /// The network's inputs for one sample of bytes, into `row`.
    pub fn apply_bytes(&self, sample: &[u8], row: &mut [f32]) {
        let Transform::Affine(affine) = self;
        affine.apply_bytes(sample, row);
    }
}

// In files the variant of `Affine` is the only key, so that numbers are read without going through f64.
impl Serialize for Transform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Transform::Affine(affine) = self;
        affine.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Transform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Transform, D::Error> {
        Affine::deserialize(deserializer).map(Transform::Affine)
    }
}
