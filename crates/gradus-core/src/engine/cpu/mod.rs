//! The engine for the cores of this machine.
//!
//! `step.rs` shows one step of training on one page and is the file to read first. [`plan`] says which
//! operations a network consists of and how they are divided among threads, [`passes`] holds the forward
//! pass of a layer, `single.rs` that of one sample, `backward.rs` the backward pass, [`linear`] and [`hidden`] their maths, [`workspace`] the memory,
//! [`column_blocks`] and `columns.rs` are what acts on input columns before the first layer: how it is divided, and its
//! passes. [`partition`] is the order of parameters in memory. `density.rs` decides whether zeros are skipped, `input.rs` makes the inputs of a step, `losses.rs` turns
//! outputs into losses and gradients, `output_terms.rs` says how those of several outputs are summed, `sums.rs` adds the gradients of micro-batches, `update.rs` makes new parameters of them. `trainer.rs` holds what a run
//! keeps, `micro_batch.rs` what a batch is cut into, `portion.rs` and `all_ranks.rs` how processes share it; `epochs.rs` runs the epochs,
//! `windows.rs` reads inputs that are not in memory, `full_batch.rs` runs the epochs of L-BFGS, whose memory is in `lbfgs_state.rs`.

mod all_ranks;
mod backward;
pub mod column_blocks;
mod columns;
mod density;
mod epochs;
mod full_batch;
pub mod hidden;
mod input;
mod lbfgs_state;
pub mod linear;
mod losses;
mod micro_batch;
mod output_terms;
pub mod partition;
pub mod passes;
pub mod plan;
mod portion;
mod single;
mod step;
mod sums;
mod trainer;
mod update;
mod windows;
pub mod workspace;

use std::sync::{Mutex, MutexGuard};

use gradus_kernels::Kernels;
use gradus_kernels::sparse::TILE;

use crate::error::{Error, Result};

pub(crate) use density::{Density, fill_tile};
pub use hidden::RngKey;
pub use passes::{Executor, Input, Pass, SharedTile};
pub use single::SingleRow;
pub(crate) use trainer::{MOST_MICRO_BATCHES, Trainer};
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
