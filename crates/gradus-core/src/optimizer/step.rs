//! What a step of an optimizer is told besides parameters and gradients.

/// One step for some of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Counted from 1.
    pub number: u64,
    /// The learning rate of these parameters.
    pub rate: f32,
    /// The learning rate in decoupled weight decay: without the factor of these parameters.
    pub decay_rate: f32,
    /// Factor of weight decay: 0 where it does not apply.
    pub decay: f32,
}

impl Step {
    /// A step at one learning rate for all parameters, with weight decay or without.
    pub fn plain(number: u64, rate: f32, decays: bool) -> Step {
        Step { number, rate, decay_rate: rate, decay: if decays { 1.0 } else { 0.0 } }
    }
}
