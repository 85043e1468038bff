//! Squared error of one row.

/// Loss and gradient for one row of `m` outputs with weight `w`: `w / (2 m) sum_j (y_j - t_j)^2` and
/// `(y - t) w grad_scale / m`.
pub fn squared_error(
    outputs: &[f32],
    targets: &[f32],
    weight: f32,
    grad_scale: f32,
) -> (f32, Vec<f32>) {
    let (mut sum, mut grad) = (0.0f64, Vec::new());
    let scale = f64::from(weight) * f64::from(grad_scale) / outputs.len() as f64;
    for j in 0..outputs.len() {
        let error = f64::from(outputs[j]) - f64::from(targets[j]);
        sum += error * error;
        grad.push((error * scale) as f32);
    }
    ((f64::from(weight) * sum / (2.0 * outputs.len() as f64)) as f32, grad)
}
