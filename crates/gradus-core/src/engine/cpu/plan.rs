//! The execution plan: which operations a pass over a network consists of, and how their work and the
//! parameters are divided among threads.
//!
//! In: a network, and whether its inputs are sparse. Out: a [`Plan`]. The units of each layer are
//! divided into fixed *blocks*; a thread owns whole blocks. With a block go the parameters whose
//! gradients its owner can finish alone:
//!
//! - the bias of its units, and their scale and shift of batch normalization;
//! - of a weight whose inputs are the batch, the columns that lead to its units, kept together as a
//!   *panel*: nobody needs the gradient of the batch, so that the owner reads nothing of other owners;
//! - of the weight of the next layer, the rows that start from its units.
//!
//! If something acts on the input columns before the first layer (`column_blocks.rs`), its outputs take the
//! place of the batch: a block of columns owns the rows of the first weight that start from it.
//!
//! Each of these is a *partition*. The division depends on the network alone, never on the number of
//! threads: that is why results do not either.

use std::borrow::Cow;
use std::ops::Range;

use gradus_kernels::sparse::{PANEL, PANEL_STEP};
use gradus_kernels::threads::Thread;

use crate::engine::cpu::column_blocks::PlannedColumns;
use crate::engine::cpu::partition::Partitioned;
use crate::network::{Activation, ColumnLayer, Linear, Network, Role, Tensor};
use crate::regularization::HiddenRegularization;

/// One operation of the forward pass. Each is divided among the threads of a group; all of them finish
/// it before any begins the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// What acts on the input columns, divided by its blocks of columns.
    Columns,
    /// A layer, divided by its blocks of units.
    LayerByUnits(usize),
    /// The layer whose outputs are the logits, divided by samples: losses need all units of a sample.
    LayerBySamples(usize),
    /// The outputs of a layer that was divided by units become the logits, divided by samples.
    CopyToLogits(usize),
}

/// Where a layer's inputs come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operand {
    /// The samples of the batch.
    Batch,
    /// What the plan's columns make of the batch.
    Columns,
    /// The outputs of the layer of this number.
    Layer(usize),
}

/// Where the gradient with respect to the pre-activations of a layer is while a pass runs backward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GradientPlace {
    /// In place of the logits: the loss writes it.
    Logits,
    /// In the workspace: the layer below needs that of all units.
    Workspace,
    /// In the owner's scratch, a tile of samples at a time: there is no layer below.
    Scratch,
}

/// A linear layer with what follows it up to the next one.
#[derive(Debug, Clone)]
pub struct PlannedLayer {
    /// Number of inputs.
    pub inputs: usize,
    /// Number of units.
    pub outputs: usize,
    /// Applied to the pre-activations.
    pub activation: Activation,
    /// Where the inputs come from.
    pub operand: Operand,
    /// Where the gradient with respect to the pre-activations is.
    pub gradient: GradientPlace,
    /// Blocks of units.
    pub blocks: Vec<Range<usize>>,
    /// Columns that a block takes in memory: more than it has units only where panels are padded.
    pub padded: Vec<Range<usize>>,
    /// The weight in the vector of parameters.
    pub weight: Range<usize>,
    /// The bias there.
    pub bias: Range<usize>,
    /// The strengths of the activation there.
    pub strength: Range<usize>,
    /// Partitions of the weight: one for each block of this layer where the inputs are the batch, else
    /// one for each block of the columns or of the layer below.
    pub weights: Vec<usize>,
    /// Partitions of the bias, one for each block.
    pub biases: Vec<usize>,
    /// Partitions of the strengths of the activation, one for each block; empty where it has none.
    pub strengths: Vec<usize>,
    /// Batch normalization of each block; empty where there is none.
    pub norms: Vec<NormPartitions>,
    feeds_loss: bool,
}

/// The partitions of one block's batch normalization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NormPartitions {
    /// Scale, a partition of the parameters.
    pub gamma: usize,
    /// Shift, a partition of the parameters.
    pub beta: usize,
    /// Mean and variance, a partition of the statistics.
    pub statistics: usize,
}

