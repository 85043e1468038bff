//! The passes over a network: its parameters in the order of the plan, and for each layer what the
//! forward pass computes; `backward.rs` has the backward pass, `single.rs` the forward pass of one sample.
//!
//! In: samples. Out: the logits. All threads of a group call these functions at the same time; each computes the blocks or
//! samples that are its share. Where one needs what others have computed, the caller puts a barrier:
//! `step.rs` shows them all.

use std::ops::Range;
use std::sync::{RwLock, RwLockReadGuard};

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::quantized::QuantizedMatrix;
use gradus_kernels::sparse::Tile;
use gradus_kernels::threads::{Reading, SharedMatrix, Thread, ThreadGroup};

use crate::engine::cpu::columns::{self, ColumnPass};
use crate::engine::cpu::hidden::{self, HiddenLayer, RngKey};
use crate::engine::cpu::linear::{self, InputScale};
use crate::engine::cpu::plan::{Operand, Operation, Plan};
use crate::engine::cpu::workspace::{Scratch, Workspace};
use crate::network::Network;
use crate::regularization::HiddenRegularization;

/// A tile that one thread fills and others read later.
pub type SharedTile = RwLock<Tile>;

/// The samples of a pass.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// Mostly zeros: tiles of samples, in order.
    Tiles(&'a [SharedTile], InputScale),
    /// Any values: samples x inputs.
    Dense(MatRef<'a>),
}

impl Input<'_> {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            Input::Tiles(tiles, _) => tiles.iter().map(|tile| locked(tile).samples()).sum(),
            Input::Dense(values) => values.rows(),
        }
    }
}

/// Samples that [`Executor::embedded`] takes at a time.
const EMBEDDED_ROWS: usize = 512;

/// A tile for reading. A lock is poisoned only by a panic, which ends the run anyway.
pub(super) fn locked(tile: &SharedTile) -> RwLockReadGuard<'_, Tile> {
    tile.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Some samples on their way through the network.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub(super) input: Input<'a>,
    pub(super) samples: usize,
    pub(super) workspace: &'a Workspace,
    /// Those of all parameters, in the order of memory, if it is to compute them.
    pub(super) gradients: &'a SharedMatrix,
    /// Where the random numbers of a training pass come from; without it hidden layers are their
    /// activation alone.
    key: Option<RngKey>,
    /// Factor of the share of units that dropout takes.
    dropout: f32,
}

impl<'a> Pass<'a> {
    /// Panics if the workspace is too small.
    pub fn new(input: Input<'a>, workspace: &'a Workspace, key: Option<RngKey>) -> Pass<'a> {
        let samples = input.samples();
        assert!(samples <= workspace.rows(), "more samples than the workspace has rows");
        let gradients = &workspace.no_gradients;
        Pass { input, samples, workspace, gradients, key, dropout: 1.0 }
    }

    /// The pass with memory for the gradients of the parameters, which backward passes need.
    pub fn with_gradients(self, gradients: &'a SharedMatrix) -> Pass<'a> {
        Pass { gradients, ..self }
    }

    /// The pass with this share of the dropout that the plan has.
    pub(super) fn with_dropout(self, factor: f32) -> Pass<'a> {
        Pass { dropout: factor, ..self }
    }

    /// The outputs of a layer, for reading.
    fn outputs(&self, layer: usize) -> Reading<'a> {
        let matrix: &'a Option<SharedMatrix> = &self.workspace.activations[layer];
        // Only the layer that is divided by samples has none, and nothing reads its outputs.
        matrix.as_ref().unwrap_or(&self.workspace.logits).read()
    }
}

/// A network's parameters in the order of a plan, shared by threads.
pub struct Executor {
    /// The operations and how they are divided.
    pub plan: Plan,
    /// The parameters.
    pub parameters: SharedMatrix,
    /// Running means and variances of batch normalization.
    pub statistics: SharedMatrix,
    /// The weights of layers in whole numbers, for single samples: empty, or of each layer what `single.rs` makes of it.
    pub(super) quantized: Vec<Option<QuantizedMatrix>>,
    pub(super) kernels: Kernels,
}

impl Executor {
    /// For predictions: takes [`Input::Tiles`] if `sparse`, else [`Input::Dense`].
    pub fn new(kernels: Kernels, network: &Network, sparse: bool) -> Executor {
        Executor::for_training(kernels, network, sparse, HiddenRegularization::PLAIN)
    }

    /// For training with this regularization of the hidden layers.
    pub fn for_training(
        kernels: Kernels,
        network: &Network,
        sparse: bool,
        hidden: HiddenRegularization,
    ) -> Executor {
        Executor::with_plan(kernels, network, Plan::new(network, sparse, hidden))
    }

