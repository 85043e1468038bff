//! Squared error (docs/maths.md M21): outputs and targets go in, losses and the gradients of the outputs
//! come out.

use crate::dispatch::{Kernels, dispatch};
use crate::matrix::{MatMut, MatRef};

impl Kernels {
    /// Half the mean squared error of each row `i` with weight `w_i` (1 without weights):
    /// `losses[i] = w_i / (2 m) sum_j (y_ij - t_ij)^2`, with `m` columns. Replaces `outputs`, `[samples x m]`,
    /// by their gradient, `(y_ij - t_ij) w_i grad_scale / m`; `grad_scale` is 1 over the number of samples
    /// in the mean. Reference: [`crate::reference::squared_error`].
    ///
    /// Panics where the sizes differ.
    pub fn squared_error(
        self,
        outputs: MatMut,
        targets: MatRef,
        weights: Option<&[f32]>,
        grad_scale: f32,
        losses: &mut [f32],
    ) {
        let rows = outputs.rows();
        assert!(targets.rows() == rows && losses.len() == rows);
        assert!(targets.columns() == outputs.columns());
        assert!(weights.is_none_or(|weights| weights.len() == rows));
        dispatch!(
            self,
            (outputs: MatMut, targets: MatRef, weights: Option<&[f32]>, grad_scale: f32, losses: &mut [f32]),
            |_S| {
                let mut outputs = outputs;
                let columns = outputs.columns() as f32;
                for (i, loss) in losses.iter_mut().enumerate() {
                    let weight = weights.map_or(1.0, |weights| weights[i]);
                    let scale = weight * grad_scale / columns;
                    let mut sum = 0.0;
                    for (value, target) in outputs.row_mut(i).iter_mut().zip(targets.row(i)) {
                        let error = *value - target;
                        sum += error * error;
                        *value = error * scale;
                    }
                    *loss = weight * (sum / (2.0 * columns));
                }
            }
        );
    }
}
