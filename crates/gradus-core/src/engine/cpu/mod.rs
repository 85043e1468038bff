//! The engine for the cores of this machine.
//!
//! `trainer.rs` runs the epochs and is the file to read first. [`plan`] says how the work on a network
//! is divided among threads, [`passes`] holds the forward and the backward pass, [`linear`] and
//! [`hidden`] the maths of a layer, [`workspace`] the memory. `input.rs` makes the inputs of a step,
//! `losses.rs` turns outputs into losses and gradients, `update.rs` gradients into new parameters.

mod density;
pub mod hidden;
mod input;
pub mod linear;
mod losses;
pub mod passes;
pub mod plan;
mod trainer;
pub(crate) mod update;
pub mod workspace;

use std::sync::{Mutex, MutexGuard};

use gradus_kernels::Kernels;
use gradus_kernels::sparse::TILE;

use crate::error::{Error, Result};

pub(crate) use density::{Density, fill_tile};
pub use hidden::{HiddenRegularization, RngKey};
pub use passes::{Executor, Input, SharedTile};
pub(crate) use trainer::Trainer;
pub use workspace::{Scratch, Workspace};

/// Samples that go through the network at a time.
pub(crate) const CHUNK: usize = 4 * TILE;

/// The kernels for this machine, or the error of a wrong `GRADUS_ISA`.
pub(crate) fn kernels() -> Result<Kernels> {
    Kernels::detect().map_err(Error::argument)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
