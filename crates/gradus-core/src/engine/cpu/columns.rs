//! What acts on the input columns before the first linear layer, forward and backward (docs/maths.md M27, M28).
//!
//! Shapes: inputs samples x columns, outputs samples x outputs. A block of columns is computed by its owner for
//! all samples of a pass. Numbers are embedded column by column: the samples of a column are gathered into one row first,
//! of the length that the kernels take.

use gradus_kernels::Kernels;
use gradus_kernels::dense::Update;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::periodic::{LANES, Periodic};
use gradus_kernels::piecewise::{Edges, Piecewise};
use gradus_kernels::threads::{Reading, SharedMatrix, Writing};

use crate::engine::cpu::column_blocks::{ColumnBlock, PlannedColumns, Span, SpanKind};
use crate::engine::cpu::workspace::ColumnMatrices;
use crate::network::{Network, NumericEmbedding};

/// The input columns in a pass.
#[derive(Clone, Copy)]
pub(super) struct ColumnPass<'a> {
    pub(super) kernels: Kernels,
    pub(super) columns: &'a PlannedColumns,
    pub(super) parameters: &'a SharedMatrix,
    pub(super) input: MatRef<'a>,
    pub(super) matrices: &'a ColumnMatrices,
    pub(super) gradients: &'a SharedMatrix,
}

/// Where a column's samples are gathered: a row of the inputs, then one for each output.
struct Gathered<'s> {
    values: &'s mut [f32],
    outputs: &'s mut [f32],
    /// What is left of the scratch: for sums over bins.
    sums: &'s mut [f32],
    /// Length of a row.
    stride: usize,
}

impl<'s> Gathered<'s> {
    fn new(scratch: &'s mut [f32], samples: usize, outputs: usize) -> Gathered<'s> {
        let stride = samples.next_multiple_of(LANES);
        let (values, rest) = scratch.split_at_mut(stride);
        let (outputs, sums) = rest.split_at_mut(stride * outputs);
        Gathered { values, outputs, sums, stride }
    }
}

/// Copies a column of `from` to a row, and fills that up with zeros.
fn gather(from: MatRef, column: usize, row: &mut [f32]) {
    for (sample, value) in row[..from.rows()].iter_mut().enumerate() {
        *value = from.row(sample)[column];
    }
    row[from.rows()..].fill(0.0);
}

/// The row of a category's table: 0 for all that is not the number of a category.
fn row_of(value: f32, size: usize) -> usize {
    let known = value >= 1.0 && value <= size as f32 && value.fract() == 0.0;
    if known { value as usize } else { 0 }
}

/// The partition of a block's tables of categories: they are the last tensor of the layer.
fn table_of(columns: &ColumnBlock) -> usize {
    columns.parameters.last().copied().unwrap_or_default()
}

impl ColumnPass<'_> {
    /// Number of blocks of columns.
    pub(super) fn blocks(&self) -> usize {
        self.columns.blocks.len()
    }

    /// Outputs of one block: its columns, embedded, times their factors.
    pub(super) fn forward(&self, block: usize, scratch: &mut [f32]) {
        let columns = &self.columns.blocks[block];
        let mut outputs = self.matrices.outputs.write(block);
        let mut outputs = outputs.view();
        let mut outputs = outputs.part_rows(0..self.input.rows());
        // Held for all columns: to ask for them takes a good part of the time of a single sample.
        let (mut tensors, mut table) = (None, None);
        for span in &columns.spans {
            match span.kind {
                SpanKind::Plain => self.hand_on(span, &mut outputs),
                SpanKind::Number(row) => {
                    let tensors = tensors.get_or_insert_with(|| self.tensors(columns));
                    self.embed(tensors, span, row, &mut outputs, scratch);
                }
                SpanKind::Category { first, size } => {
                    let table = table
                        .get_or_insert_with(|| self.parameters.read_partition(table_of(columns)));
                    self.look_up(span, (first, size), table, &mut outputs);
                }
            }
        }
        let Some(scale) = columns.scale else { return };
        let scale = self.parameters.read_partition(scale);
        let mut unscaled = self.matrices.unscaled.as_ref().map(|unscaled| unscaled.write(block));
        for sample in 0..self.input.rows() {
            let row = outputs.row_mut(sample);
            if let Some(unscaled) = &mut unscaled {
                unscaled.view().row_mut(sample).copy_from_slice(row);
            }
            self.kernels.multiply(row, &scale);
        }
    }