/// How the work on a network and its parameters are divided.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What acts on the input columns before the first layer; none if that takes the batch.
    pub columns: Option<PlannedColumns>,
    /// The layers, from the batch to the logits.
    pub layers: Vec<PlannedLayer>,
    /// The forward pass. The backward pass goes through the layers from the last to the first.
    pub operations: Vec<Operation>,
    /// The parameters: those of the network, then the factors of the scaling layer, then scales and shifts of
    /// batch normalization.
    pub parameters: Partitioned,
    /// Running statistics of batch normalization.
    pub statistics: Partitioned,
    /// How hidden layers are regularized in training.
    pub hidden: HiddenRegularization,
}

impl Plan {
    /// The plan for `network`; `sparse` where most of its inputs are 0.
    pub fn new(network: &Network, sparse: bool, hidden: HiddenRegularization) -> Plan {
        Plan::build(network, sparse, hidden, false)
    }

    /// The plan for training `network` with a scaling layer before its first linear layer.
    pub fn with_scaling(network: &Network, hidden: HiddenRegularization) -> Plan {
        Plan::build(network, false, hidden, true)
    }

    fn build(network: &Network, sparse: bool, hidden: HiddenRegularization, scaling: bool) -> Plan {
        let linears = network.linears();
        let unchanged = || scaling.then(|| ColumnLayer::unchanged(network.inputs()));
        let columns = network.columns().cloned().or_else(unchanged);
        let mut plan = Plan {
            columns: columns.map(PlannedColumns::new),
            layers: Vec::new(),
            operations: Vec::new(),
            parameters: Partitioned::default(),
            statistics: Partitioned::default(),
            hidden: if linears.len() > 1 { hidden } else { HiddenRegularization::PLAIN },
        };
        let mut tensors = network.tensors().into_iter().peekable();
        if let Some(columns) = &mut plan.columns {
            while let Some(tensor) = tensors.next_if(|it| it.role != Role::Weight) {
                columns.add(tensor, &mut plan.parameters);
            }
        }
        let first = match plan.columns {
            Some(_) => Operand::Columns,
            None => Operand::Batch,
        };
        plan.operations.extend(plan.columns.iter().map(|_| Operation::Columns));
        for (index, linear) in linears.iter().enumerate() {
            let operand = index.checked_sub(1).map_or(first, Operand::Layer);
            let feeds_loss = index + 1 == linears.len();
            let mut layer = PlannedLayer::new(linear, operand, feeds_loss, sparse);
            layer.activation = network.activation_after(index);
            let count = 2 + usize::from(network.strengths(index).is_some());
            plan.add(layer, tensors.by_ref().take(count));
        }
        if let Some(columns) = plan.columns.as_mut().filter(|_| scaling) {
            columns.add_scaling(&mut plan.parameters);
        }
        if plan.hidden.batch_norm {
            plan.add_batch_norm();
        }
        plan
    }

    /// Adds a layer with its weight, its bias and the strengths of its activation, if there are any.
    fn add(&mut self, mut layer: PlannedLayer, tensors: impl Iterator<Item = Tensor>) {
        for tensor in tensors {
            let first = self.parameters.partitions.len();
            let (role, [inputs, outputs]) = (tensor.role, tensor.shape);
            let number = self.parameters.add_tensor(tensor);
            let parameters = &mut self.parameters;
            let by_units = |rows: usize| {
                let blocks = layer.blocks.iter().zip(&layer.padded);
                blocks.map(move |(block, padded)| (0..rows, block.clone(), padded.len()))
            };
            let mut add = |(rows, columns, width)| parameters.add(number, rows, columns, width);
            match (role, layer.operand) {
                (Role::Weight, Operand::Batch) => {
                    layer.weights = by_units(inputs).map(add).collect();
                }
                (Role::Weight, below) => {
                    let rows: Vec<_> = match (below, &self.columns) {
                        (Operand::Layer(below), _) => self.layers[below].blocks.clone(),
                        (_, Some(columns)) => {
                            columns.blocks.iter().map(|it| it.outputs.clone()).collect()
                        }
                        (_, None) => {
                            unreachable!("a layer takes the columns of a plan that has some")
                        }
                    };
                    let rows = rows.into_iter();
                    layer.weights = rows.map(|rows| add((rows, 0..outputs, outputs))).collect();
                }
                _ => {
                    let blocks = layer.blocks.iter().cloned();
                    let add = |block: Range<usize>| add((0..1, block.clone(), block.len()));
                    let added = blocks.map(add).collect();
                    match role {
                        Role::Strength => layer.strengths = added,
                        _ => layer.biases = added,
                    }
                }
            }
            let place = match role {
                Role::Weight => &mut layer.weight,
                Role::Strength => &mut layer.strength,
                _ => &mut layer.bias,
            };
            let partitions = &self.parameters.partitions[first..];
            *place = partitions.first().map_or(0, |it| it.range.start)..self.parameters.len();
        }
        let index = self.layers.len();
        match layer.gradient {
            GradientPlace::Logits => self.operations.push(Operation::LayerBySamples(index)),
            _ => self.operations.push(Operation::LayerByUnits(index)),
        }
        if layer.feeds_loss_by_units() {
            self.operations.push(Operation::CopyToLogits(index));
        }
        self.layers.push(layer);
    }

