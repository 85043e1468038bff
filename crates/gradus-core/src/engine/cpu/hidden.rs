//! What stands between the product of a hidden layer and the next layer, forward and backward:
//! batch normalization, noise, activation, dropout (docs/maths.md M3, M14, M16).
//!
//! All but the activation exist in training alone. A network that predicts has none of it: dropout
//! scales what it keeps, so that nothing changes on average, and batch normalization is folded into
//! the weights (`fold`, below).

use std::ops::Range;

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::SharedMatrix;

use crate::engine::cpu::plan::{Plan, PlannedLayer};
use crate::engine::cpu::workspace::Workspace;
use crate::network::{Activation, Network};
use crate::random::{Purpose, Stream, step_stream};
use crate::regularization::HiddenRegularization;

/// Added to the variance in batch normalization.
pub const EPSILON: f32 = 1e-5;

/// Weight of a batch in the running mean and variance of batch normalization.
const MOMENTUM: f32 = 0.1;

/// Units that an activation with strengths takes at a time, on the stack.
const PIECE: usize = 128;

/// Where the random numbers of a pass come from.
#[derive(Debug, Clone, Copy)]
pub struct RngKey {
    /// Of the run.
    pub seed: u64,
    /// Of the run, from 0.
    pub step: u64,
    /// Place of the pass's first sample in the batch.
    pub first: usize,
}

impl RngKey {
    /// The numbers for one sample of the pass at layer `index`.
    fn stream(&self, purpose: Purpose, index: usize, sample: usize) -> Stream {
        let mut stream = step_stream(self.seed, purpose, self.step, (self.first + sample) as u64);
        stream.counter[0] |= (index as u32) << 8;
        stream
    }
}

/// A layer in a pass.
#[derive(Clone, Copy)]
pub(super) struct HiddenLayer<'a> {
    pub(super) kernels: Kernels,
    pub(super) hidden: HiddenRegularization,
    pub(super) index: usize,
    pub(super) layer: &'a PlannedLayer,
    pub(super) workspace: &'a Workspace,
    pub(super) gradients: &'a SharedMatrix,
    pub(super) parameters: &'a SharedMatrix,
    /// None for a prediction.
    pub(super) key: Option<RngKey>,
}

