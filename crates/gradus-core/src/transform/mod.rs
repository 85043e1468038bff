//! What happens to raw values before the network sees them: the [`Transform`], which belongs to the
//! model, and distortion, which belongs to training.

pub mod normalize;
pub mod robust;
pub mod columns;
pub mod distort;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};
use crate::samples::{Rows, Subset, Sums};
use columns::{Encoder, Schema};
use normalize::{Affine, Normalization};

/// From raw values to the network's inputs; part of the model. Everything that depends on the kind of
/// the transform asks it, so that a new kind only has to answer here.
#[derive(Debug, Clone, PartialEq)]
pub enum Transform {
    /// Each value shifted and scaled.
    Affine(Affine),
    /// Each value shifted and scaled, then clipped smoothly to (-3, 3): [`robust::smooth_clip`].
    Robust(Affine),
    /// Raw columns of a table become numbers, flags and codes, each by its kind.
    Columns(Schema),
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
    /// Then they are clipped: `x / sqrt(1 + (x / bound)^2)` with this bound.
    SmoothClip(f32),
}

impl Transform {
    /// Leaves values as they are.
    pub const IDENTITY: Transform = Transform::Affine(Affine::IDENTITY);

    /// `(x - mean) / std`, the same for every value.
    pub const fn scalar(mean: f32, std: f32) -> Transform {
        Transform::Affine(Affine::Scalar { mean, std })
    }

