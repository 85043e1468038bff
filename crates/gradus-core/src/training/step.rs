//! One step: from the gradients of a batch to new parameters.
//!
//! In order: gradients of the lanes summed, penalties added, clipped; the optimizer; weights kept
//! within their norm; the average follows. Every worker does this for the pieces that it owns, and
//! they meet only where one needs numbers of all: the norm of the whole gradient, the norms of a
//! unit's weights, the direction of a whole matrix.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::network::layout::Layout;
use crate::network::{MatMut, MatRef, Member, Prepared, SharedMatrix};
use crate::optimizer::Optimizer;
use crate::optimizer::muon::{Orthogonalizer, momentum_step};
use crate::schedule::{Run, Schedule};
use crate::training::config::TrainConfig;
use crate::training::worker::Lane;

/// What steps remember, and how they are made.
pub(super) struct Stepper {
    /// Steps made so far, those of the runs before included.
    pub(super) steps: u64,
    /// Steps of the runs before: the schedule begins behind them.
    pub(super) before: u64,
    /// What a schedule that watches the run has made of the learning rate.
    pub(super) rate_factor: f32,
    /// What the optimizer remembers.
    pub(super) moments: [SharedMatrix; 2],
    /// Moving average of parameters and statistics; empty where there is none.
    pub(super) average: [SharedMatrix; 2],
    optimizer: Optimizer,
    /// Of each weight but the last, for Muon.
    orthogonalizers: Vec<Orthogonalizer>,
    learning_rate: f32,
    schedule: Schedule,
    run: Run,
    penalties: (f32, f32),
    clip_norm: Option<f32>,
    clip_value: Option<f32>,
    decay: Option<f32>,
    max_norm: Option<MaxNorm>,
    /// Sum of the squares of each piece of the gradient.
    squares: Vec<AtomicU64>,
}

/// The limit on the norm of the weights that lead to a hidden unit.
struct MaxNorm {
    limit: f32,
    /// For each hidden stage and block of its weight: the sums of the squares of its columns.
    squares: Vec<SharedMatrix>,
    /// What each block's owner makes of them: the factors of the columns.
    factors: Vec<SharedMatrix>,
}

