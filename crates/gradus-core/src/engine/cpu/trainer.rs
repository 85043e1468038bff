//! What a run keeps from its first step to its last: parameters, the optimizer's memory, the buffers and the
//! threads.
//!
//! In: settings, a network, samples; a [`Snapshot`]. Out: a [`Trainer`]; from it the network as it is now, and
//! a snapshot. Its steps are in `step.rs`, its epochs in `epochs.rs`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gradus_kernels::sparse::TILE;
use gradus_kernels::threads::{SharedMatrix, ThreadGroup, Workers};

use crate::engine::cpu::all_ranks::AllRanks;
use crate::engine::cpu::input::InputPipeline;
use crate::engine::cpu::lbfgs_state::LbfgsState;
use crate::engine::cpu::micro_batch::{Group, MicroBatch, ThreadState};
use crate::engine::cpu::output_terms::OutputTerms;
use crate::engine::cpu::partition::Partitioned;
use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::portion::share;
use crate::engine::cpu::sums::Sums;
use crate::engine::cpu::update::Updater;
use crate::engine::cpu::{CHUNK, kernels};
use crate::engine::{Halt, Settings, Snapshot, TargetScale};
use crate::error::{Error, Result};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::regularization::HiddenRegularization;
use crate::samples::batches::Batches;
use crate::samples::{Shuffle, Subset};
use crate::transform::Transform;

/// A micro-batch is worth its own gradients from this many samples on: to sum them takes as long as some
/// hundred samples.
pub(super) const MICRO_BATCH_SAMPLES: usize = 4096;

/// Most micro-batches: their gradients take memory, and as many threads can share a full batch by samples.
pub(crate) const MOST_MICRO_BATCHES: usize = 64;

/// Into how many micro-batches batches of so many samples are cut: a power of two, so that a tree over them is whole
/// wherever it is divided among machines.
fn micro_batches(settings: &Settings, samples: usize) -> usize {
    let worth = (samples / MICRO_BATCH_SAMPLES).clamp(1, MOST_MICRO_BATCHES);
    match settings.micro_batches {
        Some(count) => count,
        // Batch normalization needs all samples of a batch at once.
        None if settings.regularization.batch_norm => 1,
        None => 1 << worth.ilog2(),
    }
}

/// Refuses what takes samples that are read as they are needed in another order than they can be read in.
fn check_streamed(settings: &Settings, batches: &Batches) -> Result<()> {
    let problem = if settings.shuffle != Shuffle::Blocks {
        "are read in an order of blocks: set `shuffle` to blocks"
    } else if matches!(settings.optimizer, Optimizer::Lbfgs { .. }) {
        "cannot be trained on with L-BFGS, which goes through all of them several times in a step: choose another \
         `optimizer`"
    } else if batches.is_full() {
        "cannot make one batch: set a smaller `batch_size`"
    } else {
        return Ok(());
    };
    Err(Error::argument(format!(
        "samples that are not in memory {problem}, or load them into memory"
    )))
}

/// What trains a network on the cores of this machine.
pub(crate) struct Trainer {
    pub(super) executor: Executor,
    pub(super) updater: Updater,
    /// What L-BFGS has in place of an optimizer's step; none for other optimizers.
    pub(super) lbfgs: Option<Box<LbfgsState>>,
    pub(super) input: InputPipeline,
    pub(super) seed: u64,
    pub(super) shuffle: Shuffle,
    pub(super) smoothing: f32,
    /// Factor of each training sample's loss; none for 1.
    pub(super) weights: Option<Vec<f32>>,
    /// The scale on which regression targets are learned; none for their own.
    pub(super) target_scale: Option<TargetScale>,
    /// How the losses of a sample's outputs are summed; none for the two losses with kernels of their own.
    pub(super) terms: Option<OutputTerms>,
    /// Outputs for each target.
    pub(super) per_target: usize,
    /// Those of this rank.
    pub(super) micro_batches: Vec<MicroBatch>,
    pub(super) ranks: AllRanks,
    pub(super) workers: Workers,
    pub(super) everyone: ThreadGroup,
    pub(super) groups: Vec<Group>,
    pub(super) sums: Sums,
    pub(super) states: Vec<Mutex<ThreadState>>,
    pub(super) batches: Batches,
    /// Samples and features of the data that it was made for.
    pub(super) shape: (usize, usize),
    /// Steps made so far, those of the runs that this one continues included. It is counted up after each step, so that
    /// others may watch; within an epoch, steps are numbered from what it was at the beginning of the epoch.
    pub(super) steps: Arc<AtomicU64>,
    /// Whether an epoch was run; the first one of a resumed run is not number 0.
    pub(super) begun: bool,
    /// Set by the first thread, so that all of them leave the epoch at the same step.
    pub(super) halt: Mutex<Option<Halt>>,
}

