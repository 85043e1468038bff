//! What a pass needs besides the parameters: activations and gradients. Made once; a step then
//! allocates nothing.

use std::ops::Range;

use gradus_kernels::matrix::Aligned;
use gradus_kernels::sparse::{PANEL, TILE};

use crate::network::SharedMatrix;
use crate::network::layout::Layout;

/// Samples of a piece of the logits: the part of a batch whose loss one worker computes.
pub const LOSS_ROWS: usize = 64;

/// Activations and gradients of up to `rows` samples; shared by the members of one team.
pub struct Workspace {
    pub(super) rows: usize,
    /// Output of each stage but the last (of the first one where there is no other).
    pub(super) activations: Vec<SharedMatrix>,
    /// What the derivative of the activation is computed from, where that is not the stage's output:
    /// the activation's input, or its output before dropout.
    pub(super) kept: Vec<Option<SharedMatrix>>,
    /// Masks of dropout.
    pub(super) masks: Vec<Option<SharedMatrix>>,
    /// Standardised inputs of batch normalisation.
    pub(super) normalized: Vec<Option<SharedMatrix>>,
    /// Means and variances over the samples, in the order of the layout.
    pub(super) statistics: SharedMatrix,
    /// Gradient with respect to the outputs of each stage before its activation; of the first and
    /// the last stage it is kept elsewhere, and here is nothing.
    pub(super) deltas: Vec<Option<SharedMatrix>>,
    /// Logits, then their gradient.
    pub logits: SharedMatrix,
    /// Loss of each sample.
    pub losses: SharedMatrix,
    /// Gradients of all parameters, in the order of the layout.
    pub gradients: SharedMatrix,
}

impl Workspace {
    /// For batches of up to `rows` samples. A workspace for predictions alone needs no gradients.
    pub fn new(layout: &Layout, rows: usize, training: bool) -> Workspace {
        let (stages, last) = (&layout.stages, layout.stages.len() - 1);
        let by_blocks = |index: usize| {
            let cuts = &stages[index].padded;
            SharedMatrix::by_columns(rows, cuts.last().map_or(0, |cut| cut.end), cuts)
        };
        let hidden = |needed: &dyn Fn(usize) -> bool| -> Vec<_> {
            let matrix = |index| (training && needed(index)).then(|| by_blocks(index));
            (0..last.max(1)).map(matrix).collect()
        };
        let cuts: Vec<Range<usize>> = (0..rows)
            .step_by(LOSS_ROWS)
            .map(|start| start..(start + LOSS_ROWS).min(rows))
            .collect();
        Workspace {
            rows,
            activations: (0..last.max(1)).map(by_blocks).collect(),
            kept: hidden(&|index| layout.hidden.keeps(stages[index].activation)),
            masks: hidden(&|index| index < last && layout.hidden.dropout > 0.0),
            normalized: hidden(&|index| !stages[index].norms.is_empty()),
            statistics: SharedMatrix::vector(layout.statistics_len(), &layout.statistics),
            deltas: (0..stages.len())
                .map(|index| (training && index > 0 && index < last).then(|| by_blocks(index)))
                .collect(),
            logits: SharedMatrix::by_rows(rows, stages[last].outputs, &cuts),
            losses: SharedMatrix::by_rows(rows, 1, &cuts),
            gradients: if training {
                SharedMatrix::vector(layout.len(), &layout.pieces)
            } else {
                SharedMatrix::vector(0, &[])
            },
        }
    }

    /// Most samples that it can hold.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The pieces of the logits that the first `samples` samples fill, and the rows of a piece.
    pub fn loss_pieces(samples: usize) -> usize {
        samples.div_ceil(LOSS_ROWS)
    }

    /// The samples of piece `piece` where there are `samples` of them.
    pub fn loss_rows(piece: usize, samples: usize) -> Range<usize> {
        piece * LOSS_ROWS..((piece + 1) * LOSS_ROWS).min(samples)
    }
}

/// What one worker needs for itself.
pub struct Scratch {
    /// Gradient of a block of the first stage.
    pub(super) delta: Aligned,
    /// One row of a block.
    pub(super) row: Aligned,
}

impl Scratch {
    /// For workspaces of up to `rows` samples.
    pub fn new(layout: &Layout, rows: usize) -> Scratch {
        let widest = layout.stages[0].padded.iter().map(|padded| padded.len()).max().unwrap_or(0);
        Scratch {
            delta: Aligned::zeros(rows.max(TILE) * widest),
            row: Aligned::zeros(widest.max(PANEL)),
        }
    }
}