    fn hand_on(&self, span: &Span, outputs: &mut MatMut) {
        for sample in 0..self.input.rows() {
            let values = &self.input.row(sample)[span.inputs.clone()];
            outputs.row_mut(sample)[span.outputs.clone()].copy_from_slice(values);
        }
    }

    /// The embedding of a number, and the number itself next to cosines.
    fn embed(
        &self,
        tensors: &[Reading; 4],
        span: &Span,
        row: usize,
        outputs: &mut MatMut,
        scratch: &mut [f32],
    ) {
        let (embedded, numeric) = (self.embedded(), self.columns.layer.numeric());
        if let (NumericEmbedding::Pbld { .. }, 1) = (numeric, self.input.rows()) {
            let value = self.input.row(0)[span.inputs.start];
            let outputs = &mut outputs.row_mut(0)[span.outputs.clone()];
            let (found, itself) = outputs.split_at_mut(embedded);
            self.kernels.periodic_single(value, self.periodic(tensors, row), found);
            return itself[0] = value;
        }
        let Gathered { values, outputs: found, sums, stride } =
            Gathered::new(scratch, self.input.rows(), embedded);
        gather(self.input, span.inputs.start, values);
        match numeric {
            NumericEmbedding::None => {}
            NumericEmbedding::Pbld { .. } => {
                self.kernels.periodic(values, self.periodic(tensors, row), found);
            }
            NumericEmbedding::Ple { bins, outputs } => {
                let [edge, rise, slope, offset] = tensors;
                let parameters = Piecewise {
                    rise: &rise[row * bins * outputs..][..bins * outputs],
                    slope: &slope[row * outputs..][..outputs],
                    offset: &offset[row * outputs..][..outputs],
                };
                let edges = Edges(&edge[row * (bins + 1)..][..bins + 1]);
                self.kernels.piecewise(values, edges, parameters, sums, found);
            }
        }
        for sample in 0..self.input.rows() {
            let outputs = &mut outputs.row_mut(sample)[span.outputs.clone()];
            for (output, found) in outputs.iter_mut().zip(found.chunks_exact(stride)) {
                *output = found[sample];
            }
            outputs[embedded..].fill(values[sample]);
        }
    }

    fn look_up(&self, span: &Span, place: (usize, usize), table: &[f32], outputs: &mut MatMut) {
        for sample in 0..self.input.rows() {
            let row = self.table_row(span, place, sample);
            let outputs = &mut outputs.row_mut(sample)[span.outputs.clone()];
            outputs.copy_from_slice(&table[row * outputs.len()..][..outputs.len()]);
        }
    }

    /// The row of the block's table for the category of a sample.
    fn table_row(&self, span: &Span, (first, size): (usize, usize), sample: usize) -> usize {
        first + row_of(self.input.row(sample)[span.inputs.start], size)
    }

    /// Gradients of the parameters of one block; `grad` is the gradient with respect to its outputs.
    pub(super) fn backward(
        &self,
        block: usize,
        mut grad: MatMut,
        scratch: &mut [f32],
        update: Update,
    ) {
        let columns = &self.columns.blocks[block];
        if update == Update::Overwrite {
            for partition in columns.partitions() {
                self.gradients.write(partition).slice().fill(0.0);
            }
        }
        self.backward_scale(block, &mut grad);
        for span in &columns.spans {
            match span.kind {
                SpanKind::Plain => {}
                SpanKind::Number(row) => {
                    self.backward_number(columns, span, row, grad.as_ref(), scratch);
                }
                SpanKind::Category { first, size } => {
                    let mut table = self.gradients.write(table_of(columns));
                    self.backward_category(span, (first, size), grad.as_ref(), table.slice());
                }
            }
        }
    }

    /// Gradients of the factors of a block; from the gradient of its outputs to that before the factors.
    fn backward_scale(&self, block: usize, grad: &mut MatMut) {
        let columns = &self.columns.blocks[block];
        let (Some(scale), Some(unscaled)) = (columns.scale, &self.matrices.unscaled) else {
            return;
        };
        let factors = self.parameters.read_partition(scale);
        let mut grad_scale = self.gradients.write(scale);
        let unscaled = unscaled.read_partition(block);
        for sample in 0..self.input.rows() {
            let row = grad.row_mut(sample);
            self.kernels.add_products(grad_scale.slice(), row, unscaled.view().row(sample));
            if columns.embeds() {
                self.kernels.multiply(row, &factors);
            }
        }
    }

