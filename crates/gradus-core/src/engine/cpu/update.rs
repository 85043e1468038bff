//! One step: from the gradients of a batch to new parameters.
//!
//! In order: gradients of the micro_batches summed, penalties added, clipped; the optimizer; weights kept
//! within their norm; the average follows. Every worker does this for the partitions that it owns, and
//! they meet only where one needs numbers of all: the norm of the whole gradient, the norms of a
//! unit's weights, the direction of a whole matrix.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::{SharedMatrix, Thread};

use crate::engine::Settings;
use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::plan::Plan;
use crate::engine::cpu::trainer::MicroBatch;
use crate::optimizer::Optimizer;
use crate::optimizer::muon::{Orthogonalizer, momentum_step};

/// What steps remember, and how they are made.
pub(crate) struct Stepper {
    /// Steps made so far, those of the runs before included.
    pub(crate) steps: u64,
    /// What the optimizer remembers.
    pub(crate) moments: [SharedMatrix; 2],
    /// Moving average of parameters and statistics; empty where there is none.
    pub(crate) average: [SharedMatrix; 2],
    optimizer: Optimizer,
    /// Of each weight but the last, for Muon.
    orthogonalizers: Vec<Orthogonalizer>,
    penalties: (f32, f32),
    clip_norm: Option<f32>,
    clip_value: Option<f32>,
    decay: Option<f32>,
    max_norm: Option<MaxNorm>,
    /// Sum of the squares of each partition of the gradient.
    squares: Vec<AtomicU64>,
}

/// The limit on the norm of the weights that lead to a hidden unit.
struct MaxNorm {
    limit: f32,
    /// For each hidden layer and block of its weight: the sums of the squares of its columns.
    squares: Vec<SharedMatrix>,
    /// What each block's owner makes of them: the factors of the columns.
    factors: Vec<SharedMatrix>,
}