    /// Fits `kind` to training data; raw columns get a schema whose categories of many values have flags.
    pub fn fit<'a>(kind: Normalization, data: impl Into<Subset<'a>>) -> Transform {
        Transform::fit_with(kind, data, false)
    }

    /// The same; with `codes`, categories of many values become codes, for a network that embeds them.
    pub fn fit_with<'a>(
        kind: Normalization,
        data: impl Into<Subset<'a>>,
        codes: bool,
    ) -> Transform {
        let data = data.into();
        if let Rows::Table(table) = data.rows() {
            return Transform::Columns(Schema::fit(kind, table, data, codes));
        }
        let affine = Affine::fit(kind, data);
        match kind {
            Normalization::Robust => Transform::Robust(affine),
            Normalization::None | Normalization::Unit | Normalization::Standard => {
                Transform::Affine(affine)
            }
        }
    }

    /// The same for samples that may not be in memory: they are read as often as it takes.
    ///
    /// # Errors
    /// Those of reading; `InvalidArgument` for the normalization `robust` of images that are not in memory.
    pub fn fit_reading<'a>(
        kind: Normalization,
        data: impl Into<Subset<'a>>,
        codes: bool,
    ) -> Result<Transform> {
        let data = data.into();
        match (data.rows(), data.data().inputs.kind()) {
            (Rows::Streamed(_), Rows::Table(table)) => {
                Schema::fit_streamed(kind, table, data, codes).map(Transform::Columns)
            }
            // To read a part of the samples takes as long as an epoch: only for what is fitted to it.
            (Rows::Streamed(_), rows) => match (kind, rows) {
                (Normalization::None, _) | (Normalization::Unit, Rows::Bytes(_)) => {
                    Ok(Transform::fit_with(kind, data, codes))
                }
                (Normalization::Robust, _) if data.data().sample_shape.len() == 1 => {
                    let (centres, scales) = robust::fit_streamed(&data)?;
                    Ok(Transform::Robust(Affine::of_doubles(&centres, scales)))
                }
                _ => Transform::of_sums(kind, &data.sums()?),
            },
            _ => Ok(Transform::fit_with(kind, data, codes)),
        }
    }

    /// Fits `kind` to the sums over training data that are not in memory: the same as [`Transform::fit`].
    ///
    /// # Errors
    /// `InvalidArgument` for [`Normalization::Robust`].
    pub fn of_sums(kind: Normalization, sums: &Sums) -> Result<Transform> {
        Affine::of_sums(kind, sums).map(Transform::Affine)
    }

    /// The part that shifts and scales; that of a schema, whose columns have scales of their own, does nothing.
    fn affine(&self) -> &Affine {
        static NOTHING: Affine = Affine::IDENTITY;
        match self {
            Transform::Affine(affine) | Transform::Robust(affine) => affine,
            Transform::Columns(_) => &NOTHING,
        }
    }

    /// The schema, if it takes raw columns.
    pub fn schema(&self) -> Option<&Schema> {
        match self {
            Transform::Columns(schema) => Some(schema),
            Transform::Affine(_) | Transform::Robust(_) => None,
        }
    }

    /// The number of the network's inputs for samples of so many raw values.
    pub fn width(&self, features: usize) -> usize {
        self.schema().map_or(features, Schema::width)
    }

    /// Checks that raw values are of the kind that it takes: typed columns for a schema, numbers otherwise.
    ///
    /// # Errors
    /// `InvalidArgument` naming both.
    pub fn check_rows(&self, rows: Rows) -> Result<()> {
        match (self.schema(), rows) {
            (_, Rows::Streamed(streamed)) => self.check_rows(streamed.kind()),
            (Some(schema), Rows::Table(table)) => schema.check_table(table),
            (Some(_), rows) => Err(Error::argument(format!(
                "the model takes raw columns of a table (numbers, text, dates), but these samples are {}",
                rows.kind()
            ))),
            (None, Rows::Table(_)) => Err(Error::argument(
                "the model takes numbers without gaps, but these samples have text, dates or gaps",
            )),
            (None, _) => Ok(()),
        }
    }

    /// This transform of so many features with a smooth clip after it.
    #[doc(hidden)] // for the other crates of gradus
    pub fn clipped(self, features: usize) -> Transform {
        Transform::Robust(match self.affine() {
            Affine::Scalar { mean, std } => {
                Affine::PerFeature { means: vec![*mean; features], stds: vec![*std; features] }
            }
            other => other.clone(),
        })
    }

    /// Whether a smooth clip follows.
    pub fn is_clipped(&self) -> bool {
        matches!(self, Transform::Robust(_))
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
            Transform::Affine(Affine::PerFeature { .. } | Affine::PerFeatureDouble { .. })
            | Transform::Robust(_)
            | Transform::Columns(_) => None,
        }
    }

    /// The means and standard deviations, one for all features or one for each; means are rounded to single
    /// precision ([`Self::means`] has all their digits). None for a schema.
    pub fn means_and_stds(&self) -> (&[f32], &[f32]) {
        if self.schema().is_some() {
            return (&[], &[]);
        }
        match self.affine() {
            Affine::Scalar { mean, std } => (std::slice::from_ref(mean), std::slice::from_ref(std)),
            Affine::PerFeature { means, stds } | Affine::PerFeatureDouble { means, stds, .. } => {
                (means, stds)
            }
        }
    }

    /// Whether raw values must come in double precision: single precision would blur them.
    pub fn takes_doubles(&self) -> bool {
        matches!(self.affine(), Affine::PerFeatureDouble { .. })
    }

    /// The means in double precision, one for all features or one for each.
    pub fn means(&self) -> Vec<f64> {
        let (means, _) = self.means_and_stds();
        let rests = match self.affine() {
            Affine::PerFeatureDouble { rests, .. } => &rests[..],
            _ => &[],
        };
        let rests = rests.iter().copied().chain(std::iter::repeat(0.0));
        means.iter().zip(rests).map(|(&mean, rest)| f64::from(mean) + f64::from(rest)).collect()
    }

    /// The steps in their order, without those of the same number for all that change nothing. A schema has no steps:
    /// [`Self::schema`] comes first.
    #[doc(hidden)] // for the other crates of gradus
    pub fn steps(&self) -> Vec<Step<'_>> {
        if self.schema().is_some() {
            return Vec::new();
        }
        let (means, stds) = self.means_and_stds();
        let per_feature = self.as_scalar().is_none();
        let subtract = (per_feature || means != [0.0]).then_some(Step::Subtract(means));
        let rest = match self.affine() {
            Affine::PerFeatureDouble { rests, .. } => Some(Step::SubtractRest(rests)),
            _ => None,
        };
        let divide = (per_feature || stds != [1.0]).then_some(Step::Divide(stds));
        let clip = self.is_clipped().then_some(Step::SmoothClip(robust::CLIP));
        [subtract, rest, divide, clip].into_iter().flatten().collect()
    }

    /// The transform that maps `factor * x` to what this one maps `x` to: for raw values in other units. A schema, whose
    /// columns have units of their own, stays as it is.
    pub fn in_units_of(&self, factor: f32) -> Transform {
        let scaled = |values: &[f32]| -> Vec<f32> {
            values.iter().map(|value| (value * factor).clamp(f32::MIN, f32::MAX)).collect()
        };
        let affine = match self.affine() {
            Affine::Scalar { mean, std } => {
                Affine::Scalar { mean: mean * factor, std: std * factor }
            }
            Affine::PerFeature { means, stds } => {
                Affine::PerFeature { means: scaled(means), stds: scaled(stds) }
            }
            Affine::PerFeatureDouble { stds, .. } => {
                let means: Vec<f64> =
                    self.means().iter().map(|mean| mean * f64::from(factor)).collect();
                Affine::of_doubles(&means, scaled(stds))
            }
        };
        match self {
            Transform::Affine(_) => Transform::Affine(affine),
            Transform::Robust(_) => Transform::Robust(affine),
            Transform::Columns(schema) => Transform::Columns(schema.clone()),
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
            Transform::Robust(_) => {
                "u / sqrt(1 + (u / 3)^2) with u = (x - median) / (upper - lower quartile), per feature"
                    .into()
            }
            Transform::Columns(schema) => format!("by column: {}", schema.summary()),
        }
    }

    /// Checks that it is for this many features, and that its numbers can be computed with.
    ///
    /// # Errors
    /// `InvalidArgument` naming what is wrong.
    pub fn check(&self, features: usize) -> Result<()> {
        if let Some(schema) = self.schema() {
            return schema.check(features);
        }
        let wrong = |message: String| Err(Error::argument(message));
        let (means, stds) = self.means_and_stds();
        let per_feature = !matches!(self.affine(), Affine::Scalar { .. });
        if per_feature && (means.len(), stds.len()) != (features, features) {
            return wrong(format!(
                "a normalization of {} means and {} deviations does not fit {features} inputs",
                means.len(),
                stds.len()
            ));
        }
        if let Affine::PerFeatureDouble { rests, .. } = self.affine()
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
        if let Some(schema) = self.schema() {
            return apply_schema(schema, inputs, index, row);
        }
        self.apply_affine(inputs, index, row);
        if self.is_clipped() {
            row.iter_mut().for_each(|x| *x = robust::smooth_clip(*x));
        }
    }

    /// The same without the clip.
    fn apply_affine(&self, inputs: Rows, index: usize, row: &mut [f32]) {
        let range = index * row.len()..(index + 1) * row.len();
        match inputs {
            Rows::Bytes(values) => self.affine().apply_bytes(&values[range], row),
            Rows::Floats(values) => self.affine().apply_floats(&values[range], row),
            Rows::Doubles(values) => self.affine().apply_doubles(&values[range], row),
            Rows::Sparse(rows) => self.affine().apply_sparse(rows.row(index), row),
            // `check_rows` refuses these beforehand.
            Rows::Table(_) => row.fill(f32::NAN),
            // They are read before.
            Rows::Streamed(_) => row.fill(f32::NAN),
        }
    }

    /// The network's inputs for one sample of bytes, into `row`.
    pub fn apply_bytes(&self, sample: &[u8], row: &mut [f32]) {
        self.apply(Rows::Bytes(sample), 0, row);
    }

    /// Each raw value of one sample times the derivative of its input along it: how far the input would move
    /// from where it is at 0, were the transform a straight line.
    pub(crate) fn values_times_slopes(&self, sample: Rows, row: &mut [f32]) {
        self.apply_affine(sample, 0, row);
        let mut at_zero = vec![0.0; row.len()];
        self.affine().apply_floats(&vec![0.0; row.len()], &mut at_zero);
        for (value, at_zero) in row.iter_mut().zip(at_zero) {
            let slope = if self.is_clipped() { robust::smooth_clip_slope(*value) } else { 1.0 };
            *value = (*value - at_zero) * slope;
        }
    }
}

