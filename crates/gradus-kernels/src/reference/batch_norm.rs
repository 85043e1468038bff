//! Batch normalization of one column, in double precision.

/// Mean and biased variance of one column: `mean x` and `mean (x - mean x)^2`.
pub fn moments(x: &[f64]) -> (f64, f64) {
    let count = x.len() as f64;
    let mean = x.iter().sum::<f64>() / count;
    (mean, x.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count)
}

/// `n_i = (x_i - mean x) / sqrt(variance x + epsilon)` for one column.
pub fn normalize(x: &[f64], epsilon: f64) -> Vec<f64> {
    let (mean, variance) = moments(x);
    x.iter().map(|x| (x - mean) / (variance + epsilon).sqrt()).collect()
}

/// `y_i = gamma n_i + beta` with the normalized `n_i` of one column.
pub fn batch_norm_forward(x: &[f64], gamma: f64, beta: f64, epsilon: f64) -> Vec<f64> {
    normalize(x, epsilon).iter().map(|n| gamma * n + beta).collect()
}

/// From the gradients `d_i` with respect to the outputs of one column: `(grad_gamma, grad_beta, grad_x)`
/// with `grad_gamma = sum d_i n_i`, `grad_beta = sum d_i` and
/// `grad_x_i = gamma / sqrt(variance + epsilon) (d_i - mean d - n_i mean(d n))`.
pub fn batch_norm_backward(
    grad: &[f64],
    normalized: &[f64],
    gamma: f64,
    variance: f64,
    epsilon: f64,
) -> (f64, f64, Vec<f64>) {
    let count = grad.len() as f64;
    let grad_gamma: f64 = grad.iter().zip(normalized).map(|(d, n)| d * n).sum();
    let grad_beta: f64 = grad.iter().sum();
    let factor = gamma / (variance + epsilon).sqrt();
    let input = |(d, n): (&f64, &f64)| factor * (d - grad_beta / count - n * grad_gamma / count);
    (grad_gamma, grad_beta, grad.iter().zip(normalized).map(input).collect())
}
