//! The engine: what computes the steps of training and the passes of predictions.
//!
//! In: a network, settings, samples. Out: the figures of an epoch and the network after it. [`cpu`] is
//! the one engine so far; it computes with `gradus-kernels` on the threads of this machine.

pub mod cpu;

use crate::optimizer::Optimizer;
use crate::regularization::Regularization;

/// The settings of a run that its steps depend on.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Samples in a step.
    pub batch_size: usize,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
    /// What keeps the network from learning its samples by heart.
    pub regularization: Regularization,
    /// Where all random numbers come from.
    pub seed: u64,
    /// Threads that compute; the result does not depend on their number.
    pub threads: usize,
}

/// The learning rate of each step; steps are counted from 0 over the runs that a run continues.
pub type LearningRate<'a> = &'a (dyn Fn(u64) -> f32 + Sync);

/// What an epoch brought.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// Mean training loss, each sample's on the pass before the step that it led to.
    pub loss: f64,
    /// Share of the samples whose class was predicted on the same passes; none in regression.
    pub accuracy: Option<f64>,
    /// Whether the epoch was stopped before its end.
    pub stopped: bool,
}