impl HiddenLayer<'_> {
    /// Whether the whole batch must be there before the activation.
    pub(super) fn normalizes(&self) -> bool {
        self.key.is_some() && !self.layer.norms.is_empty()
    }

    /// Batch normalization of all samples of a block, in place. `running` follows the means and
    /// the (unbiased) variances.
    pub(super) fn normalize(
        &self,
        block: usize,
        parameters: &SharedMatrix,
        running: &SharedMatrix,
        mut output: MatMut,
    ) {
        let (Some(normalized), Some(norm)) =
            (&self.workspace.normalized[self.index], self.layer.norms.get(block))
        else {
            return;
        };
        let (samples, units) = (output.rows(), self.layer.blocks[block].len());
        let mut normalized = normalized.write(block);
        let mut normalized = normalized.view();
        let mut normalized = normalized.part_rows(0..samples);
        let mut statistics = self.workspace.statistics.write(norm.statistics);
        let (means, variances) = statistics.slice().split_at_mut(units);
        let (gamma, beta) =
            (parameters.read_partition(norm.gamma), parameters.read_partition(norm.beta));
        self.kernels.batch_norm_forward(
            output.first_columns(units),
            &gamma,
            &beta,
            EPSILON,
            means,
            variances,
            normalized.first_columns(units),
        );

        let mut running = running.write(norm.statistics);
        let (running_means, running_variances) = running.slice().split_at_mut(units);
        self.kernels.blend(running_means, means, 1.0 - MOMENTUM);
        let unbiased = samples as f32 / (samples.max(2) - 1) as f32;
        for (running, &variance) in running_variances.iter_mut().zip(&*variances) {
            *running += MOMENTUM * (unbiased * variance - *running);
        }
    }

    /// From the gradient of a block after batch normalization to the gradient before it, and those
    /// of its scale and shift.
    pub(super) fn normalize_backward(&self, block: usize, parameters: &SharedMatrix, grad: MatMut) {
        let (Some(normalized), Some(norm)) =
            (&self.workspace.normalized[self.index], self.layer.norms.get(block))
        else {
            return;
        };
        let units = self.layer.blocks[block].len();
        let normalized = normalized.read_partition(block);
        let normalized = normalized.view().part(0..grad.rows(), 0..units);
        let statistics = self.workspace.statistics.read_partition(norm.statistics);
        let gamma = parameters.read_partition(norm.gamma);
        let mut grad_gamma = self.gradients.write(norm.gamma);
        let mut grad_beta = self.gradients.write(norm.beta);
        self.kernels.batch_norm_backward(
            grad,
            normalized,
            &gamma,
            &statistics[units..],
            EPSILON,
            grad_gamma.slice(),
            grad_beta.slice(),
        );
        if self.hidden.noise > 0.0 {
            grad_gamma.slice().fill(0.0);
        }
    }

    /// Noise, activation and dropout of rows of a block, in place.
    pub(super) fn activate(&self, block: usize, rows: Range<usize>, mut output: MatMut) {
        let start = self.layer.blocks[block].start;
        let stream = |purpose, row| self.key.map(|key| key.stream(purpose, self.index, row));
        let activation = self.layer.activation;
        if self.hidden.noise > 0.0 {
            for (sample, row) in rows.clone().enumerate() {
                if let Some(stream) = stream(Purpose::Noise, row) {
                    let values = output.row_mut(sample);
                    self.kernels.add_normal(stream, start, self.hidden.noise, values);
                }
            }
        }
        let takes_input = activation.needs_input() || !self.layer.strengths.is_empty();
        let strengths = self.layer.strengths.get(block);
        let strengths = strengths.map(|&strengths| self.parameters.read_partition(strengths));
        let strengths = strengths.as_deref().unwrap_or_default();
        let Workspace { saved, plain, masks, .. } = self.workspace;
        let mut parts = [saved, plain, masks]
            .map(|matrices| matrices[self.index].as_ref().map(|matrix| matrix.write(block)));
        let [mut saved, mut plain, mut masks] =
            parts.each_mut().map(|it| it.as_mut().map(|it| it.view()));
        // Row by row, so that a row stays in the nearest cache.
        for (sample, row) in rows.enumerate() {
            let values = output.row_mut(sample);
            let mut saved = saved.as_mut().map(|it| it.row_mut(row));
            if let (true, Some(saved)) = (takes_input, &mut saved) {
                saved.copy_from_slice(values);
            }
            let plain = plain.as_mut().map(|it| it.row_mut(row));
            activate(self.kernels, activation, strengths, values, saved.as_deref().zip(plain));
            if let (false, Some(saved)) = (takes_input, saved) {
                saved.copy_from_slice(values);
            }
            if let (Some(masks), Some(stream)) = (&mut masks, stream(Purpose::Dropout, row)) {
                let mask = masks.row_mut(row);
                self.kernels.dropout_mask(stream, start, self.hidden.dropout, mask);
                self.kernels.multiply(values, mask);
            }
        }
    }

    /// From the gradient of the activation's output to that of its input, for saved inputs and what the activation made of
    /// them before its strengths; adds to the gradients of these.
    fn apply_backward(&self, strengths: usize, saved: MatRef, plain: MatRef, grad: &mut MatMut) {
        let (kernels, activation) = (self.kernels, self.layer.activation);
        let mut sums = self.gradients.write(strengths);
        let strengths = self.parameters.read_partition(strengths);
        let mut through = [0.0; PIECE];
        for sample in 0..saved.rows() {
            let pieces = saved.row(sample).chunks(PIECE).zip(plain.row(sample).chunks(PIECE));
            let grads = grad.row_mut(sample).chunks_mut(PIECE);
            let sums = sums.slice().chunks_mut(PIECE).zip(strengths.chunks(PIECE));
            for ((inputs, outputs), (grad, (sums, strengths))) in pieces.zip(grads.zip(sums)) {
                let through = &mut through[..inputs.len()];
                kernels.strengthen_backward((outputs, inputs), strengths, grad, through, sums);
                let kept = if activation.needs_input() { inputs } else { outputs };
                activation.backward(kernels, kept, through);
                kernels.add(grad, through);
            }
        }
    }

    /// From the gradient of the layer's output to the gradient before its activation.
    pub(super) fn activate_backward(&self, block: usize, rows: Range<usize>, mut grad: MatMut) {
        let (ws, units) = (self.workspace, 0..self.layer.blocks[block].len());
        if let Some(masks) = &ws.masks[self.index] {
            let masks = masks.read_partition(block);
            let masks = masks.view().part(rows.clone(), units.clone());
            for sample in 0..masks.rows() {
                self.kernels.multiply(grad.row_mut(sample), masks.row(sample));
            }
        }
        let Some(saved) = ws.saved[self.index].as_ref().or(ws.activations[self.index].as_ref())
        else {
            return;
        };
        let saved = saved.read_partition(block);
        let saved = saved.view().part(rows.clone(), units.clone());
        if let (Some(&strengths), Some(plain)) =
            (self.layer.strengths.get(block), &ws.plain[self.index])
        {
            let plain = plain.read_partition(block);
            let plain = plain.view().part(rows, units);
            return self.apply_backward(strengths, saved, plain, &mut grad);
        }
        for sample in 0..saved.rows() {
            let grad = grad.row_mut(sample);
            self.layer.activation.backward(self.kernels, saved.row(sample), grad);
        }
    }
}

