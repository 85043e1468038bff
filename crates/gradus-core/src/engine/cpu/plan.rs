//! How the units and the parameters of a network are divided into partitions for several workers.
//!
//! The units of each hidden layer are divided into fixed blocks; a worker owns whole blocks. With a
//! block go the parameters whose gradients its owner can finish alone: the bias of its units and
//! the rows of the next weight that start from them; for the first layer also the columns of its
//! weight that lead to them, kept as a panel of their own. The partition depends on the shape of the
//! network alone, never on the number of workers: that is why results do not either.
//!
//! The vector of parameters in this order is the network's own but for the first weight, which
//! stands panel after panel.

use std::ops::Range;

use gradus_kernels::sparse::{PANEL, PANEL_STEP};
use gradus_kernels::threads::Thread;

use crate::engine::cpu::hidden::HiddenRegularization;
use crate::network::{Activation, Network};

/// A linear layer with the activation after it.
#[derive(Debug, Clone)]
pub struct PlannedLayer {
    /// Values that come in.
    pub inputs: usize,
    /// Values that go out.
    pub outputs: usize,
    /// Applied to the outputs.
    pub activation: Activation,
    /// Blocks of units. The last of several layers is one block: its work is divided by samples.
    pub blocks: Vec<Range<usize>>,
    /// Columns that a block takes in memory; wider than the block only where strips are padded.
    pub padded: Vec<Range<usize>>,
    /// The partition of the bias of each block.
    bias_partitions: Vec<usize>,
    /// The partitions of the weight: for the first layer one strip for each block, for the others the
    /// rows that start from each block of the layer before.
    weight_partitions: Vec<usize>,
    /// The weight in the vector of parameters.
    pub weight: Range<usize>,
    /// The bias in the vector of parameters.
    pub bias: Range<usize>,
    /// What batch normalisation adds for each block; empty where there is none.
    pub norms: Vec<NormPartitions>,
}

/// The partitions of one block's batch normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormPartitions {
    /// Scale, a partition of the parameters.
    pub gamma: usize,
    /// Shift, a partition of the parameters.
    pub beta: usize,
    /// Mean and variance, a partition of the statistics.
    pub statistics: usize,
}

impl PlannedLayer {
    /// The partition of the bias of block `block`.
    pub fn bias_partition(&self, block: usize) -> usize {
        self.bias_partitions[block]
    }

    /// The partition of the weight that belongs to block `block` (of this layer for the first one, of
    /// the layer before for all others).
    pub fn weight_partition(&self, block: usize) -> usize {
        self.weight_partitions[block]
    }
}

/// How the work on a network and its parameters are divided among threads.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The linear layers, each with its activation.
    pub layers: Vec<PlannedLayer>,
    /// The partitions of the vector of parameters, in order, without gaps.
    pub partitions: Vec<Range<usize>>,
    /// For each partition, whether weight decay applies: to weights, not to biases.
    pub decays: Vec<bool>,
    /// How hidden layers are treated in training.
    pub hidden: HiddenRegularization,
    /// The partitions of the vector of statistics: for each normalised block the means of its units,
    /// then their variances.
    pub statistics: Vec<Range<usize>>,
}

impl Plan {
    /// The plan for `network`; `sparse` where its inputs are mostly-zero bytes.
    pub fn new(network: &Network, sparse: bool, hidden: HiddenRegularization) -> Plan {
        let count = network.linears().len();
        let mut plan = Plan {
            layers: Vec::new(),
            partitions: Vec::new(),
            decays: Vec::new(),
            hidden: if count > 1 { hidden } else { HiddenRegularization::PLAIN },
            statistics: Vec::new(),
        };
        for (index, linear) in network.linears().iter().enumerate() {
            let width = match index {
                0 if sparse => PANEL,
                0 => dense_width(linear.outputs),
                _ if index + 1 == count => linear.outputs,
                _ => dense_width(linear.outputs),
            };
            let blocks: Vec<_> = (0..linear.outputs)
                .step_by(width)
                .map(|start| start..(start + width).min(linear.outputs))
                .collect();
            let pad = if index == 0 && sparse { PANEL_STEP } else { 1 };
            let padded: Vec<_> =
                blocks.iter().map(|b| b.start..b.start + b.len().next_multiple_of(pad)).collect();
            let start = plan.len();
            let weight_partitions = match plan.layers.last() {
                None => padded.iter().map(|p| plan.add(linear.inputs * p.len(), true)).collect(),
                Some(before) => {
                    let rows: Vec<usize> = before.blocks.iter().map(|b| b.len()).collect();
                    rows.iter().map(|rows| plan.add(rows * linear.outputs, true)).collect()
                }
            };
            let middle = plan.len();
            let bias_partitions = blocks.iter().map(|b| plan.add(b.len(), false)).collect();
            plan.layers.push(PlannedLayer {
                inputs: linear.inputs,
                outputs: linear.outputs,
                activation: network.activation_after(index),
                blocks,
                padded,
                bias_partitions,
                weight_partitions,
                weight: start..middle,
                bias: middle..plan.len(),
                norms: Vec::new(),
            });
        }
        if plan.hidden.batch_norm {
            // Behind all else, so that the network's own parameters stand as they would without.
            for index in 0..count - 1 {
                let units: Vec<_> = plan.layers[index].blocks.iter().map(Range::len).collect();
                let norms = units.iter().map(|&units| plan.add_norm(units)).collect();
                plan.layers[index].norms = norms;
            }
        }
        plan
    }

