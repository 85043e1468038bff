//! A network laid out for computing: the passes of all layers in order.
//!
//! Several workers (the threads of a group) call the same functions at the same time; each does the
//! blocks that it owns, and they meet where one needs what others have computed. A single caller is
//! a group of one. A pass over L linear layers takes 2 L - 2 meetings, two for one hidden layer:
//!
//! 1. each hidden layer, own units: `a = f(x W + b)`; meet;
//! 2. logits of own samples; the caller turns them into losses and gradients; meet;
//! 3. backward, own units: gradient of the weight rows that start from them, gradient of the units
//!    themselves; meet if another layer needs all of these.

use std::ops::Range;
use std::sync::{RwLock, RwLockReadGuard};

use gradus_kernels::Kernels;
use gradus_kernels::dense::Update;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::sparse::Tile;
use gradus_kernels::threads::{SharedMatrix, Thread};

use crate::engine::cpu::hidden::{self, HiddenLayer, HiddenRegularization, RngKey};
use crate::engine::cpu::linear::{self, InputScale};
use crate::engine::cpu::plan::Plan;
use crate::engine::cpu::workspace::{Scratch, Workspace};
use crate::network::Network;

/// A tile that one worker fills and others read later.
pub type SharedTile = RwLock<Tile>;

/// The samples of a pass.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// Mostly-zero bytes: tiles of samples, in order.
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

/// A tile for reading. A lock is poisoned only by a panic, which ends the run anyway.
fn locked(tile: &SharedTile) -> RwLockReadGuard<'_, Tile> {
    tile.read().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A network's parameters in the order of its [`Plan`], shared by workers.
pub struct Executor {
    /// How work and parameters are divided.
    pub plan: Plan,
    /// The parameters.
    pub parameters: SharedMatrix,
    /// Running means and variances of batch normalisation.
    pub statistics: SharedMatrix,
    kernels: Kernels,
}

impl Executor {
    /// Lays `network` out for [`Input::Tiles`] where `sparse`, else for [`Input::Dense`].
    pub fn new(kernels: Kernels, network: &Network, sparse: bool) -> Executor {
        Executor::for_training(kernels, network, sparse, HiddenRegularization::PLAIN)
    }

    /// The same for training whose hidden layers are treated like this.
    pub fn for_training(
        kernels: Kernels,
        network: &Network,
        sparse: bool,
        hidden: HiddenRegularization,
    ) -> Executor {
        let plan = Plan::new(network, sparse, hidden);
        let parameters = SharedMatrix::vector(plan.len(), &plan.partitions);
        let statistics = SharedMatrix::vector(plan.statistics_len(), &plan.statistics);
        for (index, partition) in plan.statistics.iter().enumerate() {
            statistics.write(index).slice()[partition.len() / 2..].fill(1.0);
        }
        let executor = Executor { plan, parameters, statistics, kernels };
        executor.load(network);
        executor
    }

    /// Takes over the parameters of `network`, which must have the same shape.
    pub fn load(&self, network: &Network) {
        let mut laid_out = vec![0.0; self.plan.len()];
        self.plan.scatter(network.parameters(), &mut laid_out);
        for (index, partition) in self.plan.partitions.iter().enumerate() {
            self.parameters.write(index).slice().copy_from_slice(&laid_out[partition.clone()]);
        }
    }

    /// The kernels that it computes with.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Gives the parameters to `network`, which must have the same shape. It then predicts what
    /// these predict: batch normalisation is folded into it.
    pub fn store(&self, network: &mut Network) {
        self.store_these(&self.parameters.read(), &self.statistics.read(), network);
    }

    /// The same with other parameters and statistics in the order of the plan.
    pub fn store_these(&self, parameters: &[f32], statistics: &[f32], network: &mut Network) {
        self.plan.gather(parameters, network.parameters_mut());
        hidden::fold(&self.plan, parameters, statistics, network);
    }

    /// Gives the gradients in `workspace` in the order of the network's parameters.
    pub fn gradients(&self, workspace: &Workspace, gradients: &mut [f32]) {
        self.plan.gather(&workspace.gradients.read(), gradients);
    }

