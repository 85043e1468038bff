//! The periodic embedding, as it is defined.

use crate::periodic::Periodic;

/// `e_j = bias_j + sum_k mix_kj cos(2 pi frequency_k x + phase_k)` for each of `values`: a row for each output.
pub fn periodic(values: &[f32], parameters: Periodic<&[f32]>, outputs: &mut [f32]) {
    let Periodic { frequency, mix, bias, .. } = parameters;
    for (n, &x) in values.iter().enumerate() {
        for j in 0..bias.len() {
            let term =
                |k: usize| f64::from(mix[k * bias.len() + j]) * angle(&parameters, k, x).cos();
            let sum: f64 = (0..frequency.len()).map(term).sum();
            outputs[j * values.len() + n] = (f64::from(bias[j]) + sum) as f32;
        }
    }
}

/// Adds the gradients: with `u_k` the angle, `bias_j += g_j`, `mix_kj += cos(u_k) g_j`, and with
/// `h_k = -sin(u_k) sum_j mix_kj g_j`, `phase_k += h_k` and `frequency_k += 2 pi x h_k`.
pub fn periodic_backward(
    values: &[f32],
    parameters: Periodic<&[f32]>,
    grad: &[f32],
    gradients: Periodic<&mut [f32]>,
) {
    let Periodic { frequency, mix, bias, .. } = parameters;
    let (rows, count) = (bias.len(), values.len());
    let g = |j: usize, n: usize| f64::from(grad[j * count + n]);
    let sum = |of: &dyn Fn(usize) -> f64| (0..count).map(of).sum::<f64>() as f32;
    for j in 0..rows {
        gradients.bias[j] += sum(&|n| g(j, n));
    }
    for k in 0..frequency.len() {
        let u = |n: usize| angle(&parameters, k, values[n]);
        let h = |n: usize| {
            let down: f64 = (0..rows).map(|j| f64::from(mix[k * rows + j]) * g(j, n)).sum();
            -u(n).sin() * down
        };
        for j in 0..rows {
            gradients.mix[k * rows + j] += sum(&|n| u(n).cos() * g(j, n));
        }
        gradients.phase[k] += sum(&h);
        gradients.frequency[k] += sum(&|n| std::f64::consts::TAU * f64::from(values[n]) * h(n));
    }
}

fn angle(parameters: &Periodic<&[f32]>, k: usize, x: f32) -> f64 {
    std::f64::consts::TAU * f64::from(parameters.frequency[k]) * f64::from(x)
        + f64::from(parameters.phase[k])
}
