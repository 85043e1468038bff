//! The piecewise-linear embedding, as it is defined.

use crate::piecewise::{Edges, Piecewise};

/// `e_j = offset_j + slope_j x + sum_t v_t rise_tj` for each of `values`: a row for each output. `v_t` is the part of
/// bin `t` that lies below `x`.
pub fn piecewise(values: &[f32], edges: Edges, parameters: Piecewise<&[f32]>, outputs: &mut [f32]) {
    let Piecewise { rise, slope, offset } = parameters;
    let rows = offset.len();
    for (n, &x) in values.iter().enumerate() {
        let parts = parts(edges.0, x);
        for j in 0..rows {
            let sum: f64 =
                parts.iter().enumerate().map(|(t, v)| v * f64::from(rise[t * rows + j])).sum();
            let line = f64::from(offset[j]) + f64::from(slope[j]) * f64::from(x);
            outputs[j * values.len() + n] = (line + sum) as f32;
        }
    }
}

/// Adds the gradients: `offset_j += g_j`, `slope_j += x g_j`, `rise_tj += v_t g_j`.
pub fn piecewise_backward(
    values: &[f32],
    edges: Edges,
    grad: &[f32],
    gradients: Piecewise<&mut [f32]>,
) {
    let (rows, count) = (gradients.offset.len(), values.len());
    for j in 0..rows {
        let sum = |of: &dyn Fn(usize) -> f64| {
            (0..count).map(|n| of(n) * f64::from(grad[j * count + n])).sum::<f64>() as f32
        };
        gradients.offset[j] += sum(&|_| 1.0);
        gradients.slope[j] += sum(&|n| values[n].into());
        for t in 0..edges.0.len() - 1 {
            gradients.rise[t * rows + j] += sum(&|n| parts(edges.0, values[n])[t]);
        }
    }
}

/// The part of each bin that lies below `x`: from 0 to 1, but for the first bin, which has no lower end, and the last that has a
/// width, which has no upper end.
fn parts(edges: &[f32], x: f32) -> Vec<f64> {
    let widths: Vec<f64> =
        edges.windows(2).map(|pair| f64::from(pair[1]) - f64::from(pair[0])).collect();
    let last = widths.iter().rposition(|&width| width > 0.0);
    let part = |(t, &width): (usize, &f64)| {
        if width == 0.0 {
            return 0.0;
        }
        let part = (f64::from(x) - f64::from(edges[t])) / width;
        let part = if t > 0 { part.max(0.0) } else { part };
        if Some(t) == last { part } else { part.min(1.0) }
    };
    widths.iter().enumerate().map(part).collect()
}