    /// Computes the logits of own samples, in `workspace.logits`. `draw` says where the random
    /// numbers of a training pass come from; without it hidden layers are their activation alone.
    ///
    /// Panics where the input does not fit the network or the workspace.
    pub fn forward(
        &self,
        input: Input,
        workspace: &Workspace,
        thread: &Thread,
        scratch: &mut Scratch,
        draw: Option<RngKey>,
    ) {
        let samples = input.samples();
        assert!(samples <= workspace.rows(), "more samples than the workspace has rows");
        for block in thread.share(self.plan.layers[0].blocks.len()) {
            self.first_layer(input, block, workspace, scratch, draw);
        }
        thread.barrier();
        let last = self.plan.layers.len() - 1;
        for index in 1..last {
            for block in thread.share(self.plan.layers[index].blocks.len()) {
                self.hidden_layer(index, block, samples, workspace, draw);
            }
            thread.barrier();
        }
        for partition in thread.share(Workspace::loss_partitions(samples)) {
            let rows = Workspace::loss_rows(partition, samples);
            let mut guard = workspace.logits.write(partition);
            let mut view = guard.view();
            self.last_layer(rows.clone(), workspace, view.part_rows(0..rows.len()));
        }
    }

    /// One block of the first layer: `a = f(x W + b)`.
    fn first_layer(
        &self,
        input: Input,
        block: usize,
        ws: &Workspace,
        scratch: &mut Scratch,
        draw: Option<RngKey>,
    ) {
        let layer = &self.plan.layers[0];
        let hidden = self.hidden(0, ws, draw);
        let weight = self.parameters.read_partition(layer.weight_partition(block));
        let bias = self.parameters.read_partition(layer.bias_partition(block));
        let mut output = ws.activations[0].write(block);
        let mut output = output.view();
        match input {
            Input::Tiles(tiles, scale) => {
                let folded = &mut scratch.row[..layer.padded[block].len()];
                scale.fold_bias(self.kernels, &weight, &bias, folded);
                let mut start = 0;
                for tile in tiles {
                    let tile = &*locked(tile);
                    let rows = start..start + tile.samples();
                    let mut output = output.part_rows(rows.clone());
                    linear::forward_sparse(
                        self.kernels,
                        tile,
                        &scale,
                        &weight,
                        folded,
                        output.reborrow(),
                    );
                    start = rows.end;
                    if !hidden.normalizes() {
                        hidden.activate(block, rows, output);
                    }
                }
                if hidden.normalizes() {
                    self.normalize_and_activate(&hidden, block, output.part_rows(0..start));
                }
            }
            Input::Dense(values) => {
                let mut output = output.part_rows(0..values.rows());
                let weight = MatRef::new(&weight, layer.inputs, layer.padded[block].len());
                linear::forward(self.kernels, values, weight, &bias, output.reborrow());
                self.normalize_and_activate(&hidden, block, output);
            }
        }
    }

    /// One block of a hidden layer behind the first: `a = f(x W + b)`.
    fn hidden_layer(
        &self,
        index: usize,
        block: usize,
        samples: usize,
        ws: &Workspace,
        draw: Option<RngKey>,
    ) {
        let layer = &self.plan.layers[index];
        let units = layer.blocks[block].clone();
        let parameters = self.parameters.read();
        let weight = MatRef::new(&parameters[layer.weight.clone()], layer.inputs, layer.outputs);
        let bias = &parameters[layer.bias.clone()][units.clone()];
        let input = ws.activations[index - 1].read();
        let input = input.view().part(0..samples, 0..layer.inputs);
        let mut output = ws.activations[index].write(block);
        let mut output = output.view();
        let mut output = output.part_rows(0..samples);
        linear::forward(self.kernels, input, weight.part_columns(units), bias, output.reborrow());
        self.normalize_and_activate(&self.hidden(index, ws, draw), block, output);
    }

