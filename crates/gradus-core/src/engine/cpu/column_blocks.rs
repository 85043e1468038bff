//! How the input columns are divided among threads, if something acts on them before the first linear layer.
//!
//! In: the columns. Out: [`PlannedColumns`]: *blocks* of neighbouring columns. A thread owns whole blocks, with all
//! parameters that act on their columns and the rows of the first weight that start from their outputs. The
//! division depends on the network alone, so that results do not depend on the number of threads.

use std::ops::Range;

use crate::engine::cpu::partition::Partitioned;
use crate::network::Role;

/// Outputs of a block: enough for an efficient product, few enough that several threads find work.
const LEAST_OUTPUTS: usize = 32;
const MOST_OUTPUTS: usize = 256;

/// What acts on the input columns.
#[derive(Debug, Clone)]
pub struct PlannedColumns {
    /// Blocks of neighbouring columns, in their order.
    pub blocks: Vec<ColumnBlock>,
}

/// Neighbouring columns and what belongs to them.
#[derive(Debug, Clone)]
pub struct ColumnBlock {
    /// The columns.
    pub inputs: Range<usize>,
    /// What they become: inputs of the first linear layer.
    pub outputs: Range<usize>,
    /// The partition of their factors in the scaling layer.
    pub scale: Option<usize>,
}

impl PlannedColumns {
    /// Columns that are handed on as they are.
    pub fn unchanged(inputs: usize) -> PlannedColumns {
        let width = (inputs / 4).clamp(LEAST_OUTPUTS, MOST_OUTPUTS);
        let blocks = (0..inputs).step_by(width).map(|start| {
            let range = start..(start + width).min(inputs);
            ColumnBlock { inputs: range.clone(), outputs: range, scale: None }
        });
        PlannedColumns { blocks: blocks.collect() }
    }

    /// Number of columns.
    pub fn inputs(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.inputs.end)
    }

    /// Number of values that they become.
    pub fn outputs(&self) -> usize {
        self.blocks.last().map_or(0, |block| block.outputs.end)
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
    /// The partitions of the parameters that act on its columns.
    pub fn partitions(&self) -> impl Iterator<Item = usize> {
        self.scale.into_iter()
    }
}