    /// Length of the vector of parameters.
    pub fn len(&self) -> usize {
        self.partitions.last().map_or(0, |partition| partition.end)
    }

    /// Whether there is no parameter; never so for a network.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, len: usize, decays: bool) -> usize {
        let start = self.len();
        self.partitions.push(start..start + len);
        self.decays.push(decays);
        self.partitions.len() - 1
    }

    fn add_norm(&mut self, units: usize) -> NormPartitions {
        let (gamma, beta) = (self.add(units, false), self.add(units, false));
        let start = self.statistics_len();
        self.statistics.push(start..start + 2 * units);
        NormPartitions { gamma, beta, statistics: self.statistics.len() - 1 }
    }

    /// Length of the vector of statistics.
    pub fn statistics_len(&self) -> usize {
        self.statistics.last().map_or(0, |partition| partition.end)
    }

    /// Into how many blocks the weight of layer `index` is part.
    pub fn weight_blocks(&self, index: usize) -> usize {
        self.layers[index].weight_partitions.len()
    }

    /// Rows and columns of a block of the weight of layer `index`.
    pub fn weight_shape(&self, index: usize, block: usize) -> (usize, usize) {
        let layer = &self.layers[index];
        match index {
            0 => (layer.inputs, layer.padded[block].len()),
            _ => (self.layers[index - 1].blocks[block].len(), layer.outputs),
        }
    }

    /// Where a block stands in the weight of layer `index`: its first row, and its columns, without
    /// padding.
    pub fn weight_place(&self, index: usize, block: usize) -> (usize, Range<usize>) {
        match index {
            0 => (0, self.layers[0].blocks[block].clone()),
            _ => (self.layers[index - 1].blocks[block].start, 0..self.layers[index].outputs),
        }
    }

    /// Whether a partition belongs to the weight of one of these layers.
    pub fn is_weight_of(&self, partition: usize, layers: Range<usize>) -> bool {
        self.layers[layers].iter().any(|layer| layer.weight_partitions.contains(&partition))
    }

    /// Calls `visit` with each partition whose gradient `thread` computes, and which it updates.
    pub fn for_own_partitions(&self, thread: &Thread, mut visit: impl FnMut(usize)) {
        for (index, layer) in self.layers.iter().enumerate() {
            for block in thread.share(layer.blocks.len()) {
                visit(layer.bias_partition(block));
                if let Some(norm) = layer.norms.get(block) {
                    visit(norm.gamma);
                    visit(norm.beta);
                }
                if index == 0 {
                    visit(layer.weight_partition(block));
                }
                if let Some(next) = self.layers.get(index + 1) {
                    visit(next.weight_partition(block));
                }
            }
        }
    }

    /// Copies the network's parameters into the order of this plan; batch normalisation starts with
    /// scale 1 and shift 0.
    pub fn scatter(&self, parameters: &[f32], laid_out: &mut [f32]) {
        let first = &self.layers[0];
        for (block, padded) in first.blocks.iter().zip(&first.padded) {
            let strip = &mut laid_out[first.inputs * padded.start..][..first.inputs * padded.len()];
            for (row, strip) in strip.chunks_exact_mut(padded.len()).enumerate() {
                strip[..block.len()]
                    .copy_from_slice(&parameters[row * first.outputs..][block.clone()]);
                strip[block.len()..].fill(0.0);
            }
        }
        let others = &parameters[first.inputs * first.outputs..];
        laid_out[first.weight.end..][..others.len()].copy_from_slice(others);
        for norm in self.layers.iter().flat_map(|layer| &layer.norms) {
            laid_out[self.partitions[norm.gamma].clone()].fill(1.0);
            laid_out[self.partitions[norm.beta].clone()].fill(0.0);
        }
    }

    /// Copies parameters in the order of this plan back into the network's, without those of batch
    /// normalisation.
    pub fn gather(&self, laid_out: &[f32], parameters: &mut [f32]) {
        let first = &self.layers[0];
        for (block, padded) in first.blocks.iter().zip(&first.padded) {
            let strip = &laid_out[first.inputs * padded.start..][..first.inputs * padded.len()];
            for (row, strip) in strip.chunks_exact(padded.len()).enumerate() {
                parameters[row * first.outputs..][block.clone()]
                    .copy_from_slice(&strip[..block.len()]);
            }
        }
        let others = &mut parameters[first.inputs * first.outputs..];
        others.copy_from_slice(&laid_out[first.weight.end..][..others.len()]);
    }

    /// Numbers in the order of `other`, one for each parameter, in the order of this plan; both
    /// are of the same network, with or without batch normalisation.
    pub fn translate(&self, other: &Plan, laid_out: &[f32]) -> Vec<f32> {
        let first = &other.layers[0];
        let others = other.layers[other.layers.len() - 1].bias.end - first.weight.end;
        let mut network = vec![0.0; first.inputs * first.outputs + others];
        other.gather(laid_out, &mut network);
        let mut translated = vec![0.0; self.len()];
        self.scatter(&network, &mut translated);
        for (layer, from) in self.layers.iter().zip(&other.layers) {
            for partition in [|norm: &NormPartitions| norm.gamma, |norm: &NormPartitions| norm.beta]
            {
                let units = from
                    .norms
                    .iter()
                    .flat_map(|it| &laid_out[other.partitions[partition(it)].clone()]);
                let places =
                    layer.norms.iter().flat_map(|it| self.partitions[partition(it)].clone());
                places.zip(units).for_each(|(place, &value)| translated[place] = value);
            }
        }
        translated
    }

    /// The same for statistics.
    pub fn translate_statistics(&self, other: &Plan, laid_out: &[f32]) -> Vec<f32> {
        let mut translated = vec![0.0; self.statistics_len()];
        for (layer, from) in self.layers.iter().zip(&other.layers) {
            for half in 0..2 {
                let units =
                    from.norms.iter().flat_map(|it| &laid_out[other.statistics_half(it, half)]);
                let places = layer.norms.iter().flat_map(|it| self.statistics_half(it, half));
                places.zip(units).for_each(|(place, &value)| translated[place] = value);
            }
        }
        translated
    }

    /// The means (half 0) or the variances (half 1) of a block.
    fn statistics_half(&self, norm: &NormPartitions, half: usize) -> Range<usize> {
        let partition = &self.statistics[norm.statistics];
        let units = partition.len() / 2;
        partition.start + half * units..partition.start + (half + 1) * units
    }
}