    /// HiddenRegularization layer `index` in a pass.
    fn hidden<'a>(
        &'a self,
        index: usize,
        workspace: &'a Workspace,
        draw: Option<RngKey>,
    ) -> HiddenLayer<'a> {
        let (kernels, hidden) = (self.kernels, self.plan.hidden);
        HiddenLayer { kernels, hidden, index, layer: &self.plan.layers[index], workspace, draw }
    }

    /// What follows the product of a hidden layer, for all samples of a block.
    fn normalize_and_activate(&self, hidden: &HiddenLayer, block: usize, mut output: MatMut) {
        if hidden.normalizes() {
            hidden.normalize(block, &self.parameters, &self.statistics, output.reborrow());
        }
        hidden.activate(block, 0..output.rows(), output);
    }

    /// Logits of the samples `rows`.
    fn last_layer(&self, rows: Range<usize>, ws: &Workspace, mut logits: MatMut) {
        let layer = &self.plan.layers[self.plan.layers.len() - 1];
        let input = ws.activations[ws.activations.len() - 1].read();
        if self.plan.layers.len() == 1 {
            let input = input.view().part(rows, 0..layer.outputs);
            for sample in 0..logits.rows() {
                logits.row_mut(sample).copy_from_slice(input.row(sample));
            }
            return;
        }
        let parameters = self.parameters.read();
        let weight = MatRef::new(&parameters[layer.weight.clone()], layer.inputs, layer.outputs);
        let bias = &parameters[layer.bias.clone()];
        linear::forward(
            self.kernels,
            input.view().part(rows, 0..layer.inputs),
            weight,
            bias,
            logits,
        );
    }

    /// From the gradient of the logits, in `workspace.logits`, to the gradients of all parameters
    /// that `thread` owns, in `workspace.gradients`. Follows [`Self::forward`] on the same input
    /// and a meeting.
    pub fn backward(
        &self,
        input: Input,
        workspace: &Workspace,
        thread: &Thread,
        scratch: &mut Scratch,
        update: Update,
    ) {
        let samples = input.samples();
        let last = self.plan.layers.len() - 1;
        let grad_logits = workspace.logits.read();
        let grad_logits = grad_logits.view().part_rows(0..samples);
        if last == 0 {
            for block in thread.share(self.plan.layers[0].blocks.len()) {
                let units = self.plan.layers[0].blocks[block].clone();
                let copy = |rows: Range<usize>, mut delta: MatMut| {
                    let grad = grad_logits.part(rows, units.clone());
                    for sample in 0..grad.rows() {
                        delta.row_mut(sample).copy_from_slice(grad.row(sample));
                    }
                };
                self.first_layer_backward(input, block, workspace, scratch, update, copy);
            }
            return;
        }
        for block in thread.share(self.plan.layers[last].blocks.len()) {
            let mut grad_bias =
                workspace.gradients.write(self.plan.layers[last].bias_partition(block));
            linear::backward_bias(self.kernels, grad_logits, grad_bias.slice(), update);
        }
        for index in (1..=last).rev() {
            let kept = workspace.grad_preactivations[index].as_ref().map(|delta| delta.read());
            let grad_output = match &kept {
                Some(delta) => delta.view().part(0..samples, 0..self.plan.layers[index].outputs),
                None => grad_logits,
            };
            for block in thread.share(self.plan.layers[index - 1].blocks.len()) {
                self.rows_backward(index, block, grad_output, workspace, update);
                if index > 1 {
                    self.units_backward(index, block, grad_output, workspace, update);
                } else {
                    self.first_units_backward(
                        block,
                        grad_output,
                        input,
                        workspace,
                        scratch,
                        update,
                    );
                }
            }
            if index > 1 {
                thread.barrier();
            }
        }
    }

    /// Gradient of the rows of the weight of layer `index` that start from one block of the layer
    /// before.
    fn rows_backward(
        &self,
        index: usize,
        block: usize,
        grad_output: MatRef,
        ws: &Workspace,
        update: Update,
    ) {
        let (layer, before) = (&self.plan.layers[index], &self.plan.layers[index - 1]);
        let units = before.blocks[block].len();
        let activations = ws.activations[index - 1].read_partition(block);
        let input = activations.view().part(0..grad_output.rows(), 0..units);
        let mut grad_weight = ws.gradients.write(layer.weight_partition(block));
        let grad_weight = MatMut::new(grad_weight.slice(), units, layer.outputs);
        linear::backward_weight(self.kernels, input, grad_output, grad_weight, update);
    }

    /// Gradient of one block of units of the hidden layer before `index`, and of their bias.
    fn units_backward(
        &self,
        index: usize,
        block: usize,
        grad_output: MatRef,
        ws: &Workspace,
        update: Update,
    ) {
        let Some(grad_preactivations) = &ws.grad_preactivations[index - 1] else { return };
        let units = self.plan.layers[index - 1].blocks[block].len();
        let rows = 0..grad_output.rows();
        let mut delta = grad_preactivations.write(block);
        let mut delta = delta.view();
        let mut delta = delta.part_rows(rows.clone());
        self.delta(index, block, rows, grad_output, ws, delta.reborrow());
        self.normalize_backward(index - 1, block, ws, delta.first_columns(units));
        let mut grad_bias = ws.gradients.write(self.plan.layers[index - 1].bias_partition(block));
        linear::backward_bias(self.kernels, delta.as_ref(), grad_bias.slice(), update);
    }

    /// The same for the first layer, whose weight follows at once: nobody else needs its gradient.
    fn first_units_backward(
        &self,
        block: usize,
        grad_output: MatRef,
        input: Input,
        ws: &Workspace,
        scratch: &mut Scratch,
        update: Update,
    ) {
        self.first_layer_backward(input, block, ws, scratch, update, |rows, delta| {
            self.delta(1, block, rows.clone(), grad_output.part_rows(rows), ws, delta);
        });
    }

    /// `delta = (grad_output W^T) * f'` for rows of one block of the layer before `index`.
    fn delta(
        &self,
        index: usize,
        block: usize,
        rows: Range<usize>,
        grad_output: MatRef,
        ws: &Workspace,
        mut delta: MatMut,
    ) {
        let (layer, before) = (&self.plan.layers[index], &self.plan.layers[index - 1]);
        let units = before.blocks[block].len();
        let weight = self.parameters.read_partition(layer.weight_partition(block));
        let weight = MatRef::new(&weight, units, layer.outputs);
        linear::backward_input(self.kernels, grad_output, weight, delta.reborrow());
        let hidden = self.hidden(index - 1, ws, None);
        hidden.activate_backward(block, rows, delta);
    }

    /// From the gradient after batch normalisation of all samples of a block, if there is any, to
    /// the gradient before it.
    fn normalize_backward(&self, index: usize, block: usize, ws: &Workspace, delta: MatMut) {
        if !self.plan.layers[index].norms.is_empty() {
            self.hidden(index, ws, None).normalize_backward(block, &self.parameters, delta);
        }
    }

    /// Gradients of the weight and bias of one block of the first layer. `delta_of(rows, delta)`
    /// writes the gradient of the block's outputs for these rows of the batch.
    fn first_layer_backward(
        &self,
        input: Input,
        block: usize,
        ws: &Workspace,
        scratch: &mut Scratch,
        update: Update,
        delta_of: impl Fn(Range<usize>, MatMut),
    ) {
        let layer = &self.plan.layers[0];
        let (units, width) = (layer.blocks[block].len(), layer.padded[block].len());
        let mut grad_weight = ws.gradients.write(layer.weight_partition(block));
        let mut grad_bias = ws.gradients.write(layer.bias_partition(block));
        let (grad_weight, grad_bias) = (grad_weight.slice(), grad_bias.slice());
        let Scratch { delta, row } = scratch;
        let whole = !layer.norms.is_empty();
        let delta_rows = |delta: &mut [f32], rows: Range<usize>| {
            if units < width {
                delta.fill(0.0);
            }
            let mut delta = MatMut::with_stride(delta, rows.len(), units, width);
            delta_of(rows, delta.reborrow());
            if whole {
                self.normalize_backward(0, block, ws, delta);
            }
        };
        let mut bias_of = |delta: &[f32], update| {
            let real = MatRef::new(delta, delta.len() / width, width).part_columns(0..units);
            linear::backward_bias(self.kernels, real, grad_bias, update);
        };
        match input {
            Input::Tiles(tiles, scale) => {
                if whole {
                    // The statistics are those of all samples: their gradient needs them at once.
                    let samples = input.samples();
                    delta_rows(&mut delta[..samples * width], 0..samples);
                }
                let mut update = update;
                let mut start = 0;
                for tile in tiles {
                    let tile = &*locked(tile);
                    let rows = start..start + tile.samples();
                    start = rows.end;
                    let count = rows.len();
                    let delta = match whole {
                        true => &mut delta[rows.start * width..rows.end * width],
                        false => &mut delta[..count * width],
                    };
                    if !whole {
                        delta_rows(delta, rows);
                    }
                    bias_of(delta, update);
                    linear::backward_weight_sparse(
                        self.kernels,
                        tile,
                        &scale,
                        MatRef::new(delta, count, width),
                        &mut row[..width],
                        grad_weight,
                        update,
                    );
                    update = Update::Add;
                }
            }
            Input::Dense(values) => {
                let delta = &mut delta[..values.rows() * width];
                delta_rows(delta, 0..values.rows());
                bias_of(delta, update);
                let delta = MatRef::new(delta, values.rows(), width);
                let grad_weight = MatMut::new(grad_weight, layer.inputs, width);
                linear::backward_weight(self.kernels, values, delta, grad_weight, update);
            }
        }
    }
}