    /// Adds batch normalization of the hidden layers, behind all else: the network's own parameters stay
    /// where they are without it.
    fn add_batch_norm(&mut self) {
        let hidden = self.layers.len() - 1;
        for (index, layer) in self.layers[..hidden].iter_mut().enumerate() {
            let units = layer.outputs;
            let name = |what: &str| format!("batch_norm.{index}.{what}");
            let gamma = self.parameters.append_tensor(name("scale"), [1, units], Role::Scale);
            let beta = self.parameters.append_tensor(name("shift"), [1, units], Role::Shift);
            let role = Role::RunningStatistics;
            let running = self.statistics.append_tensor(name("running"), [2, units], role);
            let partitions = layer.blocks.iter().map(|block| {
                let width = block.len();
                NormPartitions {
                    gamma: self.parameters.add(gamma, 0..1, block.clone(), width),
                    beta: self.parameters.add(beta, 0..1, block.clone(), width),
                    statistics: self.statistics.add(running, 0..2, block.clone(), width),
                }
            });
            layer.norms = partitions.collect();
        }
    }

    /// Whether a hidden layer saves what the derivative of its activation is computed from, because that
    /// is not the layer's output: the activation needs its input, or an output that dropout has not scaled.
    pub(super) fn saves(&self, layer: usize) -> bool {
        let activation = self.layers[layer].activation;
        !self.layers[layer].strengths.is_empty()
            || activation.needs_input()
            || (self.hidden.dropout > 0.0 && activation.needs_exact_output())
    }

    /// Whether a partition belongs to the weight of one of these layers.
    pub fn is_weight_of(&self, partition: usize, layers: Range<usize>) -> bool {
        self.layers[layers].iter().any(|layer| layer.weights.contains(&partition))
    }

    /// Calls `visit` with each partition whose gradient `thread` computes, and which it updates.
    pub fn for_own_partitions(&self, thread: &Thread, mut visit: impl FnMut(usize)) {
        if let Some(columns) = &self.columns {
            for block in thread.share(columns.blocks.len()) {
                columns.blocks[block].partitions().for_each(&mut visit);
                visit(self.layers[0].weights[block]);
            }
        }
        for (index, layer) in self.layers.iter().enumerate() {
            for block in thread.share(layer.blocks.len()) {
                visit(layer.biases[block]);
                layer.strengths.get(block).copied().into_iter().for_each(&mut visit);
                if let Some(norm) = layer.norms.get(block) {
                    visit(norm.gamma);
                    visit(norm.beta);
                }
                if layer.operand == Operand::Batch {
                    visit(layer.weights[block]);
                }
                if let Some(above) = self.layers.get(index + 1) {
                    visit(above.weights[block]);
                }
            }
        }
    }

    /// Inputs of a sample.
    pub fn inputs(&self) -> usize {
        match &self.columns {
            Some(columns) => columns.inputs(),
            None => self.layers.first().map_or(0, |layer| layer.inputs),
        }
    }

    /// Values of the parameters before training, in the network's order: the network's own, factors and scales of 1
    /// and shifts of 0.
    pub fn initial_parameters<'a>(&self, network: &'a Network) -> Cow<'a, [f32]> {
        if network.parameters().len() == self.parameters.values() {
            return network.parameters().into();
        }
        let mut values = network.parameters().to_vec();
        values.resize(self.parameters.values(), 0.0);
        let is_factor = |role| matches!(role, Role::Scale | Role::InputScale);
        for tensor in self.parameters.tensors.iter().filter(|it| is_factor(it.role)) {
            values[tensor.range.clone()].fill(1.0);
        }
        values.into()
    }

    /// Running statistics before training: means of 0 and variances of 1.
    pub fn initial_statistics(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.statistics.values()];
        for Tensor { range, shape: [_, units], .. } in &self.statistics.tensors {
            values[range.clone()][*units..].fill(1.0);
        }
        values
    }
}

