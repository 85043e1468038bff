//! Losses that are sums over outputs, of one row.

use crate::output_losses::OutputLoss;

/// Loss and derivative of one output with target `t` and constant `p`, in double precision.
pub fn output_loss(loss: OutputLoss, y: f64, t: f64, p: f64) -> (f64, f64) {
    let e = y - t;
    match loss {
        OutputLoss::Squared => (e * e / 2.0, e),
        OutputLoss::Poisson => {
            let constant = if t > 0.0 { t * t.ln() - t } else { 0.0 };
            (y.exp() - t * y + constant, y.exp() - t)
        }
        OutputLoss::Huber if e.abs() <= p => (e * e / 2.0, e),
        OutputLoss::Huber => (p * (e.abs() - p / 2.0), p * e.signum()),
        OutputLoss::Absolute => (e.abs(), if e == 0.0 { 0.0 } else { e.signum() }),
        OutputLoss::Quantile if e > 0.0 => ((1.0 - p) * e, 1.0 - p),
        OutputLoss::Quantile => (-p * e, if e == 0.0 { 0.0 } else { -p }),
        OutputLoss::BinaryCrossEntropy => {
            let loss = y.max(0.0) - y * t + (-y.abs()).exp().ln_1p();
            (loss, 1.0 / (1.0 + (-y).exp()) - t)
        }
    }
}

/// Loss and gradient for one row with weight `w`: `w sum_j f_j l(y_j, t_j)` and `grad_scale w g_j l'(y_j, t_j)`; `factors`
/// are the constant, `f` and `g` of each output.
pub fn output_losses(
    loss: OutputLoss,
    outputs: &[f32],
    targets: &[f32],
    factors: [&[f32]; 3],
    weight: f32,
    grad_scale: f32,
) -> (f32, Vec<f32>) {
    let [constants, loss_factors, grad_factors] = factors;
    let (mut sum, mut grad) = (0.0f64, Vec::new());
    for j in 0..outputs.len() {
        let (found, slope) = output_loss(
            loss,
            f64::from(outputs[j]),
            f64::from(targets[j]),
            f64::from(constants[j]),
        );
        sum += f64::from(loss_factors[j]) * found;
        let scale = f64::from(grad_scale) * f64::from(weight) * f64::from(grad_factors[j]);
        grad.push((scale * slope) as f32);
    }
    ((f64::from(weight) * sum) as f32, grad)
}
