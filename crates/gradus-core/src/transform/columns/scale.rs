//! The scale of a single number: training values and a normalization in, shift and scale out.

use serde::{Deserialize, Serialize};

use crate::samples::{Dataset, Inputs, Targets};
use crate::transform::normalize::{Affine, Normalization};
use crate::transform::robust::smooth_clip;

/// `x' = (x - mean) / deviation`, the difference in double precision, clipped smoothly for the normalization `robust`; and
/// what stands in place of a gap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Subtracted.
    pub mean: f64,
    /// Divided by; never 0.
    pub deviation: f32,
    /// Stands in place of a gap, after scaling.
    pub fill: f32,
    /// Whether a smooth clip follows ([`smooth_clip`]).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clip: bool,
}

impl Scale {
    /// Leaves numbers as they are.
    pub const IDENTITY: Scale = Scale { mean: 0.0, deviation: 1.0, fill: 0.0, clip: false };

    /// Fits `kind` to these values, of which there is at least one. Gaps become the centre of the values, which is 0
    /// where they are centred.
    pub(super) fn fit(kind: Normalization, values: Vec<f64>) -> Scale {
        let (mean, count) = (values.iter().sum::<f64>() / values.len() as f64, values.len());
        // A data set of one feature, so that whatever normalization there is fits it.
        let data = Dataset {
            inputs: Inputs::Doubles(values),
            targets: Targets::Classes { labels: vec![0; count], names: vec![String::new()] },
            sample_shape: vec![1],
            sample_weights: None,
            columns: None,
        };
        let (shift, deviation) = Affine::fit(kind, &data).of_first();
        let scale =
            Scale { mean: shift, deviation, fill: 0.0, clip: kind == Normalization::Robust };
        match kind {
            Normalization::None | Normalization::Unit => Scale { fill: scale.apply(mean), ..scale },
            Normalization::Standard | Normalization::Robust => scale,
        }
    }

    /// The number on this scale.
    #[inline]
    pub fn apply(&self, value: f64) -> f32 {
        let scaled = (value - self.mean) as f32 / self.deviation;
        if self.clip { smooth_clip(scaled) } else { scaled }
    }

    pub(super) fn check(&self) -> Result<(), String> {
        let Scale { mean, deviation, fill, .. } = *self;
        match mean.is_finite() && deviation.is_finite() && deviation != 0.0 && fill.is_finite() {
            true => Ok(()),
            false => Err(format!(
                "has the mean {mean}, the deviation {deviation} and {fill} in place of gaps: all must be \
                 finite, and the deviation not 0"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_become_the_centre() {
        let of = |kind| {
            let scale = Scale::fit(kind, vec![1.0, 2.0, 6.0]);
            (scale.fill, scale.apply(1.0), scale.apply(6.0))
        };
        assert_eq!(of(Normalization::None), (3.0, 1.0, 6.0));
        assert_eq!(of(Normalization::Unit), (0.4, 0.0, 1.0));
        // The median and the quartiles 1.5 and 4.
        let (fill, low, _) = of(Normalization::Robust);
        assert_eq!((fill, low), (0.0, smooth_clip(-0.4)));
        let std = (14.0_f32 / 3.0).sqrt();
        let (fill, low, high) = of(Normalization::Standard);
        assert_eq!(fill, 0.0);
        assert!((low + 2.0 / std).abs() < 1e-6 && (high - 3.0 / std).abs() < 1e-6);
        // Seconds since 1970 keep their digits.
        let seconds = Scale::fit(Normalization::Standard, vec![1.7e9, 1.7e9 + 1.0]);
        assert_eq!((seconds.apply(1.7e9), seconds.apply(1.7e9 + 1.0)), (-1.0, 1.0));
    }
}