    /// For training with a scaling layer before the first linear layer; takes [`Input::Dense`].
    pub fn with_scaling(
        kernels: Kernels,
        network: &Network,
        hidden: HiddenRegularization,
    ) -> Executor {
        Executor::with_plan(kernels, network, Plan::with_scaling(network, hidden))
    }

    fn with_plan(kernels: Kernels, network: &Network, plan: Plan) -> Executor {
        let parameters = plan.parameters.to_memory(&plan.initial_parameters(network));
        let statistics = plan.statistics.to_memory(&plan.initial_statistics());
        Executor { plan, parameters, statistics, quantized: Vec::new(), kernels }
    }

    /// The kernels that it computes with.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Gives the parameters to `network`, which must have the same shape. It then predicts what these
    /// predict: the scaling layer and batch normalization are folded into it.
    pub fn store(&self, network: &mut Network) {
        self.store_these(&self.parameters, &self.statistics, network);
    }

    /// The same with other parameters and statistics in the order of memory.
    pub(super) fn store_these(
        &self,
        parameters: &SharedMatrix,
        statistics: &SharedMatrix,
        network: &mut Network,
    ) {
        self.plan.parameters.read(&parameters.read(), network.parameters_mut());
        if self.plan.hidden.batch_norm {
            let parameters = self.plan.parameters.from_memory(&parameters.read());
            let statistics = self.plan.statistics.from_memory(&statistics.read());
            hidden::fold(&self.plan, &parameters, &statistics, network);
        }
        if let Some(columns) = &self.plan.columns {
            columns::fold(columns, parameters, network);
        }
    }

    /// One operation of the forward pass, this thread's share of it. After the last one the logits of this
    /// thread's samples are in `workspace.logits`.
    pub fn forward(
        &self,
        operation: Operation,
        pass: &Pass,
        thread: &Thread,
        scratch: &mut Scratch,
    ) {
        let (workspace, samples) = (pass.workspace, pass.samples);
        match operation {
            Operation::Columns => {
                let Some(columns) = self.columns(pass) else { return };
                for block in thread.share(columns.blocks()) {
                    columns.forward(block, &mut scratch.column);
                }
            }
            Operation::LayerByUnits(layer) => {
                for block in thread.share(self.plan.layers[layer].blocks.len()) {
                    self.forward_block(layer, block, pass, scratch);
                }
            }
            Operation::LayerBySamples(layer) => {
                for tile in thread.share(Workspace::loss_tiles(samples)) {
                    let rows = Workspace::loss_rows(tile, samples);
                    let mut logits = workspace.logits.write(tile);
                    let mut logits = logits.view();
                    let bias = self.parameters.read_partition(self.plan.layers[layer].biases[0]);
                    let logits = logits.part_rows(0..rows.len());
                    self.forward_dense(layer, None, pass, rows, &bias, logits);
                }
            }
            Operation::CopyToLogits(layer) => {
                let outputs = pass.outputs(layer);
                let units = 0..self.plan.layers[layer].outputs;
                for tile in thread.share(Workspace::loss_tiles(samples)) {
                    let rows = Workspace::loss_rows(tile, samples);
                    let (mut logits, count) = (workspace.logits.write(tile), rows.len());
                    let mut logits = logits.view();
                    copy(outputs.view().part(rows, units.clone()), logits.part_rows(0..count));
                }
            }
        }
    }

    /// What the layer of columns makes of samples, row after row; of a network without one, the samples themselves.
    pub(crate) fn embedded(&self, inputs: MatRef) -> Vec<f32> {
        let Some(columns) = &self.plan.columns else { return inputs.without_gaps().to_vec() };
        let group = ThreadGroup::new(1);
        let rows = inputs.rows().min(EMBEDDED_ROWS);
        let workspace = Workspace::new(&self.plan, rows, false);
        let mut scratch = Scratch::new(&self.plan, rows);
        let mut values = Vec::with_capacity(inputs.rows() * columns.outputs());
        for start in (0..inputs.rows()).step_by(EMBEDDED_ROWS) {
            let part = inputs.part_rows(start..(start + EMBEDDED_ROWS).min(inputs.rows()));
            let pass = Pass::new(Input::Dense(part), &workspace, None);
            self.forward(Operation::Columns, &pass, &group.thread(0), &mut scratch);
            let Some(found) = &workspace.columns else { break };
            let found = found.outputs.read();
            (0..part.rows()).for_each(|row| values.extend_from_slice(found.view().row(row)));
        }
        values
    }

