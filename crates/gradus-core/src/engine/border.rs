//! What goes into every engine and what comes out of it.
//!
//! In: the [`Settings`] of a run, and for each [`Epoch`] its learning rates. Out: the figures of an epoch
//! ([`Totals`]), and a [`Snapshot`], which is in the order of the network, never of an engine's memory, so
//! that another engine could continue from it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::engine::target_scale::TargetScale;
use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::loss::Loss;
use crate::network::Parametrization;
use crate::optimizer::Optimizer;
use crate::optimizer::lbfgs::End;
use crate::regularization::Regularization;
use crate::samples::Shuffle;

/// The settings of a run that its steps depend on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// Samples in a step.
    pub(crate) batch_size: usize,
    /// In which order they are drawn in every epoch.
    pub(crate) shuffle: Shuffle,
    /// How parameters follow their gradients.
    pub(crate) optimizer: Optimizer,
    /// Of which weights the learning rate is.
    pub(crate) parametrization: Parametrization,
    /// Factor of the learning rate of biases.
    pub(crate) bias_rate: f32,
    /// Factor of the learning rate of the scaling layer.
    pub(crate) scaling_rate: f32,
    /// Factor of the weight decay of the scaling layer.
    pub(crate) scaling_decay: f32,
    /// Factor of the weight decay of the tables of categories.
    pub(crate) category_decay: f32,
    /// What keeps the network from learning its samples by heart.
    pub(crate) regularization: Regularization,
    /// Seed of all random numbers.
    pub(crate) seed: u64,
    /// Into how many micro-batches a batch is cut, a power of two; none for what the engine finds worth it.
    pub(crate) micro_batches: Option<usize>,
    /// Threads that compute; the result does not depend on their number.
    pub(crate) threads: usize,
    /// The processes that share the micro-batches of every batch; the result does not depend on their number.
    pub(crate) ranks: Ranks,
    /// What the steps minimize.
    pub(crate) loss: Loss,
    /// Weight of each target in the loss; empty if all count the same.
    pub(crate) output_weights: Vec<f32>,
    /// The scale on which regression targets are learned; none for their own.
    pub(crate) target_scale: Option<TargetScale>,
    /// Whether each input of the first linear layer has a trainable factor.
    pub(crate) scaling_layer: bool,
}

/// One epoch to run.
#[derive(Clone, Copy)]
pub(crate) struct Epoch<'a> {
    /// Its number among all epochs, those of the runs that a run continues included; it decides how the
    /// samples are shuffled.
    pub(crate) number: usize,
    /// How each step goes; steps are counted from 0, those of the runs that a run continues included.
    pub(crate) pace: &'a (dyn Fn(u64) -> Pace + Sync),
    /// Raised from any thread, it ends the epoch after the step in progress.
    pub(crate) stop: &'a AtomicBool,
    /// The epoch is left after the step in progress at this moment, to be taken up again.
    pub(crate) pause: Option<Instant>,
    /// What of it has been made already; none at its beginning.
    pub(crate) done: Option<&'a PartialEpoch>,
}

impl Epoch<'_> {
    /// Why it is to be left now; none if it is to go on.
    pub(crate) fn halt(&self) -> Option<Halt> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(Halt::Stop);
        }
        self.pause.is_some_and(|pause| Instant::now() >= pause).then_some(Halt::Pause)
    }
}

/// Why an epoch was left before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Halt {
    /// The run ends.
    Stop,
    /// The epoch will be taken up again.
    Pause,
}

/// The first steps of an epoch: what is summed over an epoch, as far as it has come.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PartialEpoch {
    /// Steps made.
    pub(crate) steps: usize,
    /// The sum of the losses of each micro-batch of all ranks.
    pub(crate) losses: Vec<f64>,
    /// Samples whose class was predicted.
    pub(crate) correct: usize,
    /// Wall time.
    pub(crate) seconds: f64,
}

/// What schedules make of a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pace {
    /// The learning rate.
    pub(crate) rate: f32,
    /// Factor of weight decay.
    pub(crate) decay: f32,
    /// Factor of dropout.
    pub(crate) dropout: f32,
}

/// The figures of an epoch.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Totals {
    /// Mean training loss, each sample's on the pass before the step that it led to; of regression in the targets' own
    /// units.
    pub(crate) loss: f64,
    /// Share of the samples whose class was predicted on the same passes; none in regression.
    pub(crate) accuracy: Option<f64>,
    /// Why the epoch was left before its end, and what was made of it; none if it is complete.
    pub(crate) left: Option<(Halt, PartialEpoch)>,
    /// Length of the step of an optimizer that has no learning rate.
    pub(crate) step_length: Option<f64>,
    /// Why such an optimizer makes no more steps.
    pub(crate) end: Option<End>,
}

/// All that the steps to come depend on, besides settings and data: random numbers have no state.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// Steps made.
    pub(crate) steps: u64,
    /// Evaluations of the objective that L-BFGS has made; 0 for other optimizers.
    pub(crate) evaluations: u64,
    /// By name: `parameters`, and what there is of `statistics`, `first_moment`, `second_moment`, `ema`,
    /// `ema_statistics`, and of L-BFGS [`LBFGS_STEPS`] and [`LBFGS_CHANGES`], up to ten vectors in a row. Each other
    /// one holds a number for each parameter (those of the network in its order, then the factors of the scaling layer, then scale
    /// and shift of batch normalization for each hidden layer) or for each running statistic (means, then
    /// variances for each hidden layer). Outputs are on the scale on which the targets are learned ([`TargetScale`]).
    pub(crate) vectors: BTreeMap<String, Vec<f32>>,
}

/// The steps that L-BFGS remembers, and how the gradient changed along them.
pub(crate) const LBFGS_STEPS: &str = "lbfgs_steps";
pub(crate) const LBFGS_CHANGES: &str = "lbfgs_changes";

impl Snapshot {
    /// What a run on other data or with other settings takes over: not what L-BFGS remembers of the curvature,
    /// which is that of one objective.
    pub(crate) fn for_another_run(mut self) -> Snapshot {
        self.vectors.remove(LBFGS_STEPS);
        self.vectors.remove(LBFGS_CHANGES);
        self.evaluations = 0;
        self
    }

    /// The numbers of a vector that may be missing.
    pub(crate) fn numbers(&self, name: &str) -> &[f32] {
        self.vectors.get(name).map_or(&[], Vec::as_slice)
    }

    /// A vector of this name and length.
    ///
    /// # Errors
    /// `InvalidArgument` if there is none.
    pub(crate) fn vector(&self, name: &str, length: usize) -> Result<&[f32]> {
        match self.vectors.get(name) {
            Some(values) if values.len() == length => Ok(values),
            found => Err(Error::argument(format!(
                "the checkpoint does not fit this run: {name} has {} numbers, expected {length}",
                found.map_or(0, Vec::len)
            ))),
        }
    }
}
