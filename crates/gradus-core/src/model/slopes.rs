//! A network's linear layers and activations for explanations: inputs of the first linear layer in, outputs and their
//! gradients with respect to these inputs out (docs/maths.md M2, M3).

use gradus_kernels::Kernels;
use gradus_kernels::matrix::{MatMut, MatRef};

use crate::engine::cpu::linear::{backward_input, forward};
use crate::network::Network;

/// The layers of a network after its layer of columns.
#[derive(Clone, Copy)]
pub(super) struct Stack<'a> {
    pub(super) kernels: Kernels,
    pub(super) network: &'a Network,
}

/// What a forward pass of several rows leaves for the backward pass.
pub(super) struct Saved {
    rows: usize,
    /// For each hidden layer what the derivative of its activation is computed from.
    kept: Vec<Vec<f32>>,
    /// For each hidden layer its outputs.
    pub(super) units: Vec<Vec<f32>>,
    /// The outputs of the network.
    pub(super) outputs: Vec<f32>,
}

impl Stack<'_> {
    fn weight(&self, index: usize) -> MatRef<'_> {
        let linear = self.network.linears()[index];
        MatRef::new(self.network.weight(index), linear.inputs, linear.outputs)
    }

    /// The outputs of all layers for some rows of inputs of the first linear layer.
    pub(super) fn forward(&self, inputs: &[f32], rows: usize) -> Saved {
        let (mut kept, mut units) = (Vec::new(), Vec::<Vec<f32>>::new());
        let linears = self.network.linears();
        for (index, linear) in linears.iter().enumerate() {
            let mut values = vec![0.0; rows * linear.outputs];
            let from = units.last().map_or(inputs, Vec::as_slice);
            let from = MatRef::new(from, rows, linear.inputs);
            let output = MatMut::new(&mut values, rows, linear.outputs);
            forward(self.kernels, from, self.weight(index), self.network.bias(index), output);
            if index + 1 == linears.len() {
                return Saved { rows, kept, units, outputs: values };
            }
            let activation = self.network.activation_after(index);
            let before = values.clone();
            activation.forward(self.kernels, &mut values);
            if let Some(strengths) = self.network.strengths(index) {
                let (mut mixed, width) = (values.clone(), linear.outputs);
                for (mixed, before) in mixed.chunks_mut(width).zip(before.chunks(width)) {
                    self.kernels.strengthen(mixed, before, strengths);
                }
                kept.push(if activation.needs_input() { before } else { values });
                units.push(mixed);
                continue;
            }
            kept.push(if activation.needs_input() { before } else { values.clone() });
            units.push(values);
        }
        Saved { rows, kept, units, outputs: Vec::new() }
    }

    /// From gradients with respect to the outputs, row after row, to those with respect to the inputs.
    pub(super) fn backward(&self, saved: &Saved, mut slopes: Vec<f32>) -> Vec<f32> {
        let linears = self.network.linears();
        for (index, linear) in linears.iter().enumerate().rev() {
            if index + 1 < linears.len() {
                let activation = self.network.activation_after(index);
                let past =
                    self.network.strengths(index).map(|strengths| (strengths, slopes.clone()));
                activation.backward(self.kernels, &saved.kept[index], &mut slopes);
                if let Some((strengths, past)) = past {
                    // `s f' + 1 - s`
                    let units = linear.outputs;
                    for (slopes, past) in slopes.chunks_mut(units).zip(past.chunks(units)) {
                        self.kernels.strengthen(slopes, past, strengths);
                    }
                }
            }
            let mut before = vec![0.0; saved.rows * linear.inputs];
            let from = MatRef::new(&slopes, saved.rows, linear.outputs);
            let into = MatMut::new(&mut before, saved.rows, linear.inputs);
            backward_input(self.kernels, from, self.weight(index), into);
            slopes = before;
        }
        slopes
    }
}
