//! The backward pass over a network, layer by layer.
//!
//! In: what a forward pass left in the workspace, and the gradient with respect to the logits. Out: the gradients of all
//! parameters. As in the forward pass (`passes.rs`), each thread computes its share, and `step.rs` puts the barriers.

use std::ops::Range;

use gradus_kernels::dense::Update;
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::threads::{Reading, Thread};

use crate::engine::cpu::linear;
use crate::engine::cpu::passes::{Executor, Input, Pass, copy, in_order, locked};
use crate::engine::cpu::plan::{GradientPlace, Operand};
use crate::engine::cpu::workspace::{Scratch, Workspace};

impl Executor {
    /// One layer of the backward pass, this thread's share of it. With a block of units go the gradients
    /// of the parameters that its owner updates: of the weight rows of the layer above that start from
    /// them, and of the layer's own parameters but for such rows.
    pub fn backward(
        &self,
        index: usize,
        pass: &Pass,
        thread: &Thread,
        scratch: &mut Scratch,
        update: Update,
    ) {
        for block in thread.share(self.plan.layers[index].blocks.len()) {
            if index + 1 < self.plan.layers.len() {
                self.backward_rows(index + 1, block, pass, update);
            }
            if let (Some(&strengths), Update::Overwrite) =
                (self.plan.layers[index].strengths.get(block), update)
            {
                pass.gradients.write(strengths).slice().fill(0.0);
            }
            match self.plan.layers[index].gradient {
                GradientPlace::Logits => self.backward_logits(index, block, pass, update),
                GradientPlace::Workspace => self.backward_units(index, block, pass, update),
                GradientPlace::Scratch => {
                    self.backward_panel(index, block, pass, scratch, update);
                }
            }
        }
    }

    /// The backward pass of what acts on the input columns, this thread's share of it: the gradients of the rows of
    /// the first weight that start from a block, then those of the block's own parameters. Nothing needs the gradient
    /// of the batch.
    pub fn backward_columns(
        &self,
        pass: &Pass,
        thread: &Thread,
        scratch: &mut Scratch,
        update: Update,
    ) {
        let Some(columns) = self.columns(pass) else { return };
        let width = self.plan.layers[0].outputs;
        for block in thread.share(columns.blocks()) {
            self.backward_rows(0, block, pass, update);
            let above = self.grad_preactivations(0, pass);
            let above = above.view().part(0..pass.samples, 0..width);
            let weight = self.parameters.read_partition(self.plan.layers[0].weights[block]);
            let units = weight.len() / width;
            let weight = MatRef::new(&weight, units, width);
            let grad = &mut scratch.grad_preactivation[..pass.samples * units];
            let mut grad = MatMut::new(grad, pass.samples, units);
            linear::backward_input(self.kernels, above, weight, grad.reborrow());
            columns.backward(block, grad, &mut scratch.column, update);
        }
    }

    /// Gradient of the weight rows of a layer that start from one block of the columns or of the layer below.
    fn backward_rows(&self, index: usize, block: usize, pass: &Pass, update: Update) {
        let (layer, workspace) = (&self.plan.layers[index], pass.workspace);
        let (activations, units) = match (layer.operand, &self.plan.columns) {
            (Operand::Layer(below), _) => {
                let units = self.plan.layers[below].blocks[block].len();
                (workspace.activations[below].as_ref(), units)
            }
            (_, Some(columns)) => {
                let outputs = workspace.columns.as_ref().map(|columns| &columns.outputs);
                (outputs, columns.blocks[block].outputs.len())
            }
            (_, None) => return,
        };
        let Some(activations) = activations else { return };
        let activations = activations.read_partition(block);
        let inputs = activations.view().part(0..pass.samples, 0..units);
        let grad = self.grad_preactivations(index, pass);
        let grad = grad.view().part(0..pass.samples, 0..layer.outputs);
        let mut grad_weight = pass.gradients.write(layer.weights[block]);
        let grad_weight = MatMut::new(grad_weight.slice(), units, layer.outputs);
        linear::backward_weight(self.kernels, inputs, grad, grad_weight, update);
    }

    /// Gradient of the bias of the layer whose outputs are the logits; the loss has computed the gradient
    /// with respect to these.
    fn backward_logits(&self, index: usize, block: usize, pass: &Pass, update: Update) {
        let grad = pass.workspace.logits.read();
        let grad = grad.view().part_rows(0..pass.samples);
        self.backward_bias(index, block, grad, pass, update);
    }

    /// Gradient with respect to the pre-activations of one block, for the layer below, and of its bias.
    fn backward_units(&self, index: usize, block: usize, pass: &Pass, update: Update) {
        let Some(gradients) = &pass.workspace.grad_preactivations[index] else { return };
        let mut grad = gradients.write(block);
        let mut grad = grad.view();
        let mut grad = grad.part_rows(0..pass.samples);
        self.grad_block(index, block, 0..pass.samples, pass, grad.reborrow());
        self.normalize_backward(index, block, pass, grad.reborrow());
        self.backward_bias(index, block, grad.as_ref(), pass, update);
    }

