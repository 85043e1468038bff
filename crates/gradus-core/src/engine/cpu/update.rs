//! From the gradients of a batch to new parameters.
//!
//! In: the gradient of a batch, the sum over its micro-batches (`sums.rs`). Out: new parameters and what the
//! optimizer remembers. Every thread does this for the partitions that it owns; they meet only where one needs
//! numbers of all: the norm of the whole gradient, the norms of a unit's weights, the direction of a whole
//! matrix.

use std::sync::atomic::{AtomicU64, Ordering};

use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::{SharedMatrix, Thread};

use crate::engine::cpu::passes::Executor;
use crate::engine::cpu::plan::{Operand, Plan, PlannedLayer};
use crate::engine::{Pace, Settings};
use crate::network::{NumericEmbedding, Parametric, Role};
use crate::optimizer::muon::{Orthogonalizer, momentum_step};
use crate::optimizer::{Optimizer, Step};

/// Which step is made, and how far it goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct StepSize {
    /// Counted from 0.
    pub(super) step: u64,
    /// Learning rate, weight decay and dropout.
    pub(super) pace: Pace,
}

/// What steps remember, and how they are made.
pub(super) struct Updater {
    /// What the optimizer remembers.
    pub(super) moments: [SharedMatrix; 2],
    /// Exponential moving average of parameters and statistics, if there is one.
    pub(super) ema: Option<Ema>,
    optimizer: Optimizer,
    /// Factor of the learning rate of each partition of the parameters.
    rate_factors: Vec<f32>,
    /// Factor of the weight decay of each partition.
    decay_factors: Vec<f32>,
    /// One for each weight but the last, for Muon.
    orthogonalizers: Vec<Orthogonalizer>,
    penalties: Penalties,
    clip_norm: Option<f32>,
    clip_value: Option<f32>,
    max_norm: Option<MaxNorm>,
    /// Sum of the squares of each partition of the gradient.
    squares: Vec<AtomicU64>,
}

/// Exponential moving average of what training changes.
pub(super) struct Ema {
    decay: f32,
    pub(super) parameters: SharedMatrix,
    pub(super) statistics: SharedMatrix,
}

/// Factors of the penalties on weights.
#[derive(Clone, Copy)]
struct Penalties {
    l1: f32,
    l2: f32,
}

/// The limit on the norm of the weights that lead to a hidden unit.
struct MaxNorm {
    limit: f32,
    /// For each hidden layer and block of its weight: the sums of the squares of its columns.
    squares: Vec<SharedMatrix>,
    /// What each block's owner makes of them: the factors of the columns.
    factors: Vec<SharedMatrix>,
}

