//! The engine: what computes the steps of training and the passes of predictions.
//!
//! In: a network, settings, samples, the learning rate of each step. Out: the figures of an epoch and the
//! network after it. A run sees an engine only through `Engine` and the types of `border.rs`; how an engine
//! lays parameters out in memory is its own affair. [`cpu`] is the only engine so far; it computes with
//! `gradus-kernels` on the cores of this machine.

mod border;
pub mod cpu;
mod target_scale;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use gradus_kernels::threads::Workers;

pub(crate) use border::{
    Epoch, Halt, LBFGS_CHANGES, LBFGS_STEPS, Pace, PartialEpoch, Settings, Snapshot, Totals,
};
pub(crate) use cpu::MOST_MICRO_BATCHES;
pub(crate) use target_scale::TargetScale;

use crate::error::Result;
use crate::network::Network;
use crate::samples::Subset;
use crate::transform::Transform;

/// Trains a network. It borrows no data: every epoch is given the same samples again.
pub(crate) enum Engine {
    /// The cores of this machine.
    Cpu(Box<cpu::Trainer>),
}

impl Engine {
    /// An engine for `network`, whose outputs are in the targets' own units, on the cores of this machine; `data` are the samples that every epoch will be
    /// given.
    ///
    /// # Errors
    /// `InvalidArgument` for more samples than can be numbered, for distortions of samples that are not
    /// images, for a wrong `GRADUS_ISA`, and if the operating system refuses the threads.
    pub(crate) fn cpu(
        settings: &Settings,
        network: &Network,
        transform: Transform,
        data: &Subset,
    ) -> Result<Engine> {
        Ok(Engine::Cpu(Box::new(cpu::Trainer::new(settings, network, transform, data)?)))
    }

    /// Runs one epoch.
    ///
    /// # Errors
    /// `InvalidArgument` for data of another number or size of samples than the engine was made for.
    pub(crate) fn epoch(&mut self, data: &Subset, epoch: Epoch) -> Result<Totals> {
        match self {
            Engine::Cpu(trainer) => trainer.epoch(data, epoch),
        }
    }

    /// Copies the current parameters to `network`: averaged if the settings say so, with batch normalization
    /// and the scale of the targets folded into the weights.
    pub(crate) fn store(&self, network: &mut Network) {
        match self {
            Engine::Cpu(trainer) => trainer.store(network),
        }
    }

    /// Everything that later steps depend on.
    pub(crate) fn snapshot(&self) -> Snapshot {
        match self {
            Engine::Cpu(trainer) => trainer.snapshot(),
        }
    }

    /// Continues from a snapshot of this engine or another one.
    ///
    /// # Errors
    /// `InvalidArgument` if a vector is missing or has another length.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        match self {
            Engine::Cpu(trainer) => trainer.restore(snapshot),
        }
    }

    /// Whether all parameters are finite numbers.
    pub(crate) fn is_finite(&self) -> bool {
        match self {
            Engine::Cpu(trainer) => trainer.is_finite(),
        }
    }

    /// Steps of an epoch.
    pub(crate) fn steps_per_epoch(&self) -> usize {
        match self {
            Engine::Cpu(trainer) => trainer.steps_per_epoch(),
        }
    }

    /// Steps made so far, those of the runs that this one continues included.
    pub(crate) fn steps(&self) -> u64 {
        match self {
            Engine::Cpu(trainer) => trainer.steps(),
        }
    }

    /// The same number, which other threads may read while an epoch runs.
    pub(crate) fn step_counter(&self) -> Arc<AtomicU64> {
        match self {
            Engine::Cpu(trainer) => trainer.step_counter(),
        }
    }

    /// Seconds in which this rank exchanged numbers with others or waited for them.
    pub(crate) fn exchange_seconds(&self) -> f64 {
        match self {
            Engine::Cpu(trainer) => trainer.exchange_seconds(),
        }
    }

    /// Threads for other work between two epochs.
    pub(crate) fn workers(&self) -> &Workers {
        match self {
            Engine::Cpu(trainer) => trainer.workers(),
        }
    }
}
