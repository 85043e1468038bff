//! The forward pass of one sample by one thread: layer after layer, since nothing is divided.
//!
//! In: a sample. Out: its logits, with the bits of a pass over many samples (`passes.rs`): each value is the same sum in the
//! same order. The weights are read once, from the first to the last, which takes most of the time; blocks of units would
//! cost as much again for a network of a few hundred units. With quantized weights there is half as much to read, and the bits are
//! others.

use gradus_kernels::dense::{Transpose, Update};
use gradus_kernels::matrix::{Aligned, MatMut, MatRef};
use gradus_kernels::quantized::QuantizedMatrix;

use crate::engine::cpu::hidden::activate;
use crate::engine::cpu::passes::{Executor, Input, Pass};
use crate::engine::cpu::plan::{Operand, Plan, PlannedLayer};
use crate::engine::cpu::workspace::Scratch;

/// The values between the layers of one sample.
pub struct SingleRow {
    inputs: Aligned,
    outputs: Aligned,
    /// Scratch for the inputs of a quantized layer.
    whole: Vec<i16>,
}

/// Layers with fewer units are not quantized: there is little to read, and a cache line would not be full.
const FEWEST_UNITS: usize = 16;

impl SingleRow {
    /// For networks of this plan.
    pub fn new(plan: &Plan) -> SingleRow {
        let widest = plan.layers.iter().map(|layer| layer.outputs).max().unwrap_or(0);
        SingleRow {
            inputs: Aligned::zeros(widest),
            outputs: Aligned::zeros(widest),
            whole: vec![0; QuantizedMatrix::whole_values(widest)],
        }
    }
}

impl Executor {
    /// Lets single samples take 16-bit whole numbers in place of the weights that lead from hidden layers to layers of at least
    /// [`FEWEST_UNITS`] units. The first weight stays: inputs may have any range, what comes out of an activation has not.
    pub fn quantize(&mut self) {
        let parameters = self.parameters.read();
        let layer = |(index, layer): (usize, &PlannedLayer)| {
            let weight = &parameters[layer.weight.clone()];
            let weight = MatRef::new(weight, layer.inputs, layer.outputs);
            (index > 0 && layer.outputs >= FEWEST_UNITS).then(|| QuantizedMatrix::new(weight))
        };
        self.quantized = self.plan.layers.iter().enumerate().map(layer).collect();
    }

    /// The logits of the one sample of a pass with dense inputs.
    pub fn forward_single<'r>(
        &self,
        pass: &Pass,
        scratch: &mut Scratch,
        row: &'r mut SingleRow,
    ) -> &'r [f32] {
        let Input::Dense(sample) = pass.input else {
            unreachable!("tiles take the sparse product")
        };
        assert_eq!(sample.rows(), 1, "a pass of one sample");
        if let Some(columns) = self.columns(pass) {
            (0..columns.blocks()).for_each(|block| columns.forward(block, &mut scratch.column));
        }
        let columns = pass.workspace.columns.as_ref().map(|columns| columns.outputs.read());
        let first = columns.as_ref().map_or(sample, |columns| columns.view().part_rows(0..1));
        let (kernels, parameters) = (self.kernels, self.parameters.read());
        let mut units = 0;
        for (index, layer) in self.plan.layers.iter().enumerate() {
            let inputs = match index {
                0 => first,
                _ => MatRef::new(&row.inputs, 1, layer.inputs),
            };
            units = layer.outputs;
            let outputs = &mut row.outputs[..units];
            outputs.copy_from_slice(&parameters[layer.bias.clone()]);
            let product = |weight: &[f32], outputs: &mut [f32]| {
                let units = outputs.len();
                let weight = MatRef::new(weight, layer.inputs, units);
                let outputs = MatMut::new(outputs, 1, units);
                kernels.matmul(Transpose::Neither, inputs, weight, outputs, Update::Add);
            };
            let quantized = self.quantized.get(index).and_then(Option::as_ref);
            match (layer.operand, quantized) {
                (_, Some(weight)) => {
                    kernels.add_quantized_product(inputs.row(0), weight, &mut row.whole, outputs);
                }
                // A weight in panels.
                (Operand::Batch, None) => {
                    for (block, &weight) in layer.blocks.iter().zip(&layer.weights) {
                        let weight = self.plan.parameters.partitions[weight].range.clone();
                        product(&parameters[weight], &mut outputs[block.clone()]);
                    }
                }
                (Operand::Columns | Operand::Layer(_), None) => {
                    product(&parameters[layer.weight.clone()], outputs);
                }
            }
            activate(kernels, layer.activation, &parameters[layer.strength.clone()], outputs, None);
            std::mem::swap(&mut row.inputs, &mut row.outputs);
        }
        &row.inputs[..units]
    }
}
