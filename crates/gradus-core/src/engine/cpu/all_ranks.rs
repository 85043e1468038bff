//! What the ranks of a run do together: they share the micro-batches of every batch, add their gradients, and agree
//! when to stop.
//!
//! In: the gradient of this rank's micro-batches. Out: that of the whole batch, the same bits on every rank. One
//! thread of a rank exchanges; the others wait at the barriers of `step.rs`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use gradus_kernels::threads::SharedMatrix;

use crate::engine::cpu::lock;
use crate::engine::cpu::micro_batch::MicroBatch;
use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::portion::Portion;
use crate::engine::{Halt, Settings};
use crate::error::{Error, Result};
use crate::exchange::Ranks;
use crate::optimizer::Optimizer;

/// The ranks of a run, and which micro-batches are this one's.
pub(super) struct AllRanks {
    ranks: Ranks,
    portion: Portion,
    memory: Mutex<Memory>,
    /// What the ranks were asked for before the last exchange: how many to stop, and [`PAUSE`] for each that is to pause.
    asked: AtomicU32,
    /// Why the last exchange failed.
    error: Mutex<Option<Error>>,
    failed: AtomicBool,
    nanoseconds: AtomicU64,
}

/// A rank that is to pause counts so much beside those that are to stop: more than there are ranks.
const PAUSE: u32 = 1 << 16;

/// What is exchanged, and what arrives.
#[derive(Default)]
struct Memory {
    values: Vec<f32>,
    received: Vec<f32>,
}

impl AllRanks {
    /// # Errors
    /// `InvalidArgument` if the ranks cannot share the micro-batches equally, or if something in the settings takes
    /// all samples of a batch at once.
    pub(super) fn new(settings: &Settings, micro_batches: usize) -> Result<AllRanks> {
        let ranks = settings.ranks.clone();
        let size = ranks.size();
        if size > 1 && settings.regularization.batch_norm {
            return Err(Error::argument(format!(
                "`batch_norm` takes all samples of a batch at once, which {size} ranks do not have: leave it out, or \
                 train with one rank"
            )));
        }
        if size > 1 && matches!(settings.optimizer, Optimizer::Lbfgs { .. }) {
            return Err(Error::argument(format!(
                "L-BFGS runs on one rank, but there are {size}: choose another optimizer, or train with one rank"
            )));
        }
        if !micro_batches.is_multiple_of(size) {
            return Err(Error::argument(format!(
                "{size} ranks cannot share {micro_batches} micro-batch{}: set `micro_batches` to {size} or more, start \
                 fewer ranks, or use larger batches (one micro-batch for every 4,096 samples)",
                if micro_batches == 1 { "" } else { "es" }
            )));
        }
        Ok(AllRanks {
            portion: Portion::of(ranks.rank(), size, micro_batches),
            ranks,
            memory: Mutex::default(),
            asked: AtomicU32::new(0),
            error: Mutex::new(None),
            failed: AtomicBool::new(false),
            nanoseconds: AtomicU64::new(0),
        })
    }

    /// Whether there is no other rank.
    pub(super) fn is_alone(&self) -> bool {
        self.ranks.is_alone()
    }

    /// Which part of every batch is this rank's.
    pub(super) fn portion(&self) -> &Portion {
        &self.portion
    }

    /// Begins a pass over all batches.
    pub(super) fn begin(&self) {
        self.asked.store(0, Ordering::Relaxed);
    }

    /// Adds the gradient of the other ranks to this one's and tells them whether this one was asked to leave the epoch. One
    /// thread does it, while no other one has the gradient.
    pub(super) fn sum(&self, executor: &Executor, gradient: &SharedMatrix, halt: Option<Halt>) {
        let begin = Instant::now();
        let mut memory = lock(&self.memory);
        let Memory { values, received } = &mut *memory;
        values.clear();
        values.extend_from_slice(&gradient.read());
        // Single precision holds the sums of these over all ranks.
        values.push(match halt {
            None => 0.0,
            Some(Halt::Stop) => 1.0,
            Some(Halt::Pause) => PAUSE as f32,
        });
        received.resize(values.len(), 0.0);
        match self.ranks.sum(executor.kernels(), values, received) {
            Ok(()) => {
                let partitions = &executor.plan.parameters.partitions;
                for (number, partition) in partitions.iter().enumerate() {
                    let summed = &values[partition.range.clone()];
                    gradient.write(number).slice().copy_from_slice(summed);
                }
                let asked = values.last().map_or(0, |&asked| asked as u32);
                self.asked.store(asked, Ordering::Relaxed);
            }
            Err(error) => self.fail(error),
        }
        self.count(begin);
    }

    /// The losses of all micro-batches in their order, and how many samples were classified correctly.
    pub(super) fn losses(&self, micro_batches: &[MicroBatch]) -> Result<(Vec<f64>, usize)> {
        let begin = Instant::now();
        let mut own = Vec::with_capacity(16 * micro_batches.len());
        for it in micro_batches {
            own.extend(lock(&it.loss).to_le_bytes());
            own.extend((it.correct.load(Ordering::Relaxed) as u64).to_le_bytes());
        }
        let all = self.ranks.gather(&own)?;
        let (numbers, _) = all.as_chunks::<8>();
        let losses = numbers.iter().step_by(2).map(|&bytes| f64::from_le_bytes(bytes)).collect();
        let correct =
            numbers.iter().skip(1).step_by(2).map(|&bytes| u64::from_le_bytes(bytes) as usize);
        let figures = (losses, correct.sum());
        self.count(begin);
        Ok(figures)
    }

    /// Why all ranks are to leave the epoch. All of them have the same answer between two exchanges.
    pub(super) fn halt(&self) -> Option<Halt> {
        match self.asked.load(Ordering::Relaxed) {
            0 => None,
            asked if asked % PAUSE > 0 => Some(Halt::Stop),
            _ => Some(Halt::Pause),
        }
    }

    /// Whether the last exchange failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// The error of the last exchange, if it failed.
    pub(super) fn check(&self) -> Result<()> {
        self.failed.store(false, Ordering::Relaxed);
        lock(&self.error).take().map_or(Ok(()), Err)
    }

    /// Seconds in which this rank exchanged numbers or waited for others, since the run began.
    pub(super) fn seconds(&self) -> f64 {
        self.nanoseconds.load(Ordering::Relaxed) as f64 * 1e-9
    }

    fn fail(&self, error: Error) {
        *lock(&self.error) = Some(error);
        self.failed.store(true, Ordering::Relaxed);
    }

    fn count(&self, begin: Instant) {
        if !self.is_alone() {
            let spent = begin.elapsed().as_nanos() as u64;
            self.nanoseconds.fetch_add(spent, Ordering::Relaxed);
        }
    }
}