    /// Gradients of the panel of the weight and of the bias of one block, whose inputs are the batch. No
    /// layer needs the gradient with respect to these units: it goes through the scratch.
    fn backward_panel(
        &self,
        index: usize,
        block: usize,
        pass: &Pass,
        scratch: &mut Scratch,
        update: Update,
    ) {
        let layer = &self.plan.layers[index];
        let width = layer.padded[block].len();
        let Scratch { grad_preactivation: grad, row, .. } = scratch;
        let mut grad_weight = pass.gradients.write(layer.weights[block]);
        let grad_weight = grad_weight.slice();
        let normalizes = !layer.norms.is_empty();
        match pass.input {
            Input::Tiles(tiles, scale) => {
                if normalizes {
                    // The gradient through batch normalization depends on all samples.
                    self.grad_panel(index, block, 0..pass.samples, pass, grad);
                }
                let mut update = update;
                for (tile, rows) in in_order(tiles) {
                    let count = rows.len();
                    let grad = match normalizes {
                        true => &mut grad[rows.start * width..rows.end * width],
                        // One tile at a time, so that it stays in the nearest cache.
                        false => {
                            self.grad_panel(index, block, rows, pass, grad);
                            &mut grad[..count * width]
                        }
                    };
                    let grad = MatRef::new(grad, count, width);
                    self.backward_bias(index, block, grad, pass, update);
                    let (tile, row) = (&*locked(tile), &mut row[..width]);
                    let kernels = self.kernels;
                    linear::backward_weight_sparse(
                        kernels,
                        tile,
                        &scale,
                        grad,
                        row,
                        grad_weight,
                        update,
                    );
                    update = Update::Add;
                }
            }
            Input::Dense(values) => {
                self.grad_panel(index, block, 0..pass.samples, pass, grad);
                let grad = MatRef::new(&grad[..pass.samples * width], pass.samples, width);
                self.backward_bias(index, block, grad, pass, update);
                let grad_weight = MatMut::new(grad_weight, layer.inputs, width);
                linear::backward_weight(self.kernels, values, grad, grad_weight, update);
            }
        }
    }

    /// Gradient with respect to the pre-activations of a block for some samples, in rows as wide as its
    /// panel.
    fn grad_panel(
        &self,
        index: usize,
        block: usize,
        rows: Range<usize>,
        pass: &Pass,
        grad: &mut [f32],
    ) {
        let layer = &self.plan.layers[index];
        let (units, width) = (layer.blocks[block].len(), layer.padded[block].len());
        let grad = &mut grad[..rows.len() * width];
        if units < width {
            // What pads a panel must add nothing to the gradient of its padding.
            grad.fill(0.0);
        }
        let mut grad = MatMut::with_stride(grad, rows.len(), units, width);
        self.grad_block(index, block, rows, pass, grad.reborrow());
        self.normalize_backward(index, block, pass, grad);
    }

    /// `grad = (G W^T) * f'` for some samples and one block of units, where `G` is the gradient with
    /// respect to the pre-activations of the layer above and `W` its weight; for the logits the gradient
    /// of the loss.
    fn grad_block(
        &self,
        index: usize,
        block: usize,
        rows: Range<usize>,
        pass: &Pass,
        mut grad: MatMut,
    ) {
        let units = self.plan.layers[index].blocks[block].clone();
        let Some(above) = self.plan.layers.get(index + 1) else {
            return copy(pass.workspace.logits.read().view().part(rows, units), grad);
        };
        let grad_above = self.grad_preactivations(index + 1, pass);
        let grad_above = grad_above.view().part(rows.clone(), 0..above.outputs);
        let weight = self.parameters.read_partition(above.weights[block]);
        let weight = MatRef::new(&weight, units.len(), above.outputs);
        linear::backward_input(self.kernels, grad_above, weight, grad.reborrow());
        self.hidden(index, pass).activate_backward(block, rows, grad);
    }

    /// The gradient with respect to the pre-activations of a layer, complete after a barrier.
    fn grad_preactivations<'a>(&self, index: usize, pass: &Pass<'a>) -> Reading<'a> {
        let workspace: &'a Workspace = pass.workspace;
        workspace.grad_preactivations[index].as_ref().unwrap_or(&workspace.logits).read()
    }

    /// From the gradient after batch normalization of all samples of a block, if there is any, to the
    /// gradient before it.
    fn normalize_backward(&self, index: usize, block: usize, pass: &Pass, mut grad: MatMut) {
        let layer = &self.plan.layers[index];
        if !layer.norms.is_empty() {
            let grad = grad.first_columns(layer.blocks[block].len());
            self.hidden(index, pass).normalize_backward(block, &self.parameters, grad);
        }
    }

    /// Gradient of the bias of one block: the sum over samples.
    fn backward_bias(&self, index: usize, block: usize, grad: MatRef, pass: &Pass, update: Update) {
        let layer = &self.plan.layers[index];
        let grad = grad.part_columns(0..layer.blocks[block].len());
        let mut grad_bias = pass.gradients.write(layer.biases[block]);
        linear::backward_bias(self.kernels, grad, grad_bias.slice(), update);
    }
}
