//! Checkpoints of version 2, written by gradus 0.1.0: their vectors are in the order in which that program
//! kept parameters in memory.
//!
//! In: the tensors of such a file. Out: the vectors of a snapshot, in the order of the network. The order is
//! written down here once more and never changes, whatever the engine does today.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::network::{Linear, Network};

/// The order of a version 2 checkpoint: the first weight panel after panel, each row after row and, for sparse
/// inputs, padded; then the network's other parameters as they are; then, for each block of each hidden layer,
/// scale and shift of batch normalization. Statistics have means and variances of each block in turn.
pub(super) struct Order {
    first: Linear,
    /// Number of the network's parameters.
    parameters: usize,
    /// Panels of the first weight.
    panels: Vec<Range<usize>>,
    /// Columns of a panel are padded to a multiple of this.
    step: usize,
    /// Blocks of each hidden layer with batch normalization.
    hidden: Vec<Vec<Range<usize>>>,
}

impl Order {
    /// The order for a network; `sparse` as the checkpoint says.
    pub(super) fn new(network: &Network, sparse: bool, batch_norm: bool) -> Order {
        let linears = network.linears();
        let blocks = |units: usize, width: usize| -> Vec<Range<usize>> {
            (0..units).step_by(width).map(|at| at..(at + width).min(units)).collect()
        };
        let dense = |units: usize| (units / 4).next_multiple_of(64).clamp(64, 256);
        let first = linears[0];
        let panels = blocks(first.outputs, if sparse { 64 } else { dense(first.outputs) });
        let hidden = linears[..linears.len() - 1].iter().enumerate().filter(|_| batch_norm);
        let hidden = hidden.map(|(index, linear)| match index {
            0 => panels.clone(),
            _ => blocks(linear.outputs, dense(linear.outputs)),
        });
        Order {
            first,
            parameters: network.parameters().len(),
            hidden: hidden.collect(),
            step: if sparse { 16 } else { 1 },
            panels,
        }
    }

    /// The vectors of a snapshot from those of the file.
    ///
    /// # Errors
    /// `InvalidData` if one has not the length that the network gives it.
    pub(super) fn convert(
        &self,
        tensors: BTreeMap<String, Vec<f32>>,
    ) -> Result<BTreeMap<String, Vec<f32>>> {
        let convert = |(name, values): (String, Vec<f32>)| {
            let (name, converted) = match name.as_str() {
                "average" => ("ema".to_owned(), self.parameters(&values)),
                "statistics" => (name, self.statistics(&values)),
                "average_statistics" => ("ema_statistics".to_owned(), self.statistics(&values)),
                _ => (name, self.parameters(&values)),
            };
            converted.map(|converted| (name.clone(), converted)).ok_or_else(|| {
                Error::new(
                    ErrorKind::InvalidData,
                    format!(
                        "the checkpoint is damaged: {name} has {} numbers, which do not fit its network",
                        values.len()
                    ),
                )
            })
        };
        tensors.into_iter().map(convert).collect()
    }

    fn width(&self, panel: &Range<usize>) -> usize {
        panel.len().next_multiple_of(self.step)
    }

    /// A number for each parameter; none if there are too few or too many.
    fn parameters(&self, values: &[f32]) -> Option<Vec<f32>> {
        let Linear { inputs, outputs, .. } = self.first;
        let mut found = vec![0.0; self.parameters];
        let (weight, others) = found.split_at_mut(inputs * outputs);
        let mut left = values;
        for panel in &self.panels {
            let rows = take(&mut left, inputs * self.width(panel))?;
            for (row, values) in rows.chunks_exact(self.width(panel)).enumerate() {
                weight[row * outputs..][panel.clone()].copy_from_slice(&values[..panel.len()]);
            }
        }
        others.copy_from_slice(take(&mut left, others.len())?);
        found.extend(self.halves(&mut left)?);
        left.is_empty().then_some(found)
    }

    /// A number for each statistic; none if there are too few or too many.
    fn statistics(&self, values: &[f32]) -> Option<Vec<f32>> {
        let mut left = values;
        let found = self.halves(&mut left)?;
        left.is_empty().then_some(found)
    }

    /// Two numbers for each normalized unit, block after block, put in the order of layers: the first of all
    /// units of a layer, then the second.
    fn halves(&self, left: &mut &[f32]) -> Option<Vec<f32>> {
        let mut found = Vec::new();
        for blocks in &self.hidden {
            let mut second = Vec::new();
            for block in blocks {
                found.extend_from_slice(take(left, block.len())?);
                second.extend_from_slice(take(left, block.len())?);
            }
            found.extend(second);
        }
        Some(found)
    }
}

/// The first `count` values, which are then no longer among those left.
fn take<'a>(left: &mut &'a [f32], count: usize) -> Option<&'a [f32]> {
    let (taken, others) = left.split_at_checked(count)?;
    *left = others;
    Some(taken)
}
