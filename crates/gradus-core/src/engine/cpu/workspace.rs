//! The memory of a pass besides the parameters: activations and gradients. It is allocated once, so that
//! a step allocates nothing.

use std::ops::Range;

use gradus_kernels::matrix::Aligned;
use gradus_kernels::sparse::{PANEL, TILE};
use gradus_kernels::threads::SharedMatrix;

use crate::engine::cpu::column_blocks::PlannedColumns;
use crate::engine::cpu::plan::{GradientPlace, Operation, Plan};

/// Samples of a partition of the logits: the part of a batch whose losses one thread computes at a time.
pub const LOSS_ROWS: usize = 64;

/// Activations of up to `rows` samples and the gradients with respect to them, shared by the threads of one group.
pub struct Workspace {
    pub(super) rows: usize,
    /// What the plan's columns become.
    pub(super) columns: Option<ColumnMatrices>,
    /// Outputs of each layer, `samples x units`; `None` if they are the logits at once.
    pub(super) activations: Vec<Option<SharedMatrix>>,
    /// What the backward pass computes the derivative of the activation from, where that is not the
    /// layer's outputs: the pre-activations, or the outputs before dropout.
    pub(super) saved: Vec<Option<SharedMatrix>>,
    /// Outputs of activations before their strengths, for the backward pass.
    pub(super) plain: Vec<Option<SharedMatrix>>,
    /// Masks of dropout.
    pub(super) masks: Vec<Option<SharedMatrix>>,
    /// Standardized inputs of batch normalization.
    pub(super) normalized: Vec<Option<SharedMatrix>>,
    /// Means and variances over the samples, in the order of the plan.
    pub(super) statistics: SharedMatrix,
    /// Gradients with respect to the pre-activations of each layer that keeps them here.
    pub(super) grad_preactivations: Vec<Option<SharedMatrix>>,
    /// Logits, then the gradient with respect to them.
    pub logits: SharedMatrix,
    /// Loss of each sample.
    pub losses: SharedMatrix,
    /// What takes the place of the parameters' gradients in passes that compute none.
    pub(super) no_gradients: SharedMatrix,
}

impl Workspace {
    /// For up to `rows` samples at a time. Predictions alone need no gradients of activations.
    pub fn new(plan: &Plan, rows: usize, training: bool) -> Workspace {
        let layers = &plan.layers;
        let matrices = |needed: &dyn Fn(usize) -> bool| -> Vec<_> {
            let matrix = |index: usize| {
                let padded = &layers[index].padded;
                let columns = padded.last().map_or(0, |block| block.end);
                needed(index).then(|| SharedMatrix::by_columns(rows, columns, padded))
            };
            (0..layers.len()).map(matrix).collect()
        };
        let is_hidden = |index: usize| index + 1 < layers.len();
        let by_samples = |index| plan.operations.contains(&Operation::LayerBySamples(index));
        let in_workspace = |index: usize| layers[index].gradient == GradientPlace::Workspace;
        let tiles: Vec<_> =
            (0..Workspace::loss_tiles(rows)).map(|tile| Workspace::loss_rows(tile, rows)).collect();
        let outputs = layers.last().map_or(0, |layer| layer.outputs);
        Workspace {
            rows,
            columns: plan.columns.as_ref().map(|it| ColumnMatrices::new(it, rows, training)),
            activations: matrices(&|index| !by_samples(index)),
            saved: matrices(&|index| training && is_hidden(index) && plan.saves(index)),
            plain: matrices(&|index| training && !layers[index].strengths.is_empty()),
            masks: matrices(&|index| training && is_hidden(index) && plan.hidden.dropout > 0.0),
            normalized: matrices(&|index| training && !layers[index].norms.is_empty()),
            statistics: plan.statistics.zeros(),
            grad_preactivations: matrices(&|index| training && in_workspace(index)),
            logits: SharedMatrix::by_rows(rows, outputs, &tiles),
            losses: SharedMatrix::by_rows(rows, 1, &tiles),
            no_gradients: SharedMatrix::vector(0, &[]),
        }
    }

    /// Most samples that it can hold.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The number of partitions of the logits that the first `samples` samples fill.
    pub fn loss_tiles(samples: usize) -> usize {
        samples.div_ceil(LOSS_ROWS)
    }

    /// The samples of a partition of the logits if there are `samples` of them.
    pub fn loss_rows(tile: usize, samples: usize) -> Range<usize> {
        tile * LOSS_ROWS..((tile + 1) * LOSS_ROWS).min(samples)
    }
}

/// What input columns become: `samples x outputs`, divided by blocks of columns.
pub struct ColumnMatrices {
    /// The inputs of the first linear layer.
    pub(super) outputs: SharedMatrix,
    /// The same before the scaling layer, for its backward pass.
    pub(super) unscaled: Option<SharedMatrix>,
}

impl ColumnMatrices {
    fn new(columns: &PlannedColumns, rows: usize, training: bool) -> ColumnMatrices {
        let blocks: Vec<_> = columns.blocks.iter().map(|it| it.outputs.clone()).collect();
        let matrix = || SharedMatrix::by_columns(rows, columns.outputs(), &blocks);
        let scaled = columns.blocks.iter().any(|block| block.scale.is_some());
        ColumnMatrices { outputs: matrix(), unscaled: (training && scaled).then(matrix) }
    }
}

/// The memory that one thread needs for itself.
pub struct Scratch {
    /// Gradient with respect to the pre-activations of a block, or to the outputs of a block of columns.
    pub(super) grad_preactivation: Aligned,
    /// One row of a block.
    pub(super) row: Aligned,
    /// The samples of one column and its outputs.
    pub(super) column: Aligned,
}

impl Scratch {
    /// For workspaces of up to `rows` samples.
    pub fn new(plan: &Plan, rows: usize) -> Scratch {
        let in_scratch = plan.layers.iter().filter(|it| it.gradient == GradientPlace::Scratch);
        let columns =
            plan.columns.iter().flat_map(|it| it.blocks.iter().map(|it| it.outputs.len()));
        let widths =
            in_scratch.flat_map(|layer| layer.padded.iter().map(Range::len)).chain(columns);
        let widest = widths.max().unwrap_or(0);
        Scratch {
            grad_preactivation: Aligned::zeros(rows.max(TILE) * widest),
            row: Aligned::zeros(widest.max(PANEL)),
            column: Aligned::zeros(plan.columns.as_ref().map_or(0, |it| it.column_scratch(rows))),
        }
    }
}