impl Trainer {
    /// `data` are the samples that every epoch will be given.
    ///
    /// # Errors
    /// `InvalidArgument` for too many samples, for distortions of samples that are not images, for batch
    /// normalization of batches of one sample, and if the operating system refuses the threads.
    pub(crate) fn new(
        settings: &Settings,
        network: &Network,
        transform: Transform,
        data: &Subset,
    ) -> Result<Trainer> {
        let Settings { batch_size, regularization, seed, threads, .. } = settings;
        let kernels = kernels()?;
        let mut batches = Batches::new(data.len(), *batch_size)?;
        if regularization.batch_norm {
            if batches.batch_size() < 2 {
                return Err(Error::argument(
                    "`batch_norm` needs at least two samples in a batch, because it subtracts the batch's mean: \
                     use a larger `batch_size`, or no `batch_norm`",
                ));
            }
            batches.leave_out_single();
        }
        if data.streamed().is_some() {
            check_streamed(settings, &batches)?;
        }
        let dense = settings.scaling_layer || network.columns().is_some();
        let count = micro_batches(settings, batches.batch_size());
        if settings.shuffle == Shuffle::Blocks {
            batches.shuffle_blocks(data.row_bytes(), count);
        }
        let ranks = AllRanks::new(settings, count)?;
        let input = InputPipeline::new(kernels, transform, data, &batches, settings, dense)?;
        let (sparse, hidden) =
            (input.density.is_sparse(), HiddenRegularization::from(regularization));
        let mut network = network.clone();
        if let Some(scale) = &settings.target_scale {
            scale.unfold_from(&mut network);
        }
        let executor = match settings.scaling_layer {
            true => Executor::with_scaling(kernels, &network, hidden),
            false => Executor::for_training(kernels, &network, sparse, hidden),
        };
        let whole = executor.plan.hidden.batch_norm;
        let rows = batches.batch_size().div_ceil(count).next_multiple_of(TILE);
        let rows = if whole { rows } else { rows.min(CHUNK) };
        let features = (!sparse).then_some(data.features());
        let own = ranks.portion().len();
        let groups = own.min(*threads);
        Ok(Trainer {
            updater: Updater::new(settings, &executor),
            lbfgs: LbfgsState::new(settings).map(Box::new),
            seed: *seed,
            shuffle: settings.shuffle,
            smoothing: regularization.label_smoothing,
            weights: regularization.class_weights.of_samples(data),
            target_scale: settings.target_scale.clone(),
            terms: OutputTerms::new(settings, network.outputs()),
            per_target: settings.loss.outputs_per_target(),
            micro_batches: (0..own).map(|_| MicroBatch::default()).collect(),
            sums: Sums::new(&executor, (0..groups).map(|group| share(own, group, groups))),
            ranks,
            workers: Workers::new(*threads).map_err(Error::argument)?,
            everyone: ThreadGroup::new(*threads),
            groups: (0..groups)
                .map(|group| share(*threads, group, groups).len())
                .map(|threads| Group::new(threads, &executor, rows, features))
                .collect(),
            states: (0..*threads)
                .map(|_| {
                    Mutex::new(ThreadState::new(&executor, rows, input.buffers(), data, &network))
                })
                .collect(),
            shape: (data.len(), data.features()),
            batches,
            steps: Arc::default(),
            begun: false,
            halt: Mutex::new(None),
            executor,
            input,
        })
    }

