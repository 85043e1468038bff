//! What acts on the input columns before the first linear layer, forward and backward (docs/maths.md M27).
//!
//! Shapes: inputs samples x columns, outputs samples x outputs. A block of columns is computed by its owner for
//! all samples of a pass.

use gradus_kernels::Kernels;
use gradus_kernels::dense::Update;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::SharedMatrix;

use crate::engine::cpu::column_blocks::PlannedColumns;
use crate::network::Network;

/// The input columns in a pass.
#[derive(Clone, Copy)]
pub(super) struct ColumnPass<'a> {
    pub(super) kernels: Kernels,
    pub(super) columns: &'a PlannedColumns,
    pub(super) parameters: &'a SharedMatrix,
    pub(super) input: MatRef<'a>,
    pub(super) outputs: &'a SharedMatrix,
    pub(super) gradients: &'a SharedMatrix,
}

impl ColumnPass<'_> {
    /// Number of blocks of columns.
    pub(super) fn blocks(&self) -> usize {
        self.columns.blocks.len()
    }

    /// Outputs of one block: its columns, times their factors.
    pub(super) fn forward(&self, block: usize) {
        let columns = &self.columns.blocks[block];
        let mut outputs = self.outputs.write(block);
        let mut outputs = outputs.view();
        let scale = columns.scale.map(|partition| self.parameters.read_partition(partition));
        for sample in 0..self.input.rows() {
            let row = outputs.row_mut(sample);
            row.copy_from_slice(&self.input.row(sample)[columns.inputs.clone()]);
            if let Some(scale) = &scale {
                self.kernels.multiply(row, scale);
            }
        }
    }

    /// Gradients of the parameters of one block; `grad` is the gradient with respect to its outputs.
    pub(super) fn backward(&self, block: usize, grad: MatMut, update: Update) {
        let columns = &self.columns.blocks[block];
        let Some(scale) = columns.scale else { return };
        let mut grad_scale = self.gradients.write(scale);
        let grad_scale = grad_scale.slice();
        if update == Update::Overwrite {
            grad_scale.fill(0.0);
        }
        for sample in 0..self.input.rows() {
            let values = &self.input.row(sample)[columns.inputs.clone()];
            self.kernels.add_products(grad_scale, grad.as_ref().row(sample), values);
        }
    }
}

/// Folds the scaling layer into the first linear layer: `(s x) W = x W'` with `W'_ij = s_i W_ij`. `parameters` are in
/// the order of memory, `network` holds `W`.
pub(super) fn fold(columns: &PlannedColumns, parameters: &SharedMatrix, network: &mut Network) {
    let width = network.linears()[0].outputs;
    for block in &columns.blocks {
        let Some(scale) = block.scale else { continue };
        let rows =
            &mut network.weight_mut(0)[block.outputs.start * width..block.outputs.end * width];
        for (row, &factor) in rows.chunks_exact_mut(width).zip(&*parameters.read_partition(scale)) {
            row.iter_mut().for_each(|weight| *weight *= factor);
        }
    }
}