impl Stepper {
    pub(super) fn new(
        config: &TrainConfig,
        prepared: &Prepared,
        run: Run,
        threads: usize,
    ) -> Stepper {
        let (layout, settings) = (&prepared.layout, &config.regularization);
        let vector = |needed: bool| match needed {
            true => SharedMatrix::vector(layout.len(), &layout.pieces),
            false => SharedMatrix::vector(0, &vec![0..0; layout.pieces.len()]),
        };
        let moments = config.optimizer.moments();
        let matrices = match config.optimizer {
            Optimizer::Muon { .. } => &layout.stages[..layout.stages.len() - 1],
            _ => &[],
        };
        let orthogonalizers = matrices
            .iter()
            .map(|stage| Orthogonalizer::new(stage.inputs, stage.outputs, threads))
            .collect();
        Stepper {
            steps: 0,
            before: 0,
            rate_factor: 1.0,
            moments: [vector(moments > 0), vector(moments > 1)],
            average: match settings.average {
                Some(_) => [
                    copy(&prepared.parameters, &layout.pieces),
                    copy(&prepared.statistics, &layout.statistics),
                ],
                None => [vector(false), SharedMatrix::vector(0, &[])],
            },
            optimizer: config.optimizer,
            orthogonalizers,
            learning_rate: config.learning_rate,
            schedule: config.schedule,
            run,
            penalties: (settings.l1, settings.l2),
            clip_norm: settings.clip_norm,
            clip_value: settings.clip_value,
            decay: settings.average,
            max_norm: settings.max_norm.map(|limit| MaxNorm::new(limit, layout)),
            squares: layout.pieces.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The learning rate of a step.
    pub(super) fn rate_at(&self, step: u64) -> f32 {
        self.rate_factor * self.schedule.at(self.learning_rate, step - self.before, &self.run)
    }

    /// The learning rate of the last step; of the first where there was none.
    pub(super) fn last_rate(&self) -> f32 {
        self.rate_at(self.steps.saturating_sub(1).max(self.before))
    }

    /// The moving average of parameters and statistics, where it is asked for.
    pub(super) fn average(&self) -> Option<&[SharedMatrix; 2]> {
        self.decay.is_some().then_some(&self.average)
    }

    /// Step number `step`, from 0: this worker's part.
    pub(super) fn step(&self, prepared: &Prepared, lanes: &[Lane], step: u64, all: &Member) {
        let several = lanes.len() > 1;
        if several {
            all.wait();
        }
        let layout = &prepared.layout;
        let clip = self.clip_norm.map(|limit| {
            layout.for_own_pieces(all, |piece| self.gradient(prepared, lanes, piece));
            all.wait();
            limit / (self.gradient_norm() + 1e-6)
        });
        layout.for_own_pieces(all, |piece| {
            match clip {
                None => self.gradient(prepared, lanes, piece),
                Some(factor) if factor < 1.0 => {
                    let mut gradients = lanes[0].workspace.gradients.write(piece);
                    prepared.kernels().scale(gradients.slice(), factor);
                }
                Some(_) => {}
            }
            self.optimize(prepared, lanes, step, piece);
        });
        if !self.orthogonalizers.is_empty() {
            all.wait();
            self.orthogonal_steps(prepared, lanes, step, all);
        }
        if let Some(max_norm) = &self.max_norm {
            max_norm.limit(prepared, all);
        }
        if let Some(decay) = self.decay {
            self.follow(prepared, decay, step, all);
        }
        if several {
            all.wait();
        }
    }

    /// The optimizer's step for one piece; for a matrix of Muon's only its momentum.
    fn optimize(&self, prepared: &Prepared, lanes: &[Lane], step: u64, piece: usize) {
        let (kernels, layout) = (prepared.kernels(), &prepared.layout);
        let matrices = self.orthogonalizers.len();
        if let Optimizer::Muon { momentum, nesterov, .. } = self.optimizer
            && layout.is_weight_of(piece, 0..matrices)
        {
            let mut gradients = lanes[0].workspace.gradients.write(piece);
            let mut mean = self.moments[0].write(piece);
            return momentum_step(kernels, momentum, nesterov, gradients.slice(), mean.slice());
        }
        self.optimizer.step(
            kernels,
            (step + 1, self.rate_at(step), layout.decays[piece]),
            prepared.parameters.write(piece).slice(),
            &lanes[0].workspace.gradients.read_piece(piece),
            self.moments[0].write(piece).slice(),
            self.moments[1].write(piece).slice(),
        );
    }

    /// Muon's steps for its matrices, one after the other, each by all workers together.
    fn orthogonal_steps(&self, prepared: &Prepared, lanes: &[Lane], step: u64, all: &Member) {
        let (kernels, layout) = (prepared.kernels(), &prepared.layout);
        let gradients = &lanes[0].workspace.gradients;
        let rates = (self.rate_at(step), self.optimizer.weight_decay());
        for (index, orthogonalizer) in self.orthogonalizers.iter().enumerate() {
            let stage = &layout.stages[index];
            orthogonalizer.orthogonalize(kernels, all, |rows, mut matrix| {
                for block in 0..layout.weight_blocks(index) {
                    let piece = gradients.read_piece(stage.weight_piece(block));
                    let (height, width) = layout.weight_shape(index, block);
                    let from = MatRef::new(&piece, height, width);
                    let (first, columns) = layout.weight_place(index, block);
                    let shared = rows.start.max(first)..rows.end.min(first + height);
                    for row in shared {
                        matrix.row_mut(row - rows.start)[columns.clone()]
                            .copy_from_slice(&from.row(row - first)[..columns.len()]);
                    }
                }
            });
            for block in all.share(layout.weight_blocks(index)) {
                let (height, width) = layout.weight_shape(index, block);
                let (first, columns) = layout.weight_place(index, block);
                let mut weight = prepared.parameters.write(stage.weight_piece(block));
                let weight = MatMut::with_stride(weight.slice(), height, columns.len(), width);
                orthogonalizer.apply(kernels, rates, (first..first + height, columns), weight);
            }
        }
    }

    /// The gradient of a piece: that of all lanes, with penalties, its values limited.
    fn gradient(&self, prepared: &Prepared, lanes: &[Lane], piece: usize) {
        let kernels = prepared.kernels();
        let mut gradients = lanes[0].workspace.gradients.write(piece);
        let gradients = gradients.slice();
        for lane in &lanes[1..] {
            kernels.add(gradients, &lane.workspace.gradients.read_piece(piece));
        }
        let (l1, l2) = self.penalties;
        if (l1 > 0.0 || l2 > 0.0) && prepared.layout.decays[piece] {
            kernels.penalize(gradients, &prepared.parameters.read_piece(piece), l1, l2);
        }
        if let Some(limit) = self.clip_value {
            kernels.clamp(gradients, limit);
        }
        if self.clip_norm.is_some() {
            let squares = kernels.sum_of_squares(gradients);
            self.squares[piece].store(squares.to_bits(), Ordering::Relaxed);
        }
    }

    /// Norm of the whole gradient, once all have made their pieces. Summed in the order of the
    /// pieces, so that every worker finds the same bits.
    fn gradient_norm(&self) -> f32 {
        let squares = self.squares.iter().map(|sum| f64::from_bits(sum.load(Ordering::Relaxed)));
        squares.sum::<f64>().sqrt() as f32
    }

    /// The average moves towards the parameters; at first by more, since it starts from the initial
    /// ones: its decay is `min(decay, (1 + step) / (10 + step))`.
    fn follow(&self, prepared: &Prepared, decay: f32, step: u64, all: &Member) {
        let kernels = prepared.kernels();
        let decay = decay.min((1 + step) as f32 / (10 + step) as f32);
        let layout = &prepared.layout;
        layout.for_own_pieces(all, |piece| {
            let parameters = prepared.parameters.read_piece(piece);
            kernels.blend(self.average[0].write(piece).slice(), &parameters, decay);
        });
        for stage in &layout.stages {
            for block in all.share(stage.norms.len()) {
                let piece = stage.norms[block].statistics;
                let statistics = prepared.statistics.read_piece(piece);
                kernels.blend(self.average[1].write(piece).slice(), &statistics, decay);
            }
        }
    }
}

/// A vector with the values of another, and its cuts.
fn copy(values: &SharedMatrix, cuts: &[Range<usize>]) -> SharedMatrix {
    let copied = SharedMatrix::vector(cuts.last().map_or(0, |cut| cut.end), cuts);
    for piece in 0..cuts.len() {
        copied.write(piece).slice().copy_from_slice(&values.read_piece(piece));
    }
    copied
}

impl MaxNorm {
    fn new(limit: f32, layout: &Layout) -> MaxNorm {
        let rows_for_blocks = |index: usize| {
            let blocks = layout.weight_blocks(index);
            let widest = (0..blocks).map(|block| layout.weight_shape(index, block).1).max();
            let cuts: Vec<_> = (0..blocks).map(|row| row..row + 1).collect();
            SharedMatrix::by_rows(blocks, widest.unwrap_or(0), &cuts)
        };
        let hidden = 0..layout.stages.len() - 1;
        MaxNorm {
            limit,
            squares: hidden.clone().map(rows_for_blocks).collect(),
            factors: hidden.map(rows_for_blocks).collect(),
        }
    }

    /// Scales the weights that lead to each hidden unit down to the limit where they are above it.
    /// A block of the first weight holds all weights of its units; of the others each block holds
    /// some of all units', so that their sums are added first.
    fn limit(&self, prepared: &Prepared, all: &Member) {
        let (kernels, layout) = (prepared.kernels(), &prepared.layout);
        for index in 0..self.squares.len() {
            let blocks = layout.weight_blocks(index);
            for block in all.share(blocks) {
                let (rows, columns) = layout.weight_shape(index, block);
                let weight =
                    prepared.parameters.read_piece(layout.stages[index].weight_piece(block));
                let mut squares = self.squares[index].write(block);
                let squares = &mut squares.slice()[..columns];
                squares.fill(0.0);
                kernels.add_column_squares(MatRef::new(&weight, rows, columns), squares);
            }
        }
        if self.squares.len() > 1 {
            all.wait();
        }
        for index in 0..self.squares.len() {
            let blocks = layout.weight_blocks(index);
            for block in all.share(blocks) {
                let (rows, columns) = layout.weight_shape(index, block);
                let mut factors = self.factors[index].write(block);
                let factors = &mut factors.slice()[..columns];
                factors.fill(0.0);
                let summed = if index == 0 { block..block + 1 } else { 0..blocks };
                for other in summed {
                    let squares = self.squares[index].read_piece(other);
                    kernels.add(factors, &squares[..columns]);
                }
                for factor in &mut *factors {
                    *factor = (self.limit / factor.sqrt()).min(1.0);
                }
                let piece = layout.stages[index].weight_piece(block);
                let mut weight = prepared.parameters.write(piece);
                kernels.scale_columns(MatMut::new(weight.slice(), rows, columns), factors);
            }
        }
    }
}
