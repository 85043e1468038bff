//! The linear layer, forward and backward (docs/maths.md M2), and its form for mostly-zero bytes (M6, M7).
//!
//! Shapes: `input` samples x inputs, `weight` inputs x outputs, `bias` outputs, `output` samples x
//! outputs; a gradient has the shape of what it is the gradient of. Each function may be given a
//! range of the columns (or rows) of a matrix: it then computes that part.

use gradus_kernels::Kernels;
use gradus_kernels::dense::{Transpose, Update};
use gradus_kernels::matrix::{MatMut, MatRef};
use gradus_kernels::sparse::Tile;

/// `output = input weight + bias`
pub fn forward(kernels: Kernels, input: MatRef, weight: MatRef, bias: &[f32], mut output: MatMut) {
    for sample in 0..output.rows() {
        output.row_mut(sample).copy_from_slice(bias);
    }
    kernels.matmul(Transpose::Neither, input, weight, output, Update::Add);
}

/// `grad_weight (+)= input^T grad_output`
pub fn backward_weight(
    kernels: Kernels,
    input: MatRef,
    grad_output: MatRef,
    grad_weight: MatMut,
    update: Update,
) {
    kernels.matmul(Transpose::First, input, grad_output, grad_weight, update);
}

/// `grad_bias (+)=` the sum of the rows of `grad_output`
pub fn backward_bias(kernels: Kernels, grad_output: MatRef, grad_bias: &mut [f32], update: Update) {
    if update == Update::Overwrite {
        grad_bias.fill(0.0);
    }
    for sample in 0..grad_output.rows() {
        kernels.add(grad_bias, grad_output.row(sample));
    }
}

/// `grad_input = grad_output weight^T`
pub fn backward_input(kernels: Kernels, grad_output: MatRef, weight: MatRef, grad_input: MatMut) {
    kernels.matmul(Transpose::Second, grad_output, weight, grad_input, Update::Overwrite);
}

/// What bytes stand for: `v` is the input `scale v - shift`. The shift is the same for every
/// input, so that zeros can still be skipped (M6).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InputScale {
    /// Factor of every value.
    pub scale: f32,
    /// Taken off every one of them then.
    pub shift: f32,
}

impl InputScale {
    /// `v` is `(v - mean) / deviation`.
    pub fn new(mean: f32, deviation: f32) -> InputScale {
        InputScale { scale: 1.0 / deviation, shift: mean / deviation }
    }

    /// The input that `value` stands for.
    pub fn input(&self, value: f32) -> f32 {
        self.scale * value - self.shift
    }

    /// What takes the place of `bias` when the shift is left out of the product:
    /// `bias - shift * (sum of the rows of weight)`. `weight` has as many columns as `folded`,
    /// which may be more than there are biases.
    pub fn fold_bias(&self, kernels: Kernels, weight: &[f32], bias: &[f32], folded: &mut [f32]) {
        folded.fill(0.0);
        if self.shift != 0.0 {
            for row in weight.chunks_exact(folded.len()) {
                kernels.add(folded, row);
            }
            folded.iter_mut().for_each(|sum| *sum *= -self.shift);
        }
        kernels.add(&mut folded[..bias.len()], bias);
    }

    /// What every row of the gradient of the weight gets from the shift:
    /// `-shift * (sum of the rows of grad_output)`.
    pub fn fold_gradient(&self, kernels: Kernels, grad_output: MatRef, folded: &mut [f32]) {
        folded.fill(0.0);
        if self.shift != 0.0 {
            backward_bias(kernels, grad_output, folded, Update::Add);
            folded.iter_mut().for_each(|sum| *sum *= -self.shift);
        }
    }
}

/// [`forward`] for mostly-zero bytes: `output = scale tile weight + folded_bias`, zeros skipped.
pub fn forward_sparse(
    kernels: Kernels,
    tile: &Tile,
    values: &InputScale,
    weight: &[f32],
    folded_bias: &[f32],
    output: MatMut,
) {
    kernels.sparse_forward(tile, values.scale, weight, folded_bias, output);
}

/// [`backward_weight`] for mostly-zero bytes: `grad_weight (+)= (scale tile - shift)^T grad_output`, zeros
/// skipped. `folded` is scratch for one row.
pub fn backward_weight_sparse(
    kernels: Kernels,
    tile: &Tile,
    values: &InputScale,
    grad_output: MatRef,
    folded: &mut [f32],
    grad_weight: &mut [f32],
    update: Update,
) {
    values.fold_gradient(kernels, grad_output, folded);
    kernels.sparse_gradient(tile, values.scale, grad_output, folded, grad_weight, update);
}