impl Updater {
    pub(super) fn new(settings: &Settings, executor: &Executor) -> Updater {
        let Settings { optimizer, regularization, threads, .. } = settings;
        let plan = &executor.plan;
        let moments = optimizer.moments();
        let moment = |needed: bool| match needed {
            true => plan.parameters.zeros(),
            // Kernels take an empty slice for what an optimizer does not remember.
            false => SharedMatrix::vector(0, &vec![0..0; plan.parameters.partitions.len()]),
        };
        let matrices = match optimizer {
            Optimizer::Muon { .. } => &plan.layers[..plan.layers.len() - 1],
            _ => &[],
        };
        let orthogonalizers = matrices
            .iter()
            .map(|layer| Orthogonalizer::new(layer.inputs, layer.outputs, *threads))
            .collect();
        Updater {
            moments: [moment(moments > 0), moment(moments > 1)],
            ema: regularization.ema_decay.map(|decay| Ema {
                decay,
                parameters: copy(&executor.parameters, plan.parameters.zeros()),
                statistics: copy(&executor.statistics, plan.statistics.zeros()),
            }),
            optimizer: *optimizer,
            rate_factors: rate_factors(settings, plan),
            decay_factors: decay_factors(settings, plan),
            orthogonalizers,
            penalties: Penalties { l1: regularization.l1, l2: regularization.l2 },
            clip_norm: regularization.clip_norm,
            clip_value: regularization.clip_value,
            max_norm: regularization.max_norm.map(|limit| MaxNorm::new(limit, plan)),
            squares: plan.parameters.partitions.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// One step with the gradient of the whole batch, this thread's part: penalties, clipping, the
    /// optimizer, the limit on norms, the average.
    pub(super) fn finish(
        &self,
        executor: &Executor,
        gradients: &SharedMatrix,
        size: StepSize,
        all: &Thread,
    ) {
        let plan = &executor.plan;
        plan.for_own_partitions(all, |it| self.penalize(executor, gradients, it));
        let factor = self.clip_norm.map_or(1.0, |limit| {
            // Barrier: the norm takes the squares of all partitions.
            all.barrier();
            limit / (self.gradient_norm() + 1e-6)
        });
        plan.for_own_partitions(all, |partition| {
            if factor < 1.0 {
                let mut gradients = gradients.write(partition);
                executor.kernels().scale(gradients.slice(), factor);
            }
            self.optimize(executor, gradients, size, partition);
        });
        if !self.orthogonalizers.is_empty() {
            // Barrier: a direction takes the momentum of all partitions of its matrix.
            all.barrier();
            self.orthogonal_steps(executor, gradients, size.pace, all);
        }
        if let Some(max_norm) = &self.max_norm {
            max_norm.limit(executor, all);
        }
        if let Some(ema) = &self.ema {
            ema.follow(executor, size.step, all);
        }
    }

    /// Adds the penalties to one partition of the gradient and limits its values.
    fn penalize(&self, executor: &Executor, gradients: &SharedMatrix, partition: usize) {
        let (kernels, Penalties { l1, l2 }) = (executor.kernels(), self.penalties);
        let penalized = (l1 > 0.0 || l2 > 0.0) && is_weight(&executor.plan, partition);
        if !penalized && self.clip_value.is_none() && self.clip_norm.is_none() {
            return;
        }
        let mut gradients = gradients.write(partition);
        let gradients = gradients.slice();
        if penalized {
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

    /// Norm of the whole gradient. Summed in the order of the partitions, so that every thread finds the
    /// same bits.
    fn gradient_norm(&self) -> f32 {
        let squares = self.squares.iter().map(|sum| f64::from_bits(sum.load(Ordering::Relaxed)));
        squares.sum::<f64>().sqrt() as f32
    }

    /// The optimizer's step for one partition; for a matrix of Muon's only its momentum.
    fn optimize(
        &self,
        executor: &Executor,
        gradients: &SharedMatrix,
        StepSize { step, pace }: StepSize,
        partition: usize,
    ) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        let matrices = self.orthogonalizers.len();
        if let Optimizer::Muon { momentum, nesterov, .. } = self.optimizer
            && plan.is_weight_of(partition, 0..matrices)
        {
            let mut gradients = gradients.write(partition);
            let mut mean = self.moments[0].write(partition);
            return momentum_step(kernels, momentum, nesterov, gradients.slice(), mean.slice());
        }
        self.optimizer.step(
            kernels,
            Step {
                number: step + 1,
                rate: pace.rate * self.rate_factors[partition],
                decay_rate: pace.rate,
                decay: pace.decay * self.decay_factors[partition],
            },
            executor.parameters.write(partition).slice(),
            &gradients.read_partition(partition),
            self.moments[0].write(partition).slice(),
            self.moments[1].write(partition).slice(),
        );
    }

    /// Muon's steps for its matrices, one after the other, each by all threads together.
    fn orthogonal_steps(
        &self,
        executor: &Executor,
        gradients: &SharedMatrix,
        pace: Pace,
        all: &Thread,
    ) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        let rates = (pace.rate, pace.decay * self.optimizer.weight_decay());
        for (orthogonalizer, layer) in self.orthogonalizers.iter().zip(&plan.layers) {
            orthogonalizer.orthogonalize(kernels, all, |rows, mut matrix| {
                for &number in &layer.weights {
                    let partition = &plan.parameters.partitions[number];
                    let (place, columns) = (&partition.rows, partition.columns.clone());
                    let values = gradients.read_partition(number);
                    let from = MatRef::new(&values, place.len(), partition.width);
                    for row in rows.start.max(place.start)..rows.end.min(place.end) {
                        matrix.row_mut(row - rows.start)[columns.clone()]
                            .copy_from_slice(&from.row(row - place.start)[..columns.len()]);
                    }
                }
            });
            for block in all.share(layer.weights.len()) {
                let number = layer.weights[block];
                let partition = &plan.parameters.partitions[number];
                let (rows, columns) = (partition.rows.clone(), partition.columns.clone());
                let mut weight = executor.parameters.write(number);
                let weight =
                    MatMut::with_stride(weight.slice(), rows.len(), columns.len(), partition.width);
                orthogonalizer.apply(kernels, rates, (rows, columns), weight);
            }
        }
    }
}

/// Whether penalties apply: to weights, never to biases, scales and shifts.
fn is_weight(plan: &Plan, partition: usize) -> bool {
    plan.parameters.tensor(partition).role == Role::Weight
}

/// The factor of the learning rate of each partition, by the role of its tensor.
fn rate_factors(settings: &Settings, plan: &Plan) -> Vec<f32> {
    let Settings { parametrization, bias_rate, scaling_rate, optimizer, .. } = settings;
    let partitions = 0..plan.parameters.partitions.len();
    let factor = |partition| {
        let tensor = plan.parameters.tensor(partition);
        match tensor.role {
            Role::Weight => optimizer.rate_factor(parametrization.scale(tensor.shape[0])),
            Role::Bias => *bias_rate,
            Role::InputScale => *scaling_rate,
            Role::Strength => Parametric::RATE_FACTOR,
            Role::NumericEmbedding => NumericEmbedding::RATE_FACTOR,
            Role::BinEdges => 0.0,
            Role::CategoryEmbedding => 1.0,
            Role::Scale | Role::Shift | Role::RunningStatistics => 1.0,
        }
    };
    partitions.map(factor).collect()
}

/// The factor of the weight decay of each partition, by the role of its tensor.
fn decay_factors(settings: &Settings, plan: &Plan) -> Vec<f32> {
    let factor = |partition| match plan.parameters.tensor(partition).role {
        Role::Weight => 1.0,
        Role::InputScale => settings.scaling_decay,
        Role::CategoryEmbedding => settings.category_decay,
        Role::Bias | Role::Strength | Role::NumericEmbedding | Role::BinEdges => 0.0,
        Role::Scale | Role::Shift | Role::RunningStatistics => 0.0,
    };
    (0..plan.parameters.partitions.len()).map(factor).collect()
}

/// Copies the values of one vector to another with the same partitions.
fn copy(values: &SharedMatrix, copied: SharedMatrix) -> SharedMatrix {
    for partition in 0..values.partitions() {
        let values = values.read_partition(partition);
        copied.write(partition).slice().copy_from_slice(&values);
    }
    copied
}

impl Ema {
    /// The average moves towards the parameters; at first by more, since it starts from the initial ones:
    /// its decay is `min(decay, (1 + step) / (10 + step))`.
    fn follow(&self, executor: &Executor, step: u64, all: &Thread) {
        let (kernels, plan) = (executor.kernels(), &executor.plan);
        let decay = self.decay.min((1 + step) as f32 / (10 + step) as f32);
        plan.for_own_partitions(all, |partition| {
            // What never changes would change by rounding.
            if plan.parameters.tensor(partition).role == Role::BinEdges {
                return;
            }
            let parameters = executor.parameters.read_partition(partition);
            kernels.blend(self.parameters.write(partition).slice(), &parameters, decay);
        });
        for layer in &plan.layers {
            for block in all.share(layer.norms.len()) {
                let partition = layer.norms[block].statistics;
                let statistics = executor.statistics.read_partition(partition);
                kernels.blend(self.statistics.write(partition).slice(), &statistics, decay);
            }
        }
    }
}

impl MaxNorm {
    fn new(limit: f32, plan: &Plan) -> MaxNorm {
        let rows_for_blocks = |layer: &PlannedLayer| {
            let blocks = layer.weights.len();
            let widths = layer.weights.iter().map(|&it| plan.parameters.partitions[it].width);
            let rows: Vec<_> = (0..blocks).map(|row| row..row + 1).collect();
            SharedMatrix::by_rows(blocks, widths.max().unwrap_or(0), &rows)
        };
        let hidden = &plan.layers[..plan.layers.len() - 1];
        MaxNorm {
            limit,
            squares: hidden.iter().map(rows_for_blocks).collect(),
            factors: hidden.iter().map(rows_for_blocks).collect(),
        }
    }

    /// Scales the weights that lead to each hidden unit down to the limit if they are above it. A panel
    /// holds all weights of its units; a partition of rows holds some weights of all units, so that the
    /// sums of all of them are added first.
    fn limit(&self, executor: &Executor, all: &Thread) {
        for index in 0..self.squares.len() {
            self.add_squares(index, executor, all);
        }
        let layers = &executor.plan.layers[..self.squares.len()];
        if layers.iter().any(|layer| layer.operand != Operand::Batch) {
            // Barrier: layers that do not take the batch need the sums of all blocks.
            all.barrier();
        }
        for index in 0..self.squares.len() {
            self.scale(index, executor, all);
        }
    }

    /// Sums of the squares of the columns of own blocks.
    fn add_squares(&self, index: usize, executor: &Executor, all: &Thread) {
        let layer = &executor.plan.layers[index];
        for block in all.share(layer.weights.len()) {
            let number = layer.weights[block];
            let partition = &executor.plan.parameters.partitions[number];
            let weight = executor.parameters.read_partition(number);
            let weight = MatRef::new(&weight, partition.rows.len(), partition.width);
            let mut squares = self.squares[index].write(block);
            let squares = &mut squares.slice()[..partition.width];
            squares.fill(0.0);
            executor.kernels().add_column_squares(weight, squares);
        }
    }

    /// Scales own blocks by the factors of their columns.
    fn scale(&self, index: usize, executor: &Executor, all: &Thread) {
        let (kernels, layer) = (executor.kernels(), &executor.plan.layers[index]);
        let blocks = layer.weights.len();
        for block in all.share(blocks) {
            let number = layer.weights[block];
            let partition = &executor.plan.parameters.partitions[number];
            let mut factors = self.factors[index].write(block);
            let factors = &mut factors.slice()[..partition.width];
            factors.fill(0.0);
            let summed = match layer.operand {
                Operand::Batch => block..block + 1,
                Operand::Columns | Operand::Layer(_) => 0..blocks,
            };
            for other in summed {
                let squares = self.squares[index].read_partition(other);
                kernels.add(factors, &squares[..partition.width]);
            }
            for factor in &mut *factors {
                *factor = (self.limit / factor.sqrt()).min(1.0);
            }
            let mut weight = executor.parameters.write(number);
            let weight = MatMut::new(weight.slice(), partition.rows.len(), partition.width);
            kernels.scale_columns(weight, factors);
        }
    }
}