    /// What acts on the input columns in a pass, if anything does.
    pub(super) fn columns<'a>(&'a self, pass: &'a Pass<'a>) -> Option<ColumnPass<'a>> {
        let Input::Dense(input) = pass.input else { return None };
        Some(ColumnPass {
            kernels: self.kernels,
            columns: self.plan.columns.as_ref()?,
            parameters: &self.parameters,
            input,
            matrices: pass.workspace.columns.as_ref()?,
            gradients: pass.gradients,
        })
    }

    /// One block of units of a layer: `a = f(x W + b)`.
    fn forward_block(&self, index: usize, block: usize, pass: &Pass, scratch: &mut Scratch) {
        let (layer, hidden) = (&self.plan.layers[index], self.hidden(index, pass));
        let Some(outputs) = &pass.workspace.activations[index] else { return };
        let mut outputs = outputs.write(block);
        let mut outputs = outputs.view();
        let mut outputs = outputs.part_rows(0..pass.samples);
        let bias = self.parameters.read_partition(layer.biases[block]);
        match (layer.operand, pass.input) {
            (Operand::Batch, Input::Tiles(tiles, scale)) => {
                let weight = self.parameters.read_partition(layer.weights[block]);
                let folded = &mut scratch.row[..layer.padded[block].len()];
                scale.fold_bias(self.kernels, &weight, &bias, folded);
                for (tile, rows) in in_order(tiles) {
                    let mut out = outputs.part_rows(rows.clone());
                    let tile = &*locked(tile);
                    let kernels = self.kernels;
                    linear::forward_sparse(kernels, tile, &scale, &weight, folded, out.reborrow());
                    // While the outputs are in the cache; batch normalization needs all of them first.
                    if !hidden.normalizes() {
                        hidden.activate(block, rows, out);
                    }
                }
                if !hidden.normalizes() {
                    return;
                }
            }
            _ => {
                let all = 0..pass.samples;
                self.forward_dense(index, Some(block), pass, all, &bias, outputs.reborrow());
            }
        }
        if hidden.normalizes() {
            hidden.normalize(block, &self.parameters, &self.statistics, outputs.reborrow());
        }
        hidden.activate(block, 0..pass.samples, outputs);
    }

    /// `x W + b` of dense inputs: some samples, and the units of one block or all.
    fn forward_dense(
        &self,
        index: usize,
        block: Option<usize>,
        pass: &Pass,
        rows: Range<usize>,
        bias: &[f32],
        outputs: MatMut,
    ) {
        let layer = &self.plan.layers[index];
        let below;
        let inputs = match (layer.operand, pass.input) {
            (Operand::Batch, Input::Dense(values)) => values.part_rows(rows),
            (Operand::Layer(number), _) => {
                below = pass.outputs(number);
                below.view().part(rows, 0..layer.inputs)
            }
            (Operand::Columns, _) => {
                let Some(columns) = &pass.workspace.columns else { return };
                below = columns.outputs.read();
                below.view().part_rows(rows)
            }
            (Operand::Batch, Input::Tiles(..)) => unreachable!("tiles take the sparse product"),
        };
        let parameters;
        let weight = match (layer.operand, block) {
            (Operand::Batch, Some(block)) => {
                parameters = self.parameters.read_partition(layer.weights[block]);
                MatRef::new(&parameters, layer.inputs, layer.padded[block].len())
            }
            (_, block) => {
                parameters = self.parameters.read();
                let weight = &parameters[layer.weight.clone()];
                let units = block.map_or(0..layer.outputs, |block| layer.blocks[block].clone());
                MatRef::new(weight, layer.inputs, layer.outputs).part_columns(units)
            }
        };
        linear::forward(self.kernels, inputs, weight, bias, outputs);
    }

    /// What follows the product of a layer.
    pub(super) fn hidden<'a>(&'a self, index: usize, pass: &Pass<'a>) -> HiddenLayer<'a> {
        let (kernels, layer) = (self.kernels, &self.plan.layers[index]);
        let mut hidden = self.plan.hidden;
        hidden.dropout *= pass.dropout;
        let (parameters, key) = (&self.parameters, pass.key);
        let Pass { workspace, gradients, .. } = *pass;
        HiddenLayer { kernels, hidden, index, layer, workspace, gradients, parameters, key }
    }
}

/// The tiles of a pass, each with its samples' rows.
pub(super) fn in_order(tiles: &[SharedTile]) -> impl Iterator<Item = (&SharedTile, Range<usize>)> {
    let mut start = 0;
    tiles.iter().map(move |tile| {
        let rows = start..start + locked(tile).samples();
        start = rows.end;
        (tile, rows)
    })
}

/// Copies a matrix, row after row.
pub(super) fn copy(from: MatRef, mut to: MatMut) {
    for row in 0..from.rows() {
        to.row_mut(row).copy_from_slice(from.row(row));
    }
}