/// The activation of the units of a sample, in place, with the strengths of the first of them, if any have one. `saved` is a copy
/// of the inputs and a place for what the activation makes of them without the strengths, where a backward pass needs both.
pub(super) fn activate(
    kernels: Kernels,
    activation: Activation,
    strengths: &[f32],
    values: &mut [f32],
    saved: Option<(&[f32], &mut [f32])>,
) {
    let count = strengths.len();
    if let Some((inputs, plain)) = saved {
        activation.forward(kernels, values);
        plain.copy_from_slice(values);
        return kernels.strengthen(&mut values[..count], &inputs[..count], strengths);
    }
    let (units, others) = values.split_at_mut(count);
    let mut inputs = [0.0; PIECE];
    for (values, strengths) in units.chunks_mut(PIECE).zip(strengths.chunks(PIECE)) {
        let inputs = &mut inputs[..values.len()];
        inputs.copy_from_slice(values);
        activation.forward(kernels, values);
        kernels.strengthen(values, inputs, strengths);
    }
    activation.forward(kernels, others);
}

/// Folds batch normalization into the linear layers before it: with `f = gamma / sqrt(variance +
/// epsilon)` of each unit, `W' = W f` and `b' = (b - mean) f + beta` give the same outputs.
/// `parameters` and `statistics` are in the network's order, `network` holds `W` and `b`.
pub(super) fn fold(plan: &Plan, parameters: &[f32], statistics: &[f32], network: &mut Network) {
    for (index, layer) in plan.layers.iter().enumerate() {
        let Some(norm) = layer.norms.first() else { continue };
        let parameter = |partition| &parameters[plan.parameters.tensor(partition).range.clone()];
        let (gamma, beta) = (parameter(norm.gamma), parameter(norm.beta));
        let running = &statistics[plan.statistics.tensor(norm.statistics).range.clone()];
        let (means, variances) = running.split_at(layer.outputs);
        let factors: Vec<f32> =
            gamma.iter().zip(variances).map(|(g, v)| g / (v + EPSILON).sqrt()).collect();
        for row in network.weight_mut(index).chunks_exact_mut(layer.outputs) {
            row.iter_mut().zip(&factors).for_each(|(w, f)| *w *= f);
        }
        for (unit, bias) in network.bias_mut(index).iter_mut().enumerate() {
            *bias = (*bias - means[unit]) * factors[unit] + beta[unit];
        }
    }
}