    fn backward_number(
        &self,
        columns: &ColumnBlock,
        span: &Span,
        row: usize,
        grad: MatRef,
        scratch: &mut [f32],
    ) {
        let Gathered { values, outputs: gathered, sums, stride } =
            Gathered::new(scratch, self.input.rows(), self.embedded());
        gather(self.input, span.inputs.start, values);
        for (output, gathered) in span.outputs.clone().zip(gathered.chunks_exact_mut(stride)) {
            gather(grad, output, gathered);
        }
        let tensors = self.tensors(columns);
        let mut gradients: [Writing; 4] =
            std::array::from_fn(|at| self.gradients.write(columns.parameters[at]));
        let [first, second, third, fourth] = &mut gradients;
        match self.columns.layer.numeric() {
            NumericEmbedding::None => {}
            NumericEmbedding::Pbld { frequencies, outputs, .. } => {
                let mixes = frequencies * outputs;
                let gradients = Periodic {
                    frequency: &mut first.slice()[row * frequencies..][..frequencies],
                    phase: &mut second.slice()[row * frequencies..][..frequencies],
                    mix: &mut third.slice()[row * mixes..][..mixes],
                    bias: &mut fourth.slice()[row * outputs..][..outputs],
                };
                let parameters = self.periodic(&tensors, row);
                self.kernels.periodic_backward(values, parameters, gathered, gradients);
            }
            NumericEmbedding::Ple { bins, outputs } => {
                // The edges of the bins, the first tensor, stay where they are.
                let rises = bins * outputs;
                let gradients = Piecewise {
                    rise: &mut second.slice()[row * rises..][..rises],
                    slope: &mut third.slice()[row * outputs..][..outputs],
                    offset: &mut fourth.slice()[row * outputs..][..outputs],
                };
                let edges = Edges(&tensors[0][row * (bins + 1)..][..bins + 1]);
                self.kernels.piecewise_backward(values, edges, gathered, sums, gradients);
            }
        }
    }

    /// Outputs of a number that are computed, without the number itself.
    fn embedded(&self) -> usize {
        match self.columns.layer.numeric() {
            NumericEmbedding::None => 0,
            NumericEmbedding::Pbld { outputs, .. } | NumericEmbedding::Ple { outputs, .. } => {
                outputs
            }
        }
    }

    /// The parameters of the embeddings of a block's numbers.
    fn tensors(&self, columns: &ColumnBlock) -> [Reading<'_>; 4] {
        std::array::from_fn(|at| self.parameters.read_partition(columns.parameters[at]))
    }

    /// The parameters of the embedding in one row of a block's tensors.
    fn periodic<'t>(&self, tensors: &'t [Reading; 4], row: usize) -> Periodic<&'t [f32]> {
        let [frequency, phase, mix, bias] = tensors;
        let (frequencies, outputs) = match self.columns.layer.numeric() {
            NumericEmbedding::Pbld { frequencies, outputs, .. } => (frequencies, outputs),
            NumericEmbedding::None | NumericEmbedding::Ple { .. } => (0, 0),
        };
        let mixes = frequencies * outputs;
        Periodic {
            frequency: &frequency[row * frequencies..][..frequencies],
            phase: &phase[row * frequencies..][..frequencies],
            mix: &mix[row * mixes..][..mixes],
            bias: &bias[row * outputs..][..outputs],
        }
    }

    /// Adds the gradients of the samples to the rows of their categories, in the order of the samples.
    fn backward_category(
        &self,
        span: &Span,
        place: (usize, usize),
        grad: MatRef,
        grad_table: &mut [f32],
    ) {
        for sample in 0..self.input.rows() {
            let row = self.table_row(span, place, sample);
            let grad = &grad.row(sample)[span.outputs.clone()];
            self.kernels.add(&mut grad_table[row * grad.len()..][..grad.len()], grad);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_the_numbers_of_categories_are_the_missing_one() {
        assert_eq!([1.0, 2.0, 7.0].map(|value| row_of(value, 7)), [1, 2, 7]);
        for unknown in [0.0, 8.0, -1.0, 2.5, 1e30, f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(row_of(unknown, 7), 0);
        }
    }
}