    /// What the losses of these samples are divided by: the sum of their factors.
    pub(super) fn weight_of(&self, samples: &[u32]) -> f64 {
        match &self.weights {
            Some(weights) => {
                samples.iter().map(|&sample| f64::from(weights[sample as usize])).sum()
            }
            None => samples.len() as f64,
        }
    }

    /// Steps of an epoch.
    pub(crate) fn steps_per_epoch(&self) -> usize {
        self.batches.len()
    }

    /// Steps made so far, those of the runs that this one continues included.
    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// The same number, for other threads.
    pub(crate) fn step_counter(&self) -> Arc<AtomicU64> {
        self.steps.clone()
    }

    /// Seconds in which this rank exchanged numbers with others or waited for them.
    pub(crate) fn exchange_seconds(&self) -> f64 {
        self.ranks.seconds()
    }

    /// The threads, for other work between two epochs.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Whether all parameters are finite numbers.
    pub(crate) fn is_finite(&self) -> bool {
        // Without a branch for each value, eight at a time: this is asked after every epoch, by one thread.
        let all = |part: &[f32]| part.iter().fold(true, |all, value| all & value.is_finite());
        let finite = |matrix: &SharedMatrix| matrix.read().chunks(1024).all(all);
        finite(&self.executor.parameters) && finite(&self.executor.statistics)
    }

    /// Gives the model as it is now to `network`, in the targets' own units; the average if there is one.
    pub(crate) fn store(&self, network: &mut Network) {
        match &self.updater.ema {
            Some(ema) => self.executor.store_these(&ema.parameters, &ema.statistics, network),
            None => self.executor.store(network),
        }
        if let Some(scale) = &self.target_scale {
            scale.fold_into(network);
        }
    }

    /// All that later steps depend on.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let vectors = self
            .vectors()
            .into_iter()
            .map(|(name, order, memory)| (name.to_owned(), order.from_memory(&memory.read())));
        let mut snapshot =
            Snapshot { steps: self.steps(), evaluations: 0, vectors: vectors.collect() };
        if let Some(method) = &self.lbfgs {
            method.save(&mut snapshot);
        }
        snapshot
    }

    /// Takes up where a snapshot was made.
    ///
    /// # Errors
    /// `InvalidArgument` if a vector is missing or has another length.
    pub(crate) fn restore(&mut self, snapshot: &Snapshot) -> Result<()> {
        for (name, order, memory) in self.vectors() {
            order.write(snapshot.vector(name, order.values())?, memory);
        }
        if let Some(method) = &mut self.lbfgs {
            method.restore(snapshot, self.executor.plan.parameters.values())?;
        }
        self.steps.store(snapshot.steps, Ordering::Relaxed);
        Ok(())
    }

    /// The vectors that training changes, by name.
    fn vectors(&self) -> Vec<(&'static str, &Partitioned, &SharedMatrix)> {
        let Trainer { executor, updater, .. } = self;
        let (parameters, statistics) = (&executor.plan.parameters, &executor.plan.statistics);
        let [first, second] = &updater.moments;
        let mut vectors = vec![
            ("parameters", parameters, &executor.parameters),
            ("statistics", statistics, &executor.statistics),
            ("first_moment", parameters, first),
            ("second_moment", parameters, second),
        ];
        if let Some(ema) = &updater.ema {
            vectors.push(("ema", parameters, &ema.parameters));
            vectors.push(("ema_statistics", statistics, &ema.statistics));
        }
        vectors.retain(|(.., memory)| !memory.read().is_empty());
        vectors
    }
}
