//! The engine: what computes the steps of training and the passes of predictions.
//!
//! In: a network, settings, samples, the learning rate of each step. Out: the figures of an epoch and the
//! network after it. A run sees an engine only through [`Engine`]; how it lays parameters out in memory is its
//! own affair: a [`Snapshot`] is in the order of the network. [`cpu`] is the one engine so far; it computes
//! with `gradus-kernels` on the cores of this machine.

pub mod cpu;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use gradus_kernels::threads::Workers;

use crate::error::{Error, Result};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::regularization::Regularization;
use crate::samples::Subset;
use crate::transform::Transform;

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

/// The learning rate of each step; steps are counted from 0, those of the runs that a run continues
/// included.
pub type LearningRate<'a> = &'a (dyn Fn(u64) -> f32 + Sync);

/// The figures of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Totals {
    /// Mean training loss, each sample's on the pass before the step that it led to.
    pub loss: f64,
    /// Share of the samples whose class was predicted on the same passes; none in regression.
    pub accuracy: Option<f64>,
    /// Whether the epoch was stopped before its end.
    pub stopped: bool,
}

/// All that the steps to come depend on, besides settings and data: random numbers have no state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Steps made.
    pub steps: u64,
    /// By name: `parameters`, and what there is of `statistics`, `first_moment`, `second_moment`, `ema` and
    /// `ema_statistics`. Each holds a number for each parameter (those of the network in its order, then scale
    /// and shift of batch normalisation for each hidden layer) or for each running statistic (means, then
    /// variances for each hidden layer).
    pub vectors: BTreeMap<String, Vec<f32>>,
}

impl Snapshot {
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

/// What trains a network. It borrows no data: every epoch is given the same samples again.
pub enum Engine {
    /// The cores of this machine.
    Cpu(Box<cpu::Trainer>),
}

impl Engine {
    /// An engine for `network` on the cores of this machine; `data` are the samples that every epoch will be
    /// given.
    ///
    /// # Errors
    /// `InvalidArgument` for more samples than can be numbered, for distortions of samples that are not
    /// images, for a wrong `GRADUS_ISA`, and if the operating system refuses the threads.
    pub fn cpu(
        settings: &Settings,
        network: &Network,
        transform: Transform,
        data: &Subset,
    ) -> Result<Engine> {
        Ok(Engine::Cpu(Box::new(cpu::Trainer::new(settings, network, transform, data)?)))
    }

    /// Runs one epoch, number `epoch` of all; raising `stop` ends it after the step in progress.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another number or size of samples than the engine was made for.
    pub fn epoch(
        &mut self,
        data: &Subset,
        epoch: usize,
        learning_rate: LearningRate,
        stop: &AtomicBool,
    ) -> Result<Totals> {
        match self {
            Engine::Cpu(trainer) => trainer.epoch(data, epoch, learning_rate, stop),
        }
    }

    /// Gives the model as it is now to `network`: averaged if the settings say so, with batch normalisation
    /// folded into the weights.
    pub fn store(&self, network: &mut Network) {
        match self {
            Engine::Cpu(trainer) => trainer.store(network),
        }
    }

    /// All that the steps to come depend on.
    pub fn snapshot(&self) -> Snapshot {
        match self {
            Engine::Cpu(trainer) => trainer.snapshot(),
        }
    }

    /// Takes up where a snapshot was made, by this engine or another one.
    ///
    /// # Errors
    /// `InvalidArgument` if a vector is missing or has another length.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        match self {
            Engine::Cpu(trainer) => trainer.restore(snapshot),
        }
    }

    /// Whether all parameters are finite numbers.
    pub fn is_finite(&self) -> bool {
        match self {
            Engine::Cpu(trainer) => trainer.is_finite(),
        }
    }

    /// Steps of an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        match self {
            Engine::Cpu(trainer) => trainer.steps_per_epoch(),
        }
    }

    /// Steps made so far, those of the runs that this one continues included.
    pub fn steps(&self) -> u64 {
        match self {
            Engine::Cpu(trainer) => trainer.steps(),
        }
    }

    /// Threads for other work between two epochs.
    pub(crate) fn workers(&self) -> &Workers {
        match self {
            Engine::Cpu(trainer) => trainer.workers(),
        }
    }
}
