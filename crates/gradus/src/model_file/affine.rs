//! Values scaled and shifted: how normalisations of all kinds are added up, in double precision.

use super::invalid;
use crate::data::normalize::Normalizer;
use crate::error::Result;

/// `scale x + shift`, value by value; each of the two is one number for all, or one for each.
#[derive(Debug, Clone)]
pub(super) struct Affine {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

impl Affine {
    pub(super) fn scalar(scale: f64, shift: f64) -> Affine {
        Affine { scale: vec![scale], shift: vec![shift] }
    }

    /// What `(x - mean) / deviation` does.
    pub(super) fn of_normalizer(normalizer: &Normalizer) -> Affine {
        let pairs: Vec<(f64, f64)> = match normalizer {
            Normalizer::Scalar { mean, deviation } => vec![((*mean).into(), (*deviation).into())],
            Normalizer::PerFeature { means, deviations } => {
                let pairs = means.iter().zip(deviations);
                pairs.map(|(&mean, &deviation)| (mean.into(), deviation.into())).collect()
            }
        };
        let scale = pairs.iter().map(|(_, deviation)| 1.0 / deviation).collect();
        Affine { scale, shift: pairs.iter().map(|(mean, deviation)| -mean / deviation).collect() }
    }

    /// Both one after the other.
    pub(super) fn then(self, next: &Affine) -> Result<Affine> {
        let length = self.length()?.max(next.length()?);
        if [&self, next].iter().any(|it| ![1, length].contains(&it.length().unwrap_or(0))) {
            return Err(invalid("two steps scale or shift another number of values each"));
        }
        let of = |values: &[f64], at: usize| values[if values.len() == 1 { 0 } else { at }];
        let scale = |at| of(&self.scale, at) * of(&next.scale, at);
        let shift = |at| of(&self.shift, at) * of(&next.scale, at) + of(&next.shift, at);
        Ok(Affine {
            scale: (0..length).map(scale).collect(),
            shift: (0..length).map(shift).collect(),
        })
    }

    /// For how many values it is; 1 where it is the same for all.
    fn length(&self) -> Result<usize> {
        match (self.scale.len(), self.shift.len()) {
            (1, length) | (length, 1) if length > 0 => Ok(length),
            (length, other) if length == other && length > 0 => Ok(length),
            _ => Err(invalid("a step scales and shifts another number of values each")),
        }
    }

    /// Scale and shift of each of `width` values.
    pub(super) fn spread(&self, width: usize) -> Result<Vec<(f64, f64)>> {
        let length = self.length()?;
        if length != 1 && length != width {
            return Err(invalid(format!(
                "a step scales or shifts {length} values, but the layer beside it has {width}"
            )));
        }
        let of = |values: &[f64], at: usize| values[if values.len() == 1 { 0 } else { at }];
        Ok((0..width).map(|at| (of(&self.scale, at), of(&self.shift, at))).collect())
    }

    /// The normalisation that does the same, where single precision can hold it.
    pub(super) fn normalizer(&self, inputs: usize) -> Result<Option<Normalizer>> {
        let width = if self.length()? == 1 { 1 } else { inputs };
        let pairs = self.spread(width)?;
        let means: Vec<f32> = pairs.iter().map(|(s, h)| (0.0 - h / s) as f32).collect();
        let deviations: Vec<f32> = pairs.iter().map(|(s, _)| (1.0 / s) as f32).collect();
        let possible = means.iter().chain(&deviations).all(|value| value.is_finite())
            && deviations.iter().all(|&deviation| deviation != 0.0);
        Ok(possible.then(|| match (&means[..], &deviations[..]) {
            (&[mean], &[deviation]) => Normalizer::Scalar { mean, deviation },
            _ => Normalizer::PerFeature { means, deviations },
        }))
    }
}