/// Encodes one row of a table; anything else has been refused by [`Transform::check_rows`].
fn apply_schema(schema: &Schema, inputs: Rows, index: usize, row: &mut [f32]) {
    let encoder = match inputs {
        Rows::Table(table) => Encoder::new(schema, table).ok(),
        _ => None,
    };
    match encoder {
        Some(encoder) => encoder.encode_into(std::iter::once(index), row),
        None => row.fill(f32::NAN),
    }
}

// In files the variant of `Affine` is the only key, so that numbers are read without going through f64; what is
// clipped stands within the key `robust`, and a schema within `columns`.
impl Serialize for Transform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Transform::Affine(affine) => affine.serialize(serializer),
            Transform::Robust(affine) => {
                serializer.serialize_newtype_variant("Transform", 0, "robust", affine)
            }
            Transform::Columns(schema) => {
                serializer.serialize_newtype_variant("Transform", 1, "columns", schema)
            }
        }
    }
}

/// What a file may contain: the variants of `Affine`, `robust` and `columns`.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", rename = "Affine")]
enum Stored {
    Scalar { mean: f32, deviation: f32 },
    PerFeature { means: Vec<f32>, deviations: Vec<f32> },
    PerFeatureDouble { means: Vec<f32>, rests: Vec<f32>, deviations: Vec<f32> },
    Robust(Affine),
    Columns(Schema),
}

impl<'de> Deserialize<'de> for Transform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Transform, D::Error> {
        Ok(Transform::Affine(match Stored::deserialize(deserializer)? {
            Stored::Scalar { mean, deviation } => Affine::Scalar { mean, std: deviation },
            Stored::PerFeature { means, deviations } => {
                Affine::PerFeature { means, stds: deviations }
            }
            Stored::PerFeatureDouble { means, rests, deviations } => {
                Affine::PerFeatureDouble { means, rests, stds: deviations }
            }
            Stored::Robust(affine) => return Ok(Transform::Robust(affine)),
            Stored::Columns(schema) => return Ok(Transform::Columns(schema)),
        }))
    }
}
