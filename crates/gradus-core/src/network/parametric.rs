//! Activations with a strength for each unit (docs/maths.md M3).

use std::ops::Range;

use crate::network::Activation;

/// An activation `f` of which each unit takes as much as training finds right: `a = z + s (f(z) - z)`, with a strength `s` of 1
/// at the start, which is `f` itself, and 0 for no activation at all (Holzmueller et al. 2024, "parametric activation").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Parametric {
    /// The activation `f`.
    pub activation: Activation,
    units: usize,
    offset: usize,
}

impl Parametric {
    /// Factor of the learning rate of strengths (Holzmueller et al. 2024).
    pub(crate) const RATE_FACTOR: f32 = 0.1;

    /// Of this activation, for [`Network::from_layers`](super::Network::from_layers), which says how many units there are and
    /// where their strengths stand.
    pub fn new(activation: Activation) -> Parametric {
        Parametric { activation, units: 0, offset: 0 }
    }

    /// Says where the strengths of so many units begin.
    pub(super) fn place(&mut self, offset: usize, units: usize) {
        (self.offset, self.units) = (offset, units);
    }

    /// Where the strengths stand in the vector of parameters.
    pub fn strengths(&self) -> Range<usize> {
        self.offset..self.offset + self.units
    }
}