impl PlannedLayer {
    /// A layer without its parameters. It is divided by units, but for the one that makes the logits of
    /// another layer's outputs: losses take samples, so that this one is divided by samples at once.
    fn new(linear: &Linear, operand: Operand, feeds_loss: bool, sparse: bool) -> PlannedLayer {
        let Linear { inputs, outputs, .. } = *linear;
        let from_batch = operand == Operand::Batch;
        let gradient = match (operand, feeds_loss) {
            (Operand::Batch, _) => GradientPlace::Scratch,
            (_, true) => GradientPlace::Logits,
            (_, false) => GradientPlace::Workspace,
        };
        let width = match gradient {
            GradientPlace::Logits => outputs,
            GradientPlace::Scratch if sparse => PANEL,
            _ => dense_width(outputs),
        };
        let starts = (0..outputs).step_by(width);
        let blocks: Vec<_> = starts.map(|start| start..(start + width).min(outputs)).collect();
        // Sparse products compute whole registers.
        let step = if from_batch && sparse { PANEL_STEP } else { 1 };
        let padded = |b: &Range<usize>| b.start..b.start + b.len().next_multiple_of(step);
        PlannedLayer {
            inputs,
            outputs,
            activation: Activation::Identity,
            operand,
            gradient,
            padded: blocks.iter().map(padded).collect(),
            blocks,
            weight: 0..0,
            bias: 0..0,
            strength: 0..0,
            weights: Vec::new(),
            biases: Vec::new(),
            strengths: Vec::new(),
            norms: Vec::new(),
            feeds_loss,
        }
    }

    /// Whether the outputs are logits that blocks of units write.
    fn feeds_loss_by_units(&self) -> bool {
        self.feeds_loss && self.gradient != GradientPlace::Logits
    }
}

/// Width of a block of a dense layer: a quarter of its units, so that four threads find work, but wide
/// enough for an efficient product.
fn dense_width(outputs: usize) -> usize {
    (outputs / 4).next_multiple_of(64).clamp(64, 256)
}

#[cfg(test)]
mod tests {
    use gradus_kernels::threads::ThreadGroup;

    use super::*;

    #[test]
    fn every_partition_has_one_owner_and_copies_come_back() {
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
            let norm = HiddenRegularization { batch_norm: sparse, ..HiddenRegularization::PLAIN };
            let plan = Plan::new(&network, sparse, norm);
            for threads in 1..4 {
                let group = ThreadGroup::new(threads);
                let mut owned = Vec::new();
                for index in 0..threads {
                    plan.for_own_partitions(&group.thread(index), |it| owned.push(it));
                }
                owned.sort();
                assert_eq!(owned, (0..plan.parameters.partitions.len()).collect::<Vec<_>>());
            }
            let values = plan.initial_parameters(&network);
            let memory = plan.parameters.to_memory(&values);
            assert_eq!(plan.parameters.from_memory(&memory.read()), *values);
            let sum = |values: &[f32]| values.iter().map(|&v| f64::from(v)).sum::<f64>();
            // What pads panels is 0.
            assert_eq!(sum(&memory.read()), sum(&values));
            assert_eq!(values.len() - network.parameters().len(), {
                2 * hidden.iter().sum::<usize>() * usize::from(sparse)
            });
        }
    }

    #[test]
    fn operations_follow_the_data() {
        use Operation::{CopyToLogits, LayerBySamples, LayerByUnits};
        let plan = |hidden: &[usize]| {
            let network = Network::dense(5, hidden, &[Activation::Relu], 3).unwrap();
            Plan::new(&network, true, HiddenRegularization::PLAIN)
        };
        assert_eq!(plan(&[]).operations, [LayerByUnits(0), CopyToLogits(0)]);
        let deep = plan(&[300, 70]);
        assert_eq!(deep.operations, [LayerByUnits(0), LayerByUnits(1), LayerBySamples(2)]);
        assert_eq!(deep.layers[0].blocks.len(), 5);
        assert_eq!(deep.layers[0].padded[4], 256..304);
        assert_eq!(deep.layers[1].blocks, [0..64, 64..70]);
    }
}
