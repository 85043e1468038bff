//! The parts of a batch and the threads that compute them: what is counted of a micro-batch, the memory of a group and
//! that of a thread, and a thread's place among the others.
//!
//! A batch is cut into *micro-batches*, each computed by a *group* of threads; within a group each thread owns
//! some of the units (`plan.rs`). A small batch is one micro-batch, so that the threads share the units; a large
//! one is several, so that each thread takes samples. The cuts depend on the batch and the settings, never on the
//! number of threads, and sums are made along a tree over the micro-batches: that is why the result does not
//! depend on the number of threads either.
//!
//! A group computes its micro-batches one after the other, in the same memory, so that it stays in the caches; their
//! gradients are in `sums.rs`.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use gradus_kernels::threads::{SharedMatrix, Thread, ThreadGroup};

use crate::engine::cpu::input::InputBuffers;
use crate::engine::cpu::lock;
use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::workspace::{LOSS_ROWS, Scratch, Workspace};
use crate::network::Network;
use crate::samples::{Subset, Targets};

/// What is counted of a part of every batch, since the epoch began.
#[derive(Default)]
pub(super) struct MicroBatch {
    pub(super) loss: Mutex<f64>,
    pub(super) correct: AtomicUsize,
}

/// Some of the threads, with the memory in which they compute their micro-batches.
pub(super) struct Group {
    pub(super) threads: ThreadGroup,
    pub(super) workspace: Workspace,
    /// Normalized samples, if inputs are dense.
    pub(super) input: Option<SharedMatrix>,
}

/// The memory that one thread needs for itself.
pub(super) struct ThreadState {
    pub(super) scratch: Scratch,
    pub(super) buffers: InputBuffers,
    /// Target values of the samples whose losses are computed; empty for classes.
    pub(super) targets: Vec<f32>,
}

/// A thread's places: among all threads, and in the group that computes some of the micro-batches.
pub(super) struct Place<'a> {
    pub(super) all: Thread<'a>,
    pub(super) group: Thread<'a>,
    pub(super) memory: &'a Group,
    pub(super) micro_batches: Range<usize>,
}

impl Group {
    /// For up to `rows` samples at a time; `features` are those of dense inputs.
    pub(super) fn new(
        threads: usize,
        executor: &Executor,
        rows: usize,
        features: Option<usize>,
    ) -> Group {
        let input = features.map(|features| {
            let tiles: Vec<_> = (0..Workspace::loss_tiles(rows))
                .map(|tile| Workspace::loss_rows(tile, rows))
                .collect();
            SharedMatrix::by_rows(rows, features, &tiles)
        });
        let threads = ThreadGroup::new(threads);
        Group { threads, workspace: Workspace::new(&executor.plan, rows, true), input }
    }
}

impl MicroBatch {
    /// Adds the losses of a chunk up, in the order of its samples; one thread does it.
    pub(super) fn add_losses(&self, losses: &SharedMatrix, count: usize, thread: usize) {
        if thread == 0 {
            let losses = losses.read();
            let rows = (0..count).map(|row| f64::from(losses.view().row(row)[0]));
            *lock(&self.loss) += rows.sum::<f64>();
        }
    }
}

impl ThreadState {
    /// For up to `rows` samples at a time.
    pub(super) fn new(
        executor: &Executor,
        rows: usize,
        buffers: InputBuffers,
        data: &Subset,
        network: &Network,
    ) -> ThreadState {
        let targets = match &data.data().targets {
            Targets::Classes { .. } => 0,
            Targets::Labels { .. } | Targets::Values { .. } => LOSS_ROWS * network.outputs(),
        };
        let scratch = Scratch::new(&executor.plan, rows);
        ThreadState { scratch, buffers, targets: vec![0.0; targets] }
    }
}