impl Stepper {
    pub(super) fn new(settings: &Settings, executor: &Executor) -> Stepper {
        let Settings { optimizer, regularization: settings, threads, .. } = settings;
        let plan = &executor.plan;
        let vector = |needed: bool| match needed {
            true => SharedMatrix::vector(plan.len(), &plan.partitions),
            false => SharedMatrix::vector(0, &vec![0..0; plan.partitions.len()]),
        };
        let moments = optimizer.moments();
        let matrices = match optimizer {
            Optimizer::Muon { .. } => &plan.layers[..plan.layers.len() - 1],
            _ => &[],
        };
        let orthogonalizers = matrices
            .iter()
            .map(|layer| Orthogonalizer::new(layer.inputs, layer.outputs, *threads))
            .collect();
        Stepper {
            steps: 0,
            moments: [vector(moments > 0), vector(moments > 1)],
            average: match settings.ema_decay {
                Some(_) => [
                    copy(&executor.parameters, &plan.partitions),
                    copy(&executor.statistics, &plan.statistics),
                ],
                None => [vector(false), SharedMatrix::vector(0, &[])],
            },
            optimizer: *optimizer,
            orthogonalizers,
            penalties: (settings.l1, settings.l2),
            clip_norm: settings.clip_norm,
            clip_value: settings.clip_value,
            decay: settings.ema_decay,
            max_norm: settings.max_norm.map(|limit| MaxNorm::new(limit, plan)),
            squares: plan.partitions.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The moving average of parameters and statistics, where it is asked for.
    pub(crate) fn average(&self) -> Option<&[SharedMatrix; 2]> {
        self.decay.is_some().then_some(&self.average)
    }

    /// Step number `step`, from 0: this worker's part.
    pub(super) fn step(
        &self,
        executor: &Executor,
        micro_batches: &[MicroBatch],
        (step, rate): (u64, f32),
        all: &Thread,
    ) {
        let several = micro_batches.len() > 1;
        if several {
            all.barrier();
        }
        let plan = &executor.plan;
        let clip = self.clip_norm.map(|limit| {
            plan.for_own_partitions(all, |partition| {
                self.gradient(executor, micro_batches, partition)
            });
            all.barrier();
            limit / (self.gradient_norm() + 1e-6)
        });
        plan.for_own_partitions(all, |partition| {
            match clip {
                None => self.gradient(executor, micro_batches, partition),
                Some(factor) if factor < 1.0 => {
                    let mut gradients = micro_batches[0].workspace.gradients.write(partition);
                    executor.kernels().scale(gradients.slice(), factor);
                }
                Some(_) => {}
            }
            self.optimize(executor, micro_batches, (step, rate), partition);
        });
        if !self.orthogonalizers.is_empty() {
            all.barrier();
            self.orthogonal_steps(executor, micro_batches, rate, all);
        }
        if let Some(max_norm) = &self.max_norm {
            max_norm.limit(executor, all);
        }
        if let Some(decay) = self.decay {
            self.follow(executor, decay, step, all);
        }
        if several {
            all.barrier();
        }
    }

    /// The optimizer's step for one partition; for a matrix of Muon's only its momentum.
    fn optimize(
        &self,
        executor: &Executor,
        micro_batches: &[MicroBatch],
        (step, rate): (u64, f32),
        partition: usize,
    ) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        let matrices = self.orthogonalizers.len();
        if let Optimizer::Muon { momentum, nesterov, .. } = self.optimizer
            && plan.is_weight_of(partition, 0..matrices)
        {
            let mut gradients = micro_batches[0].workspace.gradients.write(partition);
            let mut mean = self.moments[0].write(partition);
            return momentum_step(kernels, momentum, nesterov, gradients.slice(), mean.slice());
        }
        self.optimizer.step(
            kernels,
            (step + 1, rate, plan.decays[partition]),
            executor.parameters.write(partition).slice(),
            &micro_batches[0].workspace.gradients.read_partition(partition),
            self.moments[0].write(partition).slice(),
            self.moments[1].write(partition).slice(),
        );
    }

    /// Muon's steps for its matrices, one after the other, each by all workers together.
    fn orthogonal_steps(
        &self,
        executor: &Executor,
        micro_batches: &[MicroBatch],
        rate: f32,
        all: &Thread,
    ) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        let gradients = &micro_batches[0].workspace.gradients;
        let rates = (rate, self.optimizer.weight_decay());
        for (index, orthogonalizer) in self.orthogonalizers.iter().enumerate() {
            let layer = &plan.layers[index];
            orthogonalizer.orthogonalize(kernels, all, |rows, mut matrix| {
                for block in 0..plan.weight_blocks(index) {
                    let partition = gradients.read_partition(layer.weight_partition(block));
                    let (height, width) = plan.weight_shape(index, block);
                    let from = MatRef::new(&partition, height, width);
                    let (first, columns) = plan.weight_place(index, block);
                    let shared = rows.start.max(first)..rows.end.min(first + height);
                    for row in shared {
                        matrix.row_mut(row - rows.start)[columns.clone()]
                            .copy_from_slice(&from.row(row - first)[..columns.len()]);
                    }
                }
            });
            for block in all.share(plan.weight_blocks(index)) {
                let (height, width) = plan.weight_shape(index, block);
                let (first, columns) = plan.weight_place(index, block);
                let mut weight = executor.parameters.write(layer.weight_partition(block));
                let weight = MatMut::with_stride(weight.slice(), height, columns.len(), width);
                orthogonalizer.apply(kernels, rates, (first..first + height, columns), weight);
            }
        }
    }

    /// The gradient of a partition: that of all micro_batches, with penalties, its values limited.
    fn gradient(&self, executor: &Executor, micro_batches: &[MicroBatch], partition: usize) {
        let kernels = executor.kernels();
        let mut gradients = micro_batches[0].workspace.gradients.write(partition);
        let gradients = gradients.slice();
        for micro_batch in &micro_batches[1..] {
            kernels.add(gradients, &micro_batch.workspace.gradients.read_partition(partition));
        }
        let (l1, l2) = self.penalties;
        if (l1 > 0.0 || l2 > 0.0) && executor.plan.decays[partition] {
            kernels.penalize(gradients, &executor.parameters.read_partition(partition), l1, l2);
        }
        if let Some(limit) = self.clip_value {
            kernels.clamp(gradients, limit);
        }
        if self.clip_norm.is_some() {
            let squares = kernels.sum_of_squares(gradients);
            self.squares[partition].store(squares.to_bits(), Ordering::Relaxed);
        }
    }

