//! Values scaled and shifted: how the normalizations in a foreign model are combined into one, in double
//! precision.

use gradus_core::error::invalid;

use crate::error::Result;
use crate::transform::Transform;
use crate::transform::normalize::Affine;

/// `scale x + shift`, value by value; each of the two is one number for all, or one for each.
#[derive(Debug, Clone)]
pub(super) struct Scaling {
    pub(super) scale: Vec<f64>,
    pub(super) shift: Vec<f64>,
}

/// `x + c`, `x - c`, `c - x`, `x * c` or `x / c`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Elementwise {
    Add,
    Subtract,
    SubtractFrom,
    Multiply,
    Divide,
}

impl Scaling {
    /// What arithmetic with a constant does: one number for all values, or one for each.
    pub(super) fn elementwise(kind: Elementwise, constant: &[f64]) -> Scaling {
        let each = |of: fn(f64) -> f64| constant.iter().map(|&value| of(value)).collect();
        match kind {
            Elementwise::Add => Scaling { scale: vec![1.0], shift: each(|c| c) },
            Elementwise::Subtract => Scaling { scale: vec![1.0], shift: each(|c| -c) },
            Elementwise::SubtractFrom => Scaling { scale: vec![-1.0], shift: each(|c| c) },
            Elementwise::Multiply => Scaling { scale: each(|c| c), shift: vec![0.0] },
            Elementwise::Divide => Scaling { scale: each(|c| 1.0 / c), shift: vec![0.0] },
        }
    }

    pub(super) fn scalar(scale: f64, shift: f64) -> Scaling {
        Scaling { scale: vec![scale], shift: vec![shift] }
    }

    /// What a model's transform does.
    pub(super) fn of(transform: &Transform) -> Scaling {
        let (means, (_, stds)) = (transform.means(), transform.means_and_stds());
        let pairs = || means.iter().zip(stds).map(|(&mean, &std)| (mean, f64::from(std)));
        Scaling {
            scale: pairs().map(|(_, std)| 1.0 / std).collect(),
            shift: pairs().map(|(mean, std)| -mean / std).collect(),
        }
    }

    /// Both one after the other.
    pub(super) fn then(self, next: &Scaling) -> Result<Scaling> {
        let length = self.length()?.max(next.length()?);
        if [&self, next].iter().any(|it| ![1, length].contains(&it.length().unwrap_or(0))) {
            return Err(invalid("two steps scale or shift another number of values each"));
        }
        let of = |values: &[f64], at: usize| values[if values.len() == 1 { 0 } else { at }];
        let scale = |at| of(&self.scale, at) * of(&next.scale, at);
        let shift = |at| of(&self.shift, at) * of(&next.scale, at) + of(&next.shift, at);
        Ok(Scaling {
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
                "a step scales or shifts {length} values, but the adjacent layer has {width}"
            )));
        }
        let of = |values: &[f64], at: usize| values[if values.len() == 1 { 0 } else { at }];
        Ok((0..width).map(|at| (of(&self.scale, at), of(&self.shift, at))).collect())
    }

    /// The transform that does the same, if single precision can hold it.
    pub(super) fn transform(&self, inputs: usize) -> Result<Option<Transform>> {
        let width = if self.length()? == 1 { 1 } else { inputs };
        let pairs = self.spread(width)?;
        let means: Vec<f64> = pairs.iter().map(|(s, h)| 0.0 - h / s).collect();
        let stds: Vec<f32> = pairs.iter().map(|(s, _)| (1.0 / s) as f32).collect();
        let transform = match (&means[..], &stds[..]) {
            (&[mean], &[std]) => Transform::scalar(mean as f32, std),
            _ => Transform::Affine(Affine::of_doubles(&means, stds)),
        };
        Ok(transform.check(inputs).is_ok().then_some(transform))
    }
}
