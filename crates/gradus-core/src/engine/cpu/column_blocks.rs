//! How the input columns are divided among threads, if something acts on them before the first linear layer.
//!
//! In: the columns. Out: [`PlannedColumns`]: *blocks* of neighbouring columns. A thread owns whole blocks, with all
//! parameters that act on their columns and the rows of the first weight that start from their outputs. The
//! division depends on the network alone, so that results do not depend on the number of threads.

use std::ops::Range;

use gradus_kernels::Kernels;
use gradus_kernels::periodic::LANES;

use crate::engine::cpu::partition::Partitioned;
use crate::network::{Column, ColumnLayer, NumericEmbedding, Role, Tensor};

/// Outputs of a block, about: enough for an efficient product, few enough that several threads find work.
const LEAST_OUTPUTS: usize = 32;
const MOST_OUTPUTS: usize = 256;

/// What acts on the input columns.
#[derive(Debug, Clone)]
pub struct PlannedColumns {
    /// What the columns are and become.
    pub layer: ColumnLayer,
    /// Blocks of neighbouring columns, in their order.
    pub blocks: Vec<ColumnBlock>,
}

/// Neighbouring columns and what belongs to them.
#[derive(Debug, Clone, Default)]
pub struct ColumnBlock {
    /// What they become: inputs of the first linear layer.
    pub outputs: Range<usize>,
    /// Its columns, divided by what happens to them.
    pub spans: Vec<Span>,
    /// Partitions of the layer's tensors, in their order.
    pub parameters: Vec<usize>,
    /// The partition of the factors in the scaling layer.
    pub scale: Option<usize>,
    /// Its numbers among those that are embedded.
    numbers: Range<usize>,
    /// Its rows among those of all tables of categories.
    rows: Range<usize>,
}

/// One column, or neighbouring ones that are handed on as they are.
#[derive(Debug, Clone)]
pub struct Span {
    /// The columns.
    pub inputs: Range<usize>,
    /// What they become, counted from the block's first output.
    pub outputs: Range<usize>,
    /// What happens to them.
    pub kind: SpanKind,
}

/// What happens to the columns of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// They are handed on.
    Plain,
    /// The embedding of this row of the block's partitions.
    Number(usize),
    /// A table of `size + 1` rows, which begins at `first` in the block's partition.
    Category {
        /// Its first row.
        first: usize,
        /// Categories, without the missing one.
        size: usize,
    },
}

impl PlannedColumns {
    /// The division of these columns.
    pub(super) fn new(layer: ColumnLayer) -> PlannedColumns {
        let outputs = layer.outputs();
        // Two threads or four have equal shares of them.
        let count = match outputs.div_ceil(LEAST_OUTPUTS) {
            0 | 1 => 1,
            2..=4 => 2,
            _ => outputs.div_ceil(MOST_OUTPUTS).next_multiple_of(4),
        };
        let mut blocks = vec![ColumnBlock::default()];
        for (input, &column) in layer.columns().iter().enumerate() {
            let added = layer.outputs_of(column);
            let last = &blocks[blocks.len() - 1];
            let end = outputs * blocks.len() / count;
            if !last.outputs.is_empty() && last.outputs.end + added / 2 >= end {
                let next = last.next();
                blocks.push(next);
            }
            let last = blocks.len() - 1;
            blocks[last].push(input, column, added, layer.numeric());
        }
        PlannedColumns { layer, blocks }
    }

    /// Number of columns.
    pub fn inputs(&self) -> usize {
        self.layer.columns().len()
    }

    /// Number of values that they become.
    pub fn outputs(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.outputs.end)
    }

    /// Memory for the samples of one column and its outputs, in rows that the kernels take, and for sums over its bins.
    pub(super) fn column_scratch(&self, samples: usize) -> usize {
        let numeric = self.layer.numeric();
        let sums = match numeric {
            NumericEmbedding::Ple { bins, outputs } => Kernels::piecewise_scratch(bins, outputs),
            NumericEmbedding::None | NumericEmbedding::Pbld { .. } => 0,
        };
        samples.next_multiple_of(LANES) * (1 + numeric.outputs()) + sums
    }

    /// Adds a tensor of the layer: each block has the rows of its columns.
    pub(super) fn add(&mut self, tensor: Tensor, parameters: &mut Partitioned) {
        let (role, [_, width]) = (tensor.role, tensor.shape);
        let number = parameters.add_tensor(tensor);
        for block in &mut self.blocks {
            let rows = match role {
                Role::CategoryEmbedding => block.rows.clone(),
                _ => block.numbers.clone(),
            };
            block.parameters.push(parameters.add(number, rows, 0..width, width));
        }
    }

    /// Adds the scaling layer behind all other parameters: one factor for each output.
    pub(super) fn add_scaling(&mut self, parameters: &mut Partitioned) {
        let shape = [1, self.outputs()];
        let tensor = parameters.append_tensor("input_scale".into(), shape, Role::InputScale);
        for block in &mut self.blocks {
            let (outputs, width) = (block.outputs.clone(), block.outputs.len());
            block.scale = Some(parameters.add(tensor, 0..1, outputs, width));
        }
    }
}

impl ColumnBlock {
    /// An empty block after this one.
    fn next(&self) -> ColumnBlock {
        let after = |range: &Range<usize>| range.end..range.end;
        ColumnBlock {
            outputs: after(&self.outputs),
            numbers: after(&self.numbers),
            rows: after(&self.rows),
            ..ColumnBlock::default()
        }
    }

    /// Adds a column that becomes `outputs` values.
    fn push(&mut self, input: usize, column: Column, outputs: usize, numeric: NumericEmbedding) {
        let start = self.outputs.len();
        self.outputs.end += outputs;
        let kind = match column {
            Column::Number if numeric != NumericEmbedding::None => {
                self.numbers.end += 1;
                SpanKind::Number(self.numbers.len() - 1)
            }
            Column::Category(size) => {
                let first = self.rows.len();
                self.rows.end += size + 1;
                SpanKind::Category { first, size }
            }
            Column::Number | Column::Flag => SpanKind::Plain,
        };
        match self.spans.last_mut() {
            Some(last) if kind == SpanKind::Plain && last.kind == SpanKind::Plain => {
                last.inputs.end += 1;
                last.outputs.end += 1;
            }
            _ => {
                let (inputs, outputs) = (input..input + 1, start..start + outputs);
                self.spans.push(Span { inputs, outputs, kind });
            }
        }
    }

    /// Whether it has parameters of its own besides the factors of the scaling layer.
    pub(super) fn embeds(&self) -> bool {
        self.spans.iter().any(|span| span.kind != SpanKind::Plain)
    }

    /// The partitions of the parameters that act on its columns.
    pub fn partitions(&self) -> impl Iterator<Item = usize> {
        self.parameters.iter().copied().chain(self.scale)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_or_four_have_equal_shares() {
        for (outputs, count) in
            [(1, 1), (32, 1), (33, 2), (68, 2), (128, 2), (129, 4), (1024, 4), (1025, 8)]
        {
            let planned = PlannedColumns::new(ColumnLayer::unchanged(outputs));
            let sizes: Vec<_> = planned.blocks.iter().map(|it| it.outputs.len()).collect();
            assert_eq!((sizes.len(), sizes.iter().sum()), (count, outputs));
            let (least, most) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(most - least <= 1, "{outputs}: {sizes:?}");
        }
    }
}