    /// Norm of the whole gradient, once all have made their partitions. Summed in the order of the
    /// partitions, so that every worker finds the same bits.
    fn gradient_norm(&self) -> f32 {
        let squares = self.squares.iter().map(|sum| f64::from_bits(sum.load(Ordering::Relaxed)));
        squares.sum::<f64>().sqrt() as f32
    }

    /// The average moves towards the parameters; at first by more, since it starts from the initial
    /// ones: its decay is `min(decay, (1 + step) / (10 + step))`.
    fn follow(&self, executor: &Executor, decay: f32, step: u64, all: &Thread) {
        let kernels = executor.kernels();
        let decay = decay.min((1 + step) as f32 / (10 + step) as f32);
        let plan = &executor.plan;
        plan.for_own_partitions(all, |partition| {
            let parameters = executor.parameters.read_partition(partition);
            kernels.blend(self.average[0].write(partition).slice(), &parameters, decay);
        });
        for layer in &plan.layers {
            for block in all.share(layer.norms.len()) {
                let partition = layer.norms[block].statistics;
                let statistics = executor.statistics.read_partition(partition);
                kernels.blend(self.average[1].write(partition).slice(), &statistics, decay);
            }
        }
    }
}

/// A vector with the values of another, and its parts.
fn copy(values: &SharedMatrix, parts: &[Range<usize>]) -> SharedMatrix {
    let copied = SharedMatrix::vector(parts.last().map_or(0, |part| part.end), parts);
    for partition in 0..parts.len() {
        copied.write(partition).slice().copy_from_slice(&values.read_partition(partition));
    }
    copied
}

impl MaxNorm {
    fn new(limit: f32, plan: &Plan) -> MaxNorm {
        let rows_for_blocks = |index: usize| {
            let blocks = plan.weight_blocks(index);
            let widest = (0..blocks).map(|block| plan.weight_shape(index, block).1).max();
            let parts: Vec<_> = (0..blocks).map(|row| row..row + 1).collect();
            SharedMatrix::by_rows(blocks, widest.unwrap_or(0), &parts)
        };
        let hidden = 0..plan.layers.len() - 1;
        MaxNorm {
            limit,
            squares: hidden.clone().map(rows_for_blocks).collect(),
            factors: hidden.map(rows_for_blocks).collect(),
        }
    }

    /// Scales the weights that lead to each hidden unit down to the limit where they are above it.
    /// A block of the first weight holds all weights of its units; of the others each block holds
    /// some of all units', so that their sums are added first.
    fn limit(&self, executor: &Executor, all: &Thread) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        for index in 0..self.squares.len() {
            let blocks = plan.weight_blocks(index);
            for block in all.share(blocks) {
                let (rows, columns) = plan.weight_shape(index, block);
                let weight =
                    executor.parameters.read_partition(plan.layers[index].weight_partition(block));
                let mut squares = self.squares[index].write(block);
                let squares = &mut squares.slice()[..columns];
                squares.fill(0.0);
                kernels.add_column_squares(MatRef::new(&weight, rows, columns), squares);
            }
        }
        if self.squares.len() > 1 {
            all.barrier();
        }
        for index in 0..self.squares.len() {
            let blocks = plan.weight_blocks(index);
            for block in all.share(blocks) {
                let (rows, columns) = plan.weight_shape(index, block);
                let mut factors = self.factors[index].write(block);
                let factors = &mut factors.slice()[..columns];
                factors.fill(0.0);
                let summed = if index == 0 { block..block + 1 } else { 0..blocks };
                for other in summed {
                    let squares = self.squares[index].read_partition(other);
                    kernels.add(factors, &squares[..columns]);
                }
                for factor in &mut *factors {
                    *factor = (self.limit / factor.sqrt()).min(1.0);
                }
                let partition = plan.layers[index].weight_partition(block);
                let mut weight = executor.parameters.write(partition);
                kernels.scale_columns(MatMut::new(weight.slice(), rows, columns), factors);
            }
        }
    }
}