/// Width of a block of a dense layer: a quarter of its units, so that four workers find work, but
/// wide enough for an efficient product.
fn dense_width(outputs: usize) -> usize {
    (outputs / 4).next_multiple_of(64).clamp(64, 256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gradus_kernels::threads::ThreadGroup;

    #[test]
    fn every_piece_has_one_owner_and_copies_come_back() {
        for (hidden, sparse) in [
            (vec![], true),
            (vec![], false),
            (vec![100], true),
            (vec![300, 70], true),
            (vec![300, 1000, 65], false),
        ] {
            let mut network = Network::dense(30, &hidden, &[Activation::Relu], 10).unwrap();
            for (i, p) in network.parameters_mut().iter_mut().enumerate() {
                *p = i as f32 + 1.0;
            }
            let plan = Plan::new(
                &network,
                sparse,
                HiddenRegularization { batch_norm: sparse, ..HiddenRegularization::PLAIN },
            );
            for threads in 1..4 {
                let group = ThreadGroup::new(threads);
                let mut owned = Vec::new();
                for index in 0..threads {
                    plan.for_own_partitions(&group.thread(index), |partition| {
                        owned.push(partition)
                    });
                }
                owned.sort();
                assert_eq!(owned, (0..plan.partitions.len()).collect::<Vec<_>>());
            }
            let mut laid_out = vec![0.5; plan.len()];
            plan.scatter(network.parameters(), &mut laid_out);
            let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
            let scales: usize = hidden.iter().sum::<usize>() * usize::from(sparse);
            assert_eq!(sum(&laid_out), sum(network.parameters()) + scales as f64);
            let mut back = vec![0.0; network.parameters().len()];
            plan.gather(&laid_out, &mut back);
            assert_eq!(back, network.parameters());
        }
    }

    #[test]
    fn what_another_layout_holds_is_found_again() {
        let network = Network::dense(5, &[300, 70], &[Activation::Relu], 3).unwrap();
        let hidden = HiddenRegularization { batch_norm: true, ..HiddenRegularization::PLAIN };
        let layouts = [true, false].map(|sparse| Plan::new(&network, sparse, hidden));
        let numbers = |len: usize| (0..len).map(|at| at as f32 + 1.0).collect::<Vec<_>>();
        let [sparse, dense] = &layouts;
        assert_ne!(sparse.len(), dense.len());
        let values = numbers(dense.len());
        let there = sparse.translate(dense, &values);
        assert_eq!(dense.translate(sparse, &there), values);
        // Gamma of unit 200 of the first layer, in blocks of 64 and of 128 units.
        let unit = |plan: &Plan, values: &[f32], width: usize| {
            values[plan.partitions[plan.layers[0].norms[200 / width].gamma].clone()][200 % width]
        };
        assert_eq!(unit(sparse, &there, 64), unit(dense, &values, 128));
        let values = numbers(dense.statistics_len());
        let there = sparse.translate_statistics(dense, &values);
        assert_ne!(there, values);
        assert_eq!(dense.translate_statistics(sparse, &there), values);
    }
}
