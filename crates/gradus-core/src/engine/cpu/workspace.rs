//! What a pass needs besides the parameters: activations and gradients. Made once; a step then
//! allocates nothing.

use std::ops::Range;

use gradus_kernels::matrix::Aligned;
use gradus_kernels::sparse::{PANEL, TILE};
use gradus_kernels::threads::SharedMatrix;

use crate::engine::cpu::plan::Plan;

/// Samples of a partition of the logits: the part of a batch whose loss one worker computes.
pub const LOSS_ROWS: usize = 64;

/// Activations and gradients of up to `rows` samples; shared by the threads of one group.
pub struct Workspace {
    pub(super) rows: usize,
    /// Output of each layer but the last (of the first one where there is no other).
    pub(super) activations: Vec<SharedMatrix>,
    /// What the derivative of the activation is computed from, where that is not the layer's output:
    /// the activation's input, or its output before dropout.
    pub(super) kept: Vec<Option<SharedMatrix>>,
    /// Masks of dropout.
    pub(super) masks: Vec<Option<SharedMatrix>>,
    /// Standardised inputs of batch normalisation.
    pub(super) normalized: Vec<Option<SharedMatrix>>,
    /// Means and variances over the samples, in the order of the plan.
    pub(super) statistics: SharedMatrix,
    /// Gradient with respect to the outputs of each layer before its activation; of the first and
    /// the last layer it is kept elsewhere, and here is nothing.
    pub(super) grad_preactivations: Vec<Option<SharedMatrix>>,
    /// Logits, then their gradient.
    pub logits: SharedMatrix,
    /// Loss of each sample.
    pub losses: SharedMatrix,
    /// Gradients of all parameters, in the order of the plan.
    pub gradients: SharedMatrix,
}

impl Workspace {
    /// For batches of up to `rows` samples. A workspace for predictions alone needs no gradients.
    pub fn new(plan: &Plan, rows: usize, training: bool) -> Workspace {
        let (layers, last) = (&plan.layers, plan.layers.len() - 1);
        let by_blocks = |index: usize| {
            let parts = &layers[index].padded;
            SharedMatrix::by_columns(rows, parts.last().map_or(0, |part| part.end), parts)
        };
        let hidden = |needed: &dyn Fn(usize) -> bool| -> Vec<_> {
            let matrix = |index| (training && needed(index)).then(|| by_blocks(index));
            (0..last.max(1)).map(matrix).collect()
        };
        let parts: Vec<Range<usize>> = (0..rows)
            .step_by(LOSS_ROWS)
            .map(|start| start..(start + LOSS_ROWS).min(rows))
            .collect();
        Workspace {
            rows,
            activations: (0..last.max(1)).map(by_blocks).collect(),
            kept: hidden(&|index| plan.hidden.saves(layers[index].activation)),
            masks: hidden(&|index| index < last && plan.hidden.dropout > 0.0),
            normalized: hidden(&|index| !layers[index].norms.is_empty()),
            statistics: SharedMatrix::vector(plan.statistics_len(), &plan.statistics),
            grad_preactivations: (0..layers.len())
                .map(|index| (training && index > 0 && index < last).then(|| by_blocks(index)))
                .collect(),
            logits: SharedMatrix::by_rows(rows, layers[last].outputs, &parts),
            losses: SharedMatrix::by_rows(rows, 1, &parts),
            gradients: if training {
                SharedMatrix::vector(plan.len(), &plan.partitions)
            } else {
                SharedMatrix::vector(0, &[])
            },
        }
    }

    /// Most samples that it can hold.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The partitions of the logits that the first `samples` samples fill, and the rows of a partition.
    pub fn loss_partitions(samples: usize) -> usize {
        samples.div_ceil(LOSS_ROWS)
    }

    /// The samples of partition `partition` where there are `samples` of them.
    pub fn loss_rows(partition: usize, samples: usize) -> Range<usize> {
        partition * LOSS_ROWS..((partition + 1) * LOSS_ROWS).min(samples)
    }
}

/// What one worker needs for itself.
pub struct Scratch {
    /// Gradient of a block of the first layer.
    pub(super) delta: Aligned,
    /// One row of a block.
    pub(super) row: Aligned,
}

impl Scratch {
    /// For workspaces of up to `rows` samples.
    pub fn new(plan: &Plan, rows: usize) -> Scratch {
        let widest = plan.layers[0].padded.iter().map(|padded| padded.len()).max().unwrap_or(0);
        Scratch {
            delta: Aligned::zeros(rows.max(TILE) * widest),
            row: Aligned::zeros(widest.max(PANEL)),
        }
    }
}
